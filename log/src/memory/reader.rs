//! Reading partitions of the in-memory log.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::Shared;
use crate::contract::{Committed, PartitionReader, Reader};
use crate::error::{LogError, LogErrorKind};
use crate::record::Fetched;
use crate::topic::TopicPartition;

type Assigned = Arc<Mutex<BTreeSet<TopicPartition>>>;

pub(super) struct MemoryReader {
    shared: Arc<Shared>,
    group: String,
    /// What is assigned now; a partition reader takes itself out when dropped.
    assigned: Assigned,
}

impl MemoryReader {
    pub(super) fn new(shared: Arc<Shared>, group: String) -> Self {
        Self { shared, group, assigned: Assigned::default() }
    }
}

#[async_trait]
impl Reader for MemoryReader {
    async fn assign(&self, partition: &TopicPartition, offset: i64) -> Result<Box<dyn PartitionReader>, LogError> {
        let woken = {
            let mut state = self.shared.state();
            state.partition("assign", partition)?;
            state.woken.entry(partition.clone()).or_default().clone()
        };
        if !self.assigned.lock().unwrap_or_else(PoisonError::into_inner).insert(partition.clone()) {
            return Err(LogError::new(
                "assign",
                partition,
                LogErrorKind::Fatal,
                "it is assigned to this reader already",
            ));
        }
        Ok(Box::new(MemoryPartitionReader {
            shared: self.shared.clone(),
            assigned: self.assigned.clone(),
            woken,
            partition: partition.clone(),
            position: offset,
        }))
    }

    async fn commit(&self, partition: &TopicPartition, commit: &Committed) -> Result<(), LogError> {
        let mut state = self.shared.state();
        state.partition("commit", partition)?;
        if commit.metadata.len() > crate::ledger::METADATA_LIMIT {
            return Err(LogError::new("commit", partition, LogErrorKind::Fatal, "metadata longer than 4096 bytes"));
        }
        state.commits.entry(self.group.clone()).or_default().insert(partition.clone(), commit.clone());
        Ok(())
    }
}

struct MemoryPartitionReader {
    shared: Arc<Shared>,
    assigned: Assigned,
    woken: Arc<Notify>,
    partition: TopicPartition,
    /// The lowest offset that may come next.
    position: i64,
}

impl MemoryPartitionReader {
    fn look(&mut self) -> Result<Option<Fetched>, LogError> {
        let mut state = self.shared.state();
        let log = state.partition("read", &self.partition)?;
        let marks = log.watermarks();
        if self.position < marks.first || self.position > marks.next {
            let why =
                format!("offset {} is not in the log, which has {} to {}", self.position, marks.first, marks.next);
            return Err(LogError::new("read", &self.partition, LogErrorKind::OffsetOutOfRange, why));
        }
        let found = log.at_or_above(self.position, &self.partition);
        if let Some(fetched) = &found {
            self.position = fetched.position.offset + 1;
        }
        Ok(found)
    }
}

#[async_trait]
impl PartitionReader for MemoryPartitionReader {
    async fn next(&mut self) -> Result<Fetched, LogError> {
        let changes = self.woken.clone();
        loop {
            // Registered before looking, so that an append in between is not missed.
            let mut woken = std::pin::pin!(changes.notified());
            woken.as_mut().enable();
            if let Some(fetched) = self.look()? {
                return Ok(fetched);
            }
            woken.await;
        }
    }

    fn partition(&self) -> &TopicPartition {
        &self.partition
    }
}

impl Drop for MemoryPartitionReader {
    fn drop(&mut self) {
        self.assigned.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.partition);
    }
}
