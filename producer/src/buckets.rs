//! Which buckets are replicated from this site, and what is set for each.

use std::collections::BTreeMap;

use twinlog_schemas::BucketName;

/// What the configuration says of one bucket at its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketSettings {
    /// Bodies of at most this many bytes travel in the change event; 0 for none.
    pub inline_max_bytes: u64,
}

impl Default for BucketSettings {
    fn default() -> Self {
        Self { inline_max_bytes: 16 * 1024 }
    }
}

/// Selects buckets, by name or pattern as the configuration has it. A bucket that is selected but not yet enabled
/// sends no notices, so a selection may well be wider than what is enabled, and must not be narrower.
pub trait Selection: Send + Sync + 'static {
    /// The bucket's settings, or `None` if it is not replicated from this site.
    fn settings(&self, bucket: &BucketName) -> Option<BucketSettings>;
}

impl Selection for BTreeMap<BucketName, BucketSettings> {
    fn settings(&self, bucket: &BucketName) -> Option<BucketSettings> {
        self.get(bucket).copied()
    }
}
