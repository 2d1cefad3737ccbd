//! The contract that the rest of Twinlog has with a log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};

use crate::error::{LogError, LogErrorKind};
use crate::mark::Mark;
use crate::record::{Fetched, Position, Record};
use crate::topic::{Retention, TopicId, TopicInfo, TopicName, TopicPartition, TopicSpec};

/// Partitions of whose ends is asked at a time.
const AT_ONCE: usize = 64;

/// One Kafka cluster (or the in-memory log).
///
/// - **Durability**: [`append`](Log::append) resolves once all in-sync replicas have the record (`acks=all`); an error
///   means that it may or may not stand in the log. Dropping the future does not take the record back.
/// - **Order**: appends to one partition stand in the order in which `append` was *first polled*; the implementation
///   retries transient broker errors itself (idempotent producer), without reordering and without duplicates; but what
///   was under way in several batches as its broker was restarted may stand there twice, again in order: of each producer
///   and partition, Kafka's snapshot of producers remembers the last batch only.
/// - **Who retries**: `append` keeps trying while the broker is away, up to the configured delivery time-out, then
///   answers a transient error; from there the caller decides.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Appends one record and waits for the acknowledgement.
    async fn append(&self, record: Record) -> Result<Position, LogError>;

    /// The topics that exist (internal ones left out), with partition counts and the settings that Twinlog cares for.
    async fn topics(&self) -> Result<BTreeMap<TopicName, TopicInfo>, LogError>;

    /// The topics as they were within the last two seconds: a cluster has anybody's, and is asked for all of them each time.
    async fn topics_lately(&self) -> Result<BTreeMap<TopicName, TopicInfo>, LogError> {
        self.topics().await
    }

    /// One topic, or `None` if it does not exist. Never creates.
    async fn topic(&self, name: &TopicName) -> Result<Option<TopicInfo>, LogError>;

    /// How many partitions a topic has, or had within the last ten seconds; `None` if it does not exist.
    async fn partitions_lately(&self, name: &TopicName) -> Result<Option<i32>, LogError> {
        Ok(self.topic(name).await?.map(|info| info.partitions))
    }

    /// Creates a topic. An existing topic of this name is an error of kind [`crate::LogErrorKind::TopicExists`].
    async fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError>;

    /// Which topics these are, beyond their names. Topics that do not exist are left out, and all are by a cluster that
    /// has no ids.
    async fn identities(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, TopicId>, LogError>;

    /// What these topics keep, as the cluster has it now. Topics that do not exist are left out.
    async fn retention(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, Retention>, LogError>;

    /// First offset and next offset of a partition. Cheap to ask of many partitions at once.
    async fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks, LogError>;

    /// The offset of the first record of a partition whose time is `at_ms` (milliseconds since the Unix epoch) or later;
    /// `None` where there is none.
    async fn offset_at(&self, partition: &TopicPartition, at_ms: i64) -> Result<Option<i64>, LogError>;

    /// What `group` has committed for these partitions; partitions without a commit are left out.
    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Committed>, LogError>;

    /// A reader that commits under `group`; the group never has members, so its lag shows in every Kafka tool and
    /// nothing is ever rebalanced. Readers are independent of each other; one per purpose.
    async fn reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError>;

    /// A [`reader`](Log::reader) for one partition, which stays the same: one that is assigned, or has room again, while
    /// others are idle waits for up to five seconds. An idle one costs the brokers a fifth.
    async fn steady_reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError> {
        self.reader(group).await
    }

    /// A [`reader`](Log::reader) whose records may come a second late while there are few: cheaper for the brokers.
    async fn unhurried_reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError> {
        self.reader(group).await
    }

    /// Joins `group` over the partitions of `topic` (a lanes topic, which holds no data): the group's protocol decides
    /// which process owns which lane.
    async fn join(&self, group: &str, member: &str, topic: &TopicName) -> Result<Box<dyn Membership>, LogError>;

    /// Waits until everything appended is acknowledged, or `deadline` has passed (then an error that counts what is
    /// still in flight).
    async fn flush(&self, deadline: std::time::Duration) -> Result<(), LogError>;
}

impl dyn Log {
    /// The ends of many partitions; of one that could not be told, why.
    pub async fn ends(&self, partitions: &[TopicPartition]) -> BTreeMap<TopicPartition, Result<Watermarks, LogError>> {
        let all: Vec<_> = partitions.iter().map(|at| async move { (at.clone(), self.watermarks(at).await) }).collect();
        stream::iter(all).buffer_unordered(AT_ONCE).collect().await
    }

    /// The partitions of a topic, as many as it had lately, with their ends; `None` if it does not exist.
    pub async fn ends_of(&self, topic: &TopicName) -> Result<Option<BTreeMap<TopicPartition, Watermarks>>, LogError> {
        let Some(count) = self.partitions_lately(topic).await? else { return Ok(None) };
        let partitions = (0..count).map(|partition| TopicPartition { topic: topic.clone(), partition });
        let ends = self.ends(&partitions.collect::<Vec<_>>()).await;
        let ends: Result<_, LogError> = ends.into_iter().map(|(partition, ends)| Ok((partition, ends?))).collect();
        match ends {
            // Deleted meanwhile.
            Err(error) if error.kind == LogErrorKind::UnknownTopic && self.topic(topic).await?.is_none() => Ok(None),
            ends => ends.map(Some),
        }
    }
}

/// Reads partitions that the caller assigns by hand.
///
/// - Records of one partition come in offset order, each at least once per assignment; offsets may have gaps.
/// - Fetching is held back by bounded queues: a [`PartitionReader`] that nobody reads stops its partition's fetching
///   and no other's. Polling goes on in the background whatever the caller does.
#[async_trait]
pub trait Reader: Send + Sync {
    /// Assigns one partition from `offset` on and returns its stream. Dropping the [`PartitionReader`] unassigns it; so does
    /// dropping this call before it has answered.
    /// Where others are assigned already and have nothing to read, its first record may come a second late.
    /// An `offset` that the log no longer has (or does not have yet) is an error of kind
    /// [`crate::LogErrorKind::OffsetOutOfRange`] from the stream, never a silent jump.
    async fn assign(&self, partition: &TopicPartition, offset: i64) -> Result<Box<dyn PartitionReader>, LogError>;

    /// Assigns several at once, each as [`assign`](Reader::assign) does; in the order asked. An error of one is one of all.
    async fn assign_all(&self, wanted: &[(TopicPartition, i64)]) -> Result<Vec<Box<dyn PartitionReader>>, LogError> {
        let mut readers = Vec::with_capacity(wanted.len());
        for (partition, offset) in wanted {
            readers.push(self.assign(partition, *offset).await?);
        }
        Ok(readers)
    }

    /// Commits, under the reader's group, the *next* offset to read and the metadata of the ledger.
    async fn commit(&self, partition: &TopicPartition, commit: &Committed) -> Result<(), LogError>;
}

/// The records of one assigned partition.
#[async_trait]
pub trait PartitionReader: Send {
    /// The next record; waits for one. Cancel-safe. Transient errors are retried inside.
    async fn next(&mut self) -> Result<Fetched, LogError>;

    /// Which partition this is.
    fn partition(&self) -> &TopicPartition;
}

/// A place in the group that decides who owns which lane.
#[async_trait]
pub trait Membership: Send {
    /// For how long after a sign of life of this member nobody else is given what it owns: the group's session time-out.
    fn session(&self) -> Duration;

    /// Asks after this place beside everything else that goes on; ends with it.
    fn pulse(&self) -> Arc<dyn Pulse>;

    /// The next change of ownership; waits for one. Cancel-safe. The first one is the first assignment.
    async fn next(&mut self) -> Result<OwnershipChange, LogError>;

    /// Says that revoked lanes have been drained and committed; the group's rebalance waits for this, bounded by the
    /// group's time-out. Has no effect after [`OwnershipChange::Lost`].
    async fn released(&mut self, lanes: &[i32]) -> Result<(), LogError>;

    /// Puts `mark` on lanes owned all the while, and returns the marks that stood there before. From a member that has
    /// lost them it is refused, however late it arrives, or the answer is an error. So an owner that finds the mark of
    /// its own last claim knows that nobody else has claimed the lane since. After an error it may or may not stand.
    async fn claim(&mut self, lanes: &[i32], mark: Mark) -> Result<BTreeMap<i32, Mark>, LogError>;

    /// Leaves the group at once, so that others need not wait for the session time-out. Does not wait for other members.
    async fn leave(self: Box<Self>) -> Result<(), LogError>;
}

/// Asks the group whether a member is one still.
#[async_trait]
pub trait Pulse: Send + Sync {
    /// Gives a sign of life. `true`: the group has taken it from the owner of every lane that was claimed and not released
    /// since; `false`: no lane is claimed. From a member that has lost its lanes it is refused, however late it arrives,
    /// or the answer is an error.
    async fn beat(&self) -> Result<bool, LogError>;
}

/// What happened to the ownership of lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnershipChange {
    /// These lanes are owned from now on, besides those owned before.
    Acquired(Vec<i32>),
    /// These lanes are to be drained, committed and then [`Membership::released`].
    Revoked(Vec<i32>),
    /// These lanes are owned by somebody else already (session lost): stop at once, commit nothing.
    Lost(Vec<i32>),
}

/// A committed offset with the ledger's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: i64,
    /// The ledger's finished offsets above it, encoded (see the ledger); at most Kafka's 4,096 bytes.
    pub metadata: String,
}

/// The ends of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that the log still has.
    pub first: i64,
    /// The offset that the next record will have.
    pub next: i64,
}
