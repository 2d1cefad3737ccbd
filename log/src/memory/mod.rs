//! The in-memory log: the same behaviour as a cluster, deterministic, for simulation and unit tests.
//!
//! Everything happens at the first poll of a call, under one lock; waiting is by `Notify` alone. No threads, no timers,
//! no randomness: it runs on a paused current-thread runtime and does the same thing every time. What a cluster does
//! by itself in its own time happens here when asked: [`MemoryLog::compact`], [`MemoryLog::trim`],
//! [`MemoryLog::delete_topic`], [`MemoryLog::expel`].

mod group;
mod partition_log;
mod reader;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::contract::{Committed, Log, Membership, Reader, Watermarks};
use crate::error::{LogError, LogErrorKind};
use crate::record::{Fetched, Position, Record};
use crate::topic::{Cleanup, Retention, TopicId, TopicInfo, TopicName, TopicPartition, TopicSpec};
pub use group::SESSION;
use group::{Group, MemoryMembership};
use partition_log::PartitionLog;
use reader::MemoryReader;

/// A topic for tests: one replica, nothing is ever deleted.
#[must_use]
pub fn spec(name: TopicName, partitions: i32) -> TopicSpec {
    TopicSpec {
        name,
        partitions,
        replication_factor: 1,
        min_insync_replicas: 1,
        cleanup: Cleanup::Delete,
        retention_ms: -1,
        retention_bytes: -1,
        max_message_bytes: 1 << 20,
    }
}

/// A log in memory. Clones share it, as clients share a cluster.
#[derive(Clone, Default)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Woken by every change of a group.
    groups: Notify,
}

#[derive(Default)]
struct State {
    topics: BTreeMap<TopicName, Topic>,
    commits: BTreeMap<String, BTreeMap<TopicPartition, Committed>>,
    groups: BTreeMap<String, Group>,
    /// Topics ever created: the ids of those to come.
    created: u128,
    /// One per partition that is or was read, outliving its topic; woken by every append, trim, deletion and creation
    /// there, upon which readers look for themselves.
    woken: BTreeMap<TopicPartition, Arc<Notify>>,
}

struct Topic {
    spec: TopicSpec,
    id: TopicId,
    partitions: Vec<PartitionLog>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn partition(&mut self, operation: &'static str, at: &TopicPartition) -> Result<&mut PartitionLog, LogError> {
        let unknown = || LogError::new(operation, at, LogErrorKind::UnknownTopic, "no such topic or partition");
        let topic = self.topics.get_mut(&at.topic).ok_or_else(unknown)?;
        usize::try_from(at.partition).ok().and_then(|p| topic.partitions.get_mut(p)).ok_or_else(unknown)
    }

    fn wake(&self, at: &TopicPartition) {
        if let Some(woken) = self.woken.get(at) {
            woken.notify_waiters();
        }
    }

    fn wake_topic(&self, topic: &TopicName) {
        self.woken.iter().filter(|(at, _)| at.topic == *topic).for_each(|(_, woken)| woken.notify_waiters());
    }
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything that stands in a partition, in order: for assertions.
    #[must_use]
    pub fn records(&self, at: &TopicPartition) -> Vec<Fetched> {
        let mut state = self.shared.state();
        state.partition("read", at).map(|partition| partition.all(at)).unwrap_or_default()
    }

    /// Compacts a topic now: of each key the last record stays; with `drop_tombstones` no tombstone does. Offsets keep
    /// their gaps.
    pub fn compact(&self, topic: &TopicName, drop_tombstones: bool) {
        if let Some(topic) = self.shared.state().topics.get_mut(topic) {
            topic.partitions.iter_mut().for_each(|partition| partition.compact(drop_tombstones));
        }
    }

    /// Deletes the records of a partition below `before`, as retention does.
    pub fn trim(&self, at: &TopicPartition, before: i64) -> Result<(), LogError> {
        let mut state = self.shared.state();
        state.partition("trim", at)?.trim(before);
        state.wake(at);
        Ok(())
    }

    /// Raises the number of partitions, as Kafka's tools do on a running topic.
    pub fn add_partitions(&self, topic: &TopicName, partitions: i32) {
        let mut state = self.shared.state();
        if let Some(topic) = state.topics.get_mut(topic) {
            let like = topic.partitions.first().map(|first| (first.compacted, first.max_message_bytes));
            let (compacted, max_message_bytes) = like.unwrap_or((false, 1 << 20));
            let more = usize::try_from(partitions).unwrap_or(0);
            while topic.partitions.len() < more {
                topic.partitions.push(PartitionLog::new(compacted, max_message_bytes));
            }
            topic.spec.partitions = topic.spec.partitions.max(partitions);
        }
    }

    /// Leaves out one offset: the next record of the partition stands one further, as after a transaction marker.
    pub fn skip_offset(&self, at: &TopicPartition) -> Result<(), LogError> {
        self.shared.state().partition("skip an offset of", at)?.skip();
        Ok(())
    }

    /// Deletes a topic with its records and commits. Its readers get an error of kind `UnknownTopic`.
    pub fn delete_topic(&self, topic: &TopicName) {
        let mut state = self.shared.state();
        state.topics.remove(topic);
        state.commits.values_mut().for_each(|commits| commits.retain(|at, _| at.topic != *topic));
        state.wake_topic(topic);
    }

    /// Throws a member out of its group, as a broker does with one whose session has timed out: others own its lanes
    /// at once, it is told [`crate::OwnershipChange::Lost`] when it looks. It stays out until
    /// [`readmitted`](Self::readmit).
    pub fn expel(&self, group: &str, member: &str) {
        if let Some(group) = self.shared.state().groups.get_mut(group) {
            group.expel(member);
        }
        self.shared.groups.notify_waiters();
    }

