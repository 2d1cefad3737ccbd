//! The state of the in-memory store: buckets, their keys, unfinished uploads, what is told to the outside.
//!
//! Everything that acts on it is a synchronous function with the time as an argument, so that a request can act when it
//! arrives, whoever sent it. Nothing here waits, and nothing calls back.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};
use twinlog_schemas::{BucketName, ObjectKey, VersionId, VersionRef};

use crate::bucket::{BucketState, DefaultRetention, Versioning};

use super::notice::Outbox;
use super::quirks::Quirks;
use super::refusal::Refusal;
use super::stored::{Stored, StoredObject, Versions};
use super::transit::LateRequests;
use super::upload::PendingUpload;

/// How a bucket is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketSetup {
    /// Versioning.
    pub versioning: Versioning,
    /// Object lock.
    pub object_lock: bool,
    /// Default retention, for clients' writes without lock headers.
    pub default_retention: Option<DefaultRetention>,
}

impl BucketSetup {
    /// Versioned, with object lock, without default retention: what replication asks for.
    pub const REPLICATED: Self = Self { versioning: Versioning::Enabled, object_lock: true, default_retention: None };
}

/// One bucket.
pub(super) struct Bucket {
    pub(super) state: BucketState,
    pub(super) subscribed: bool,
    pub(super) keys: BTreeMap<ObjectKey, Versions>,
    pub(super) uploads: BTreeMap<String, PendingUpload>,
}

impl Bucket {
    pub(super) fn get(&self, key: &ObjectKey, id: &VersionId) -> Option<&Stored> {
        self.keys.get(key).and_then(|versions| versions.get(id))
    }

    /// Removes a version; a key without versions is no key.
    pub(super) fn remove(&mut self, key: &ObjectKey, id: &VersionId) -> Option<Stored> {
        let versions = self.keys.get_mut(key)?;
        let removed = versions.remove(id);
        if versions.is_empty() {
            self.keys.remove(key);
        }
        removed
    }

    pub(super) fn object_mut(&mut self, key: &ObjectKey, id: &VersionId) -> Result<&mut StoredObject, Refusal> {
        match self.get(key, id) {
            None => Err(Refusal::NO_SUCH_VERSION),
            Some(stored) if stored.is_marker() => Err(Refusal::IS_MARKER),
            Some(_) => {
                self.keys.get_mut(key).and_then(|versions| versions.object_mut(id)).ok_or(Refusal::NO_SUCH_VERSION)
            }
        }
    }
}

/// The whole store.
pub(super) struct Store {
    pub(super) quirks: Quirks,
    pub(super) buckets: BTreeMap<BucketName, Bucket>,
    pub(super) outbox: Outbox,
    pub(super) late: LateRequests,
    pub(super) min_part_bytes: i64,
    /// Versions whose lock a write with REPLICA status has broken.
    pub(super) broken_locks: Vec<VersionRef>,
    rng: SmallRng,
    last_stamp_ns: i64,
}

impl Store {
    pub(super) fn new(quirks: Quirks, seed: u64, min_part_bytes: i64) -> Self {
        let outbox = Outbox::new(quirks.wording);
        Self {
            quirks,
            buckets: BTreeMap::new(),
            outbox,
            late: LateRequests::default(),
            min_part_bytes,
            broken_locks: Vec::new(),
            rng: SmallRng::seed_from_u64(seed),
            last_stamp_ns: i64::MIN,
        }
    }

    pub(super) fn bucket(&self, name: &BucketName) -> Result<&Bucket, Refusal> {
        self.buckets.get(name).ok_or(Refusal::NO_SUCH_BUCKET)
    }

    pub(super) fn bucket_mut(&mut self, name: &BucketName) -> Result<&mut Bucket, Refusal> {
        self.buckets.get_mut(name).ok_or(Refusal::NO_SUCH_BUCKET)
    }

    pub(super) fn get(&self, version: &VersionRef) -> Result<Option<&Stored>, Refusal> {
        Ok(self.bucket(&version.bucket)?.get(&version.key, &version.version_id))
    }

    pub(super) fn place(&mut self, version: &VersionRef, stored: Stored) -> Result<(), Refusal> {
        let last_arrival_first = self.quirks.last_arrival_first;
        let bucket = self.bucket_mut(&version.bucket)?;
        bucket.keys.entry(version.key.clone()).or_default().place(stored, last_arrival_first);
        Ok(())
    }

    pub(super) fn create_bucket(&mut self, name: &BucketName, setup: BucketSetup, now_ns: i64) {
        let state = BucketState {
            created_ms: Some(now_ns.div_euclid(1_000_000)),
            versioning: setup.versioning,
            object_lock: setup.object_lock,
            default_retention: setup.default_retention,
            default_encryption: false,
            own_replication: false,
        };
        let bucket = Bucket { state, subscribed: false, keys: BTreeMap::new(), uploads: BTreeMap::new() };
        self.buckets.insert(name.clone(), bucket);
    }

    /// A time of this store that no other event of it has: now, or a nanosecond after the last one given.
    pub(super) fn stamp(&mut self, now_ns: i64) -> i64 {
        self.last_stamp_ns = now_ns.max(self.last_stamp_ns.saturating_add(1));
        self.last_stamp_ns
    }

    /// A fresh random id in the form of a UUID v4.
    pub(super) fn fresh_id(&mut self) -> String {
        let mut bytes = [0u8; 16];
        self.rng.fill_bytes(&mut bytes);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex = hex::encode(bytes);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    pub(super) fn fresh_version_id(&mut self) -> VersionId {
        VersionId::normal(Some(&self.fresh_id())).unwrap_or_else(|_| VersionId::null())
    }
}
