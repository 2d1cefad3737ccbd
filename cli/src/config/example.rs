//! The commented example that `twinlog config example` prints; a test reads it.

/// A complete configuration with every key, its meaning and its default.
pub const EXAMPLE: &str = include_str!("example.toml");
