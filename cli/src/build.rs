//! Which build this is.

/// The version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit it was built from.
pub const COMMIT: &str = env!("TWINLOG_COMMIT");
/// The profile it was built with.
pub const PROFILE: &str = env!("TWINLOG_PROFILE");
/// What `--version` prints behind the name.
pub const LONG: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("TWINLOG_COMMIT"), ", ", env!("TWINLOG_PROFILE"), ")");
