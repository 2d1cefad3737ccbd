//! The log as processes reach it: acknowledgements take a little while, so that others come in between, and so that time
//! passes in whatever goes round in circles.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use twinlog_log::{
    Committed, Log, LogError, Membership, MemoryLog, Position, Reader, Record, TopicInfo, TopicName, TopicPartition,
    TopicSpec, Watermarks,
};

use super::dice::Dice;

/// The way to the log.
pub(super) struct Wire {
    log: MemoryLog,
    dice: Mutex<Dice>,
}

impl Wire {
    pub(super) fn new(log: MemoryLog, dice: Dice) -> Self {
        Self { log, dice: Mutex::new(dice) }
    }
}

#[async_trait]
impl Log for Wire {
    async fn append(&self, record: Record) -> Result<Position, LogError> {
        let position = self.log.append(record).await;
        let delay = self.dice.lock().unwrap_or_else(PoisonError::into_inner).up_to(Duration::from_millis(4));
        tokio::time::sleep(Duration::from_millis(1) + delay).await;
        position
    }

    async fn topics(&self) -> Result<BTreeMap<TopicName, TopicInfo>, LogError> {
        self.log.topics().await
    }

    async fn topic(&self, name: &TopicName) -> Result<Option<TopicInfo>, LogError> {
        self.log.topic(name).await
    }

    async fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        self.log.create_topic(spec).await
    }

    async fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks, LogError> {
        self.log.watermarks(partition).await
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Committed>, LogError> {
        self.log.committed(group, partitions).await
    }

    async fn reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError> {
        self.log.reader(group).await
    }

    async fn join(&self, group: &str, member: &str, topic: &TopicName) -> Result<Box<dyn Membership>, LogError> {
        self.log.join(group, member, topic).await
    }

    async fn flush(&self, deadline: Duration) -> Result<(), LogError> {
        self.log.flush(deadline).await
    }
}
