//! What a bucket is set up as.

use twinlog_schemas::RetentionMode;

/// The state of a bucket that replication depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketState {
    /// When it was created, milliseconds since the Unix epoch: its identity. `None` where the store does not tell.
    pub created_ms: Option<i64>,
    /// Versioning.
    pub versioning: Versioning,
    /// Whether object lock is on.
    pub object_lock: bool,
    /// The bucket's default retention.
    pub default_retention: Option<DefaultRetention>,
    /// Whether the bucket encrypts by default.
    pub default_encryption: bool,
    /// Whether the store's own replication is configured for this bucket.
    pub own_replication: bool,
}

/// A bucket's versioning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// On.
    Enabled,
    /// Was on.
    Suspended,
    /// Never was on.
    Never,
}

/// A bucket's default retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultRetention {
    /// The mode.
    pub mode: RetentionMode,
    /// In days (years are multiplied out as the store does: 365 days).
    pub days: u32,
}
