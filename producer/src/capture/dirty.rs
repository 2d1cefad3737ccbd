//! Dirty buckets: those that could not be captured, since when and why, on record in the control topic until a sweep
//! has found what their notices told.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use twinlog_log::lane::Slot;
use twinlog_log::{Headers, Record};
use twinlog_schemas::BucketName;

use super::Capture;

/// A control record: this bucket has changes that no change event tells of. Key [`DirtyBucket::key`], value JSON; a
/// tombstone says that a sweep has found them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirtyBucket {
    /// The bucket.
    pub bucket: BucketName,
    /// Since when, microseconds since the Unix epoch.
    pub since_us: i64,
    /// The error that came first.
    pub reason: String,
}

impl DirtyBucket {
    /// What every key of such a record begins with.
    pub const KEY_PREFIX: &'static str = "dirty/";

    /// The record's key in the compacted control topic.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}{}", Self::KEY_PREFIX, self.bucket)
    }
}

/// What this process knows of dirty buckets.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    /// On record, by bucket, with whether capture still fails.
    known: Mutex<BTreeMap<BucketName, bool>>,
}

impl Dirty {
    /// Begins with what the control topic says: their records must not be written anew with a later time.
    pub(super) fn new(on_record: impl IntoIterator<Item = BucketName>) -> Self {
        Self { known: Mutex::new(on_record.into_iter().map(|bucket| (bucket, true)).collect()) }
    }

    fn set_failing(&self, bucket: &BucketName, failing: bool) -> Option<bool> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_mut(bucket).map(|before| std::mem::replace(before, failing))
    }

    /// Whether it is on record, and nothing of it was captured since.
    pub(super) fn is_failing(&self, bucket: &BucketName) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).copied().unwrap_or(false)
    }

    fn add(&self, bucket: &BucketName) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.clone(), true);
    }

    /// A sweep has made the bucket whole.
    pub(super) fn forget(&self, bucket: &BucketName) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(bucket);
    }
}

impl Capture {
    /// Puts a bucket on record as dirty and returns once that is acknowledged; does nothing if it is on record.
    pub(super) async fn mark_dirty(&self, slot: &mut Slot, bucket: &BucketName, reason: &str) {
        match self.dirty.set_failing(bucket, true) {
            Some(true) => return,
            Some(false) => {
                tracing::error!(%bucket, %reason, "bucket cannot be captured again: a sweep has to follow");
                self.parts.observer.dirty(bucket);
                return;
            }
            None => {}
        }
        tracing::error!(%bucket, %reason, "bucket cannot be captured: it is marked dirty, a sweep has to follow");
        let dirty =
            DirtyBucket { bucket: bucket.clone(), since_us: self.parts.clock.now_us(), reason: reason.to_owned() };
        match serde_json::to_vec(&dirty) {
            Ok(value) => self.control(slot, dirty.key(), value).await,
            Err(error) => tracing::error!(%error, %bucket, "dirty record cannot be encoded"),
        }
        self.dirty.add(bucket);
        self.parts.observer.dirty(bucket);
    }

    /// A capture of the bucket has succeeded.
    pub(super) fn succeeded(&self, bucket: &BucketName) {
        if self.dirty.set_failing(bucket, false) == Some(true) {
            tracing::info!(%bucket, "bucket can be captured again; it stays on record as dirty until it is swept");
            self.parts.observer.mended(bucket);
        }
    }

    /// Says that a sweep has made a dirty bucket whole: from now on a failure goes on record anew.
    pub fn swept(&self, bucket: &BucketName) {
        self.dirty.forget(bucket);
    }

    /// Appends to the control topic, for as long as it takes.
    pub(super) async fn control(&self, slot: &mut Slot, key: String, value: Vec<u8>) {
        let record = Record {
            topic: self.parts.topics.control(self.parts.site.name()),
            partition: 0,
            key: Some(key.into()),
            value: Some(value.into()),
            headers: Headers::default(),
            timestamp_ms: self.parts.clock.now_ms(),
        };
        self.append_surely(slot, record).await;
    }
}
