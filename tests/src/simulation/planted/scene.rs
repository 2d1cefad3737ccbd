//! What a process is about, key by key: lanes handle one call per key at a time, so this is exact.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use twinlog_log::record_key;
use twinlog_schemas::VersionRef;

/// What kind of record is being handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulation) enum Doing {
    /// A change event that is not a removal.
    State,
    /// An audit record.
    Audit,
    /// Anything else.
    Other,
}

/// The keys in work of one handler.
#[derive(Default)]
pub(in crate::simulation) struct Scene(Mutex<BTreeMap<Bytes, Doing>>);

impl Scene {
    pub(super) fn begin(&self, key: Bytes, doing: Doing) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, doing);
    }

    pub(super) fn end(&self, key: &Bytes) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    pub(in crate::simulation) fn doing(&self, version: &VersionRef) -> Doing {
        let key = record_key(version.bucket.as_str(), version.key.as_str());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied().unwrap_or(Doing::Other)
    }
}
