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
    /// On record, by bucket.
    known: Mutex<BTreeMap<BucketName, Known>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// Whether the last capture failed.
    failing: bool,
    /// When a capture failed last in this process, microseconds since the Unix epoch.
    failed_us: i64,
}

impl Dirty {
    /// Begins with what the control topic says: their records must not be written anew with a later time.
    pub(super) fn new(on_record: impl IntoIterator<Item = BucketName>) -> Self {
        let known = Known { failing: true, failed_us: i64::MIN };
        Self { known: Mutex::new(on_record.into_iter().map(|bucket| (bucket, known)).collect()) }
    }

    /// A capture failed; whether the one before did, if the bucket is on record.
    fn failed(&self, bucket: &BucketName, now_us: i64) -> Option<bool> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_mut(bucket).map(|known| std::mem::replace(known, Known { failing: true, failed_us: now_us }).failing)
    }

    /// A capture succeeded; whether the one before failed.
    fn succeeded(&self, bucket: &BucketName) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_mut(bucket).is_some_and(|known| std::mem::replace(&mut known.failing, false))
    }

    /// Whether it is on record, and nothing of it was captured since.
    pub(super) fn is_failing(&self, bucket: &BucketName) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).is_some_and(|known| known.failing)
    }

    fn add(&self, bucket: &BucketName, now_us: i64) {
        let known = Known { failing: true, failed_us: now_us };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.clone(), known);
    }

    /// The bucket is not on record any more; whether a capture has failed since `begun_us`.
    fn forget(&self, bucket: &BucketName, begun_us: i64) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(bucket);
        known.is_some_and(|known| known.failed_us >= begun_us)
    }
}

impl Capture {
    /// Puts a bucket on record as dirty and returns once that is acknowledged; does nothing if it is on record.
    pub(super) async fn mark_dirty(&self, slot: &mut Slot, bucket: &BucketName, reason: &str) {
        let now_us = self.parts.clock.now_us();
        match self.dirty.failed(bucket, now_us) {
            Some(true) => return,
            Some(false) => {
                tracing::error!(%bucket, %reason, "bucket cannot be captured again: a sweep has to follow");
                self.parts.observer.dirty(bucket);
                return;
            }
            None => {}
        }
        tracing::error!(%bucket, %reason, "bucket cannot be captured: it is marked dirty, a sweep has to follow");
        let dirty = DirtyBucket { bucket: bucket.clone(), since_us: now_us, reason: reason.to_owned() };
        match serde_json::to_vec(&dirty) {
            Ok(value) => self.control(slot, dirty.key(), value).await,
            Err(error) => tracing::error!(%error, %bucket, "dirty record cannot be encoded"),
        }
        self.dirty.add(bucket, now_us);
        self.parts.observer.dirty(bucket);
    }

    /// A capture of the bucket has succeeded.
    pub(super) fn succeeded(&self, bucket: &BucketName) {
        if self.dirty.succeeded(bucket) {
            tracing::info!(%bucket, "bucket can be captured again; it stays on record as dirty until it is swept");
            self.parts.observer.mended(bucket);
        }
    }

    /// Says that a sweep which began at `begun_us` (microseconds since the Unix epoch) has taken the bucket off the
    /// record: from now on a failure goes on record anew, and one that came while it was under way does so at once.
    pub async fn taken_back(&self, bucket: &BucketName, begun_us: i64) {
        if self.dirty.forget(bucket, begun_us) {
            let reason = "a capture failed while the bucket was swept";
            self.mark_dirty(&mut Slot::free(), bucket, reason).await;
        }
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
