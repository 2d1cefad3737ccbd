//! An index in memory: for tests and simulation. Deterministic; grows without bound.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use twinlog_schemas::{BucketName, ObjectKey, VersionId, VersionRef};

use crate::error::IndexError;
use crate::index::{Expired, Index, Merge};
use crate::key;
use crate::position::{Partition, Position};
use crate::state::VersionState;

/// All states in a map. Dropping it is the wiped folder of the stored one.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By the bytes of [`crate::key`], so that the order is that of the stored index.
    states: BTreeMap<Vec<u8>, VersionState>,
    positions: BTreeMap<Partition, i64>,
    /// Where the next step of expiry goes on: after this key.
    expired_to: Option<Vec<u8>>,
}

impl MemoryIndex {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many versions it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().states.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index for MemoryIndex {
    fn merge(&self, records: &[Merge], position: Option<&Position>) -> Result<(), IndexError> {
        let mut inner = self.lock();
        for record in records {
            record.into_state(inner.states.entry(key::of(&record.version())).or_default());
        }
        if let Some(position) = position {
            let next = inner.positions.entry(position.partition.clone()).or_insert(position.next);
            *next = position.next.max(*next);
        }
        Ok(())
    }

    fn version(&self, version: &VersionRef) -> Result<VersionState, IndexError> {
        Ok(self.lock().states.get(&key::of(version)).cloned().unwrap_or_default())
    }

    fn versions_of(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<BTreeMap<VersionId, VersionState>, IndexError> {
        let prefix = key::prefix(bucket, key);
        let inner = self.lock();
        let range = inner.states.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        Ok(range.filter_map(|(key, state)| Some((key::version_id(key, &prefix)?, state.clone()))).collect())
    }

    fn positions(&self) -> Result<BTreeMap<Partition, i64>, IndexError> {
        Ok(self.lock().positions.clone())
    }

    fn set_position(&self, position: &Position) -> Result<(), IndexError> {
        self.lock().positions.insert(position.partition.clone(), position.next);
        Ok(())
    }

    fn expire(&self, before_ns: i64, limit: usize) -> Result<Expired, IndexError> {
        let mut inner = self.lock();
        let from = inner.expired_to.take().map_or(Bound::Unbounded, Bound::Excluded);
        let step: Vec<_> = inner
            .states
            .range((from, Bound::Unbounded))
            .take(limit.max(1))
            .map(|(key, state)| (key.clone(), state.last_said_at_ns().is_none_or(|at| at < before_ns)))
            .collect();
        let old = step.iter().filter(|(_, old)| *old);
        let dropped = old.clone().count();
        for (key, _) in old {
            inner.states.remove(key);
        }
        let round_done = step.len() < limit.max(1);
        if !round_done {
            inner.expired_to = step.last().map(|(key, _)| key.clone());
        }
        Ok(Expired { looked_at: step.len(), dropped, round_done })
    }
}