    /// Lets an expelled member join again, as a client does by itself once it runs again.
    pub fn readmit(&self, group: &str, member: &str) {
        if let Some(group) = self.shared.state().groups.get_mut(group) {
            group.readmit(member);
        }
        self.shared.groups.notify_waiters();
    }

    /// Who owns which lane of a group, lanes being handed over included: for assertions.
    #[must_use]
    pub fn owners(&self, group: &str) -> BTreeMap<i32, String> {
        self.shared.state().groups.get(group).map(Group::owners).unwrap_or_default()
    }
}

#[async_trait]
impl Log for MemoryLog {
    async fn append(&self, record: Record) -> Result<Position, LogError> {
        let partition = TopicPartition { topic: record.topic.clone(), partition: record.partition };
        let mut state = self.shared.state();
        let log = state.partition("append to", &partition)?;
        let refuse = |kind, why: String| Err(LogError::new("append to", &partition, kind, why));
        let size = record_size(&record);
        if size > log.max_message_bytes {
            return refuse(LogErrorKind::TooLarge, format!("{size} bytes, {} allowed", log.max_message_bytes));
        }
        if log.compacted && record.key.is_none() {
            return refuse(LogErrorKind::Fatal, "a record of a compacted topic needs a key".to_owned());
        }
        let offset = log.append(record);
        state.wake(&partition);
        Ok(Position { partition, offset })
    }

    async fn topics(&self) -> Result<BTreeMap<TopicName, TopicInfo>, LogError> {
        Ok(self.shared.state().topics.iter().map(|(name, topic)| (name.clone(), info(topic))).collect())
    }

    async fn topic(&self, name: &TopicName) -> Result<Option<TopicInfo>, LogError> {
        Ok(self.shared.state().topics.get(name).map(info))
    }

    async fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        let refuse = |kind, why| Err(LogError::new("create topic", &spec.name, kind, why));
        let mut state = self.shared.state();
        if state.topics.contains_key(&spec.name) {
            return refuse(LogErrorKind::TopicExists, "it exists already");
        }
        if spec.partitions < 1 || spec.replication_factor < 1 {
            return refuse(LogErrorKind::Fatal, "partitions and replication factor must be at least 1");
        }
        let compacted = matches!(spec.cleanup, Cleanup::Compact | Cleanup::CompactDelete);
        let max_message_bytes = usize::try_from(spec.max_message_bytes).unwrap_or(0);
        let partitions = (0..spec.partitions).map(|_| PartitionLog::new(compacted, max_message_bytes)).collect();
        state.created += 1;
        let id = TopicId(state.created);
        state.topics.insert(spec.name.clone(), Topic { spec: spec.clone(), id, partitions });
        state.wake_topic(&spec.name);
        Ok(())
    }

    async fn identities(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, TopicId>, LogError> {
        let state = self.shared.state();
        Ok(topics.iter().filter_map(|name| Some((name.clone(), state.topics.get(name)?.id))).collect())
    }

    async fn retention(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, Retention>, LogError> {
        let state = self.shared.state();
        let of = |topic: &Topic| Retention {
            ms: Some(topic.spec.retention_ms).filter(|ms| *ms >= 0),
            bytes: Some(topic.spec.retention_bytes).filter(|bytes| *bytes >= 0),
        };
        Ok(topics.iter().filter_map(|name| Some((name.clone(), of(state.topics.get(name)?)))).collect())
    }

    async fn offset_at(&self, partition: &TopicPartition, at_ms: i64) -> Result<Option<i64>, LogError> {
        Ok(self.shared.state().partition("look up a time in", partition)?.offset_at(at_ms))
    }

    async fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks, LogError> {
        self.shared.state().partition("watermarks of", partition).map(|log| log.watermarks())
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Committed>, LogError> {
        let state = self.shared.state();
        let Some(commits) = state.commits.get(group) else { return Ok(BTreeMap::new()) };
        Ok(partitions.iter().filter_map(|at| commits.get_key_value(at)).map(|(a, c)| (a.clone(), c.clone())).collect())
    }

    async fn reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(MemoryReader::new(self.shared.clone(), group.to_owned())))
    }

    async fn join(&self, group: &str, member: &str, topic: &TopicName) -> Result<Box<dyn Membership>, LogError> {
        let mut state = self.shared.state();
        let Some(lanes) = state.topics.get(topic).map(|topic| topic.spec.partitions) else {
            return Err(LogError::new("join over", topic, LogErrorKind::UnknownTopic, "no such topic"));
        };
        let id = state.groups.entry(group.to_owned()).or_default().join(member, lanes);
        drop(state);
        self.shared.groups.notify_waiters();
        Ok(Box::new(MemoryMembership::new(self.shared.clone(), group.to_owned(), id)))
    }

    async fn flush(&self, _deadline: Duration) -> Result<(), LogError> {
        Ok(())
    }
}

fn info(topic: &Topic) -> TopicInfo {
    TopicInfo { partitions: topic.spec.partitions, replication_factor: topic.spec.replication_factor }
}

fn record_size(record: &Record) -> usize {
    let headers: usize = record.headers.0.iter().map(|(name, value)| name.len() + value.len()).sum();
    headers + record.key.as_ref().map_or(0, bytes::Bytes::len) + record.value.as_ref().map_or(0, bytes::Bytes::len)
}

#[cfg(test)]
mod tests;
