//! Versions whose times tie.

use serde::Serialize;
use twinlog_schemas::{ObjectKey, VersionId};

/// Versions of one key and millisecond, born at different sites, that stand in another order at each end. No rule of any
/// store decides it, and nothing brings them in line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tie {
    /// The key.
    pub key: ObjectKey,
    /// Their time, milliseconds since the Unix epoch.
    pub modified_ms: i64,
    /// The versions as the left end lists them.
    pub left: Vec<VersionId>,
    /// The versions as the right end lists them.
    pub right: Vec<VersionId>,
}
