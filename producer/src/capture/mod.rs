//! Capture: turns notices into change events and facts, by reading the truth at the store.
//!
//! It is the one writer of its site's change events and facts, and owns a key as long as its process owns the key's
//! lane: so the events of one key stand in the order in which its states were read. Decisions ([`decide`], [`null`],
//! [`audit`], [`time`], [`stamp`], [`waiting`]) are pure; the rest reads, writes and waits.

pub mod audit;
mod bury;
pub mod decide;
mod dirty;
mod emit;
pub mod found;
mod handler;
mod lately;
pub mod null;
pub mod outcome;
mod reads;
pub mod stamp;
mod stop;
pub mod time;
pub mod waiting;
mod work;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use twinlog_schemas::{BucketName, ObjectKey, SchemaError, VersionId};

use crate::Parts;
use crate::copies::CopyId;
use dirty::Dirty;
use emit::SchemaVersions;
use lately::Lately;
use time::Modified;
use twinlog_log::outgoing::Partitions;

pub use dirty::DirtyBucket;

/// How capture behaves.
#[derive(Debug, Clone)]
pub struct CaptureConfig {
    /// Twinlog's own principals at this site: notices that name one of these as their cause are dropped. Only names
    /// that are proved to be nobody else's: a service account may be shown under its parent's name.
    pub own_principals: BTreeSet<String>,
    /// How long a client's request may take between a marker's time and its notice's, in milliseconds: the window in
    /// which a multi-delete's markers are looked for. Default 10,000.
    pub longest_request_ms: i64,
    /// Waiting notices of one key captured together, at most. Default 64.
    pub batch: usize,
    /// Buckets that the control topic has on record as dirty when the process starts.
    pub dirty: BTreeSet<BucketName>,
    /// How long a key may fail, while others are read, before its notices are dead letters. Default 1 h.
    pub give_up_after: Duration,
}

impl Default for CaptureConfig {
    fn default() -> Self {
        Self {
            own_principals: BTreeSet::new(),
            longest_request_ms: 10_000,
            batch: 64,
            dirty: BTreeSet::new(),
            give_up_after: Duration::from_secs(3_600),
        }
    }
}

/// The handler of the notices topic's lanes. Shared by all lanes of a process; its memories are only savings.
pub struct Capture {
    parts: Parts,
    config: CaptureConfig,
    partitions: Arc<Partitions>,
    schema_versions: SchemaVersions,
    dirty: Dirty,
    /// Calls of the store that have succeeded.
    successes: AtomicU64,
    /// Jobs over which capture broke since the last one that succeeded.
    bugs: AtomicU32,
    /// Who holds it tries.
    trials: tokio::sync::Mutex<BTreeMap<BucketName, stop::Trial>>,
    /// Only added to once what a notice caused is acknowledged.
    lately: Mutex<Lately>,
}

impl Capture {
    pub(crate) fn new(parts: Parts, config: CaptureConfig, partitions: Arc<Partitions>) -> Result<Self, SchemaError> {
        Ok(Self {
            schema_versions: SchemaVersions::of_this_release()?,
            dirty: Dirty::new(config.dirty.iter().cloned()),
            successes: AtomicU64::new(0),
            bugs: AtomicU32::new(0),
            trials: tokio::sync::Mutex::default(),
            lately: Mutex::default(),
            parts,
            config,
            partitions,
        })
    }

    fn times(&self, bucket: &BucketName, key: &ObjectKey) -> BTreeMap<VersionId, i64> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner).times(bucket, key)
    }

    fn assigned_within(&self, bucket: &BucketName, key: &ObjectKey, ms: i64) -> bool {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner).assigned_within(bucket, key, ms)
    }

    fn remember_time(&self, bucket: &BucketName, key: &ObjectKey, version: &VersionId, modified: Modified) {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner).remember_time(bucket, key, version, modified);
    }

    fn is_copy(&self, id: CopyId) -> bool {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner).captured(id)
    }

    fn remember_copy(&self, id: CopyId) {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner).remember(id);
    }
}
