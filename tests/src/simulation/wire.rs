//! The log as a process reaches it: acknowledgements take a little while, so that others come in between, and so that time
//! passes in whatever goes round in circles; and everything waits while the process is stopped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use twinlog_log::{
    Committed, Fetched, Log, LogError, Mark, Membership, MemoryLog, OwnershipChange, PartitionReader, Position, Pulse,
    Reader, Record, Retention, TopicId, TopicInfo, TopicName, TopicPartition, TopicSpec, Watermarks,
};

use super::dice::Dice;
use super::gate::{Gate, HEARD};
use super::planted::Tongue;

/// The way to the log.
pub(super) struct Wire {
    log: MemoryLog,
    gate: Gate,
    dice: Arc<Mutex<Dice>>,
    tongue: Tongue,
}

impl Wire {
    pub(super) fn new(log: MemoryLog, gate: Gate, dice: Dice, tongue: Tongue) -> Self {
        Self { log, gate, dice: Arc::new(Mutex::new(dice)), tongue }
    }
}

fn up_to(dice: &Mutex<Dice>, longest: u64) -> Duration {
    dice.lock().unwrap_or_else(PoisonError::into_inner).up_to(Duration::from_millis(longest))
}

#[async_trait]
impl Log for Wire {
    async fn append(&self, record: Record) -> Result<Position, LogError> {
        self.gate.pass().await;
        let position = if self.tongue.swallows(&record) {
            let partition = TopicPartition { topic: record.topic, partition: record.partition };
            Ok(Position { partition, offset: -1 })
        } else {
            self.log.append(record).await
        };
        tokio::time::sleep(Duration::from_millis(1) + up_to(&self.dice, 4)).await;
        self.gate.pass().await;
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

    async fn identities(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, TopicId>, LogError> {
        self.log.identities(topics).await
    }

    async fn retention(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, Retention>, LogError> {
        self.log.retention(topics).await
    }

    async fn offset_at(&self, partition: &TopicPartition, at_ms: i64) -> Result<Option<i64>, LogError> {
        self.log.offset_at(partition, at_ms).await
    }

    async fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks, LogError> {
        self.gate.pass().await;
        self.log.watermarks(partition).await
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Committed>, LogError> {
        self.gate.pass().await;
        self.log.committed(group, partitions).await
    }

    async fn reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError> {
        let inner = self.log.reader(group).await?;
        let handed_out = Arc::default();
        Ok(Box::new(WireReader { inner, gate: self.gate.clone(), tongue: self.tongue.clone(), handed_out }))
    }

    async fn join(&self, group: &str, member: &str, topic: &TopicName) -> Result<Box<dyn Membership>, LogError> {
        let inner = self.log.join(group, member, topic).await?;
        let (gate, dice) = (self.gate.clone(), Arc::clone(&self.dice));
        Ok(Box::new(WireMembership { inner, gate, dice, untold: None }))
    }

    async fn flush(&self, deadline: Duration) -> Result<(), LogError> {
        self.log.flush(deadline).await
    }
}

/// The next offset of each partition after those that were handed out.
pub(super) type HandedOut = Arc<Mutex<BTreeMap<TopicPartition, i64>>>;

struct WireReader {
    inner: Box<dyn Reader>,
    gate: Gate,
    tongue: Tongue,
    handed_out: HandedOut,
}

#[async_trait]
impl Reader for WireReader {
    async fn assign(&self, partition: &TopicPartition, offset: i64) -> Result<Box<dyn PartitionReader>, LogError> {
        self.gate.pass().await;
        let inner = self.inner.assign(partition, offset).await?;
        Ok(Box::new(WirePartition { inner, gate: self.gate.clone(), handed_out: Arc::clone(&self.handed_out) }))
    }

    async fn commit(&self, partition: &TopicPartition, commit: &Committed) -> Result<(), LogError> {
        self.gate.pass().await;
        let next = self.handed_out.lock().unwrap_or_else(PoisonError::into_inner).get(partition).copied();
        self.inner.commit(partition, &self.tongue.commits(commit, next)).await
    }
}

struct WirePartition {
    inner: Box<dyn PartitionReader>,
    gate: Gate,
    handed_out: HandedOut,
}

#[async_trait]
impl PartitionReader for WirePartition {
    async fn next(&mut self) -> Result<Fetched, LogError> {
        // Before the record is taken, so that a call that is dropped while the process is stopped loses none.
        self.gate.pass().await;
        let fetched = self.inner.next().await?;
        let at = &fetched.position;
        self.handed_out.lock().unwrap_or_else(PoisonError::into_inner).insert(at.partition.clone(), at.offset + 1);
        Ok(fetched)
    }

    fn partition(&self) -> &TopicPartition {
        self.inner.partition()
    }
}

struct WireMembership {
    inner: Box<dyn Membership>,
    gate: Gate,
    dice: Arc<Mutex<Dice>>,
    /// What the group said while the process was stopped.
    untold: Option<OwnershipChange>,
}

struct WirePulse {
    inner: Arc<dyn Pulse>,
    gate: Gate,
    dice: Arc<Mutex<Dice>>,
}

#[async_trait]
impl Pulse for WirePulse {
    async fn beat(&self) -> Result<bool, LogError> {
        self.gate.pass().await;
        let answer = self.inner.beat().await;
        tokio::time::sleep(up_to(&self.dice, 4)).await;
        self.gate.pass().await;
        answer
    }
}

#[async_trait]
impl Membership for WireMembership {
    fn session(&self) -> Duration {
        self.inner.session()
    }

    fn pulse(&self) -> Arc<dyn Pulse> {
        Arc::new(WirePulse { inner: self.inner.pulse(), gate: self.gate.clone(), dice: Arc::clone(&self.dice) })
    }

    async fn next(&mut self) -> Result<OwnershipChange, LogError> {
        if self.untold.is_none() {
            self.untold = Some(self.inner.next().await?);
        }
        if self.gate.pass().await {
            // Who wakes has not heard yet of what it lost meanwhile, and acts until it does.
            let longest = u64::try_from(HEARD.as_millis()).unwrap_or(0);
            tokio::time::sleep(up_to(&self.dice, longest)).await;
        }
        match self.untold.take() {
            Some(change) => Ok(change),
            None => self.inner.next().await,
        }
    }

    async fn released(&mut self, lanes: &[i32]) -> Result<(), LogError> {
        self.gate.pass().await;
        self.inner.released(lanes).await
    }

    async fn claim(&mut self, lanes: &[i32], mark: Mark) -> Result<BTreeMap<i32, Mark>, LogError> {
        self.gate.pass().await;
        self.inner.claim(lanes, mark).await
    }

    async fn leave(self: Box<Self>) -> Result<(), LogError> {
        self.inner.leave().await
    }
}
