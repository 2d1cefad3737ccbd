//! A Kafka cluster behind the log's contract, on librdkafka.
//!
//! Tasks and threads: one task and one thread for the producer, two tasks for the client that asks for metadata and one
//! per partition that is asked about alone, one task per membership and two per reader, each ending with its handle;
//! besides librdkafka's own threads per client.
//! Everything that blocks runs on tokio's blocking threads. Needs a running tokio runtime with time and I/O.

mod admin;
mod asking;
mod bootstrap;
mod committing;
mod config;
mod context;
mod convert;
mod elsewhere;
mod ends;
mod error;
mod identity;
mod membership;
mod producer;
mod reader;
mod seen;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::Offset;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;

use crate::backoff::Backoff;
use crate::contract::{Committed, Log, Membership, Reader, Watermarks};
use crate::error::{LogError, LogErrorKind};
use crate::record::{Position, Record};
use crate::topic::{Retention, TopicId, TopicInfo, TopicName, TopicPartition, TopicSpec};
use admin::Administering;
use asking::Asking;
pub use config::KafkaConfig;
use config::Pace;
use context::Told;
use elsewhere::{Held, ask_elsewhere};
use ends::Ends;
use error::{kind_of, log_error, log_error_told};
use membership::KafkaMembership;
use producer::Producer;
use reader::{Client, KafkaReader};

/// How long a topic that the controller has made may stay unknown to the broker that answers: each question has its own
/// patience, and brokers with much to do learn of it late.
const SEEN: Duration = Duration::from_secs(30);

/// One cluster. Dropping it ends its clients in the background; [`Log::flush`] first, or what is not acknowledged
/// within a few seconds is lost.
pub struct KafkaLog {
    config: KafkaConfig,
    asking: Arc<Asking>,
    ends: Ends,
    producer: Producer,
    admin: Administering,
    /// The clients of live readers, by group: questions about the group's commits go through them.
    readers: Mutex<BTreeMap<String, Weak<StreamConsumer<Told>>>>,
}

impl KafkaLog {
    /// Starts the clients. Brokers need not be there yet: wrong settings are an error here, an absent broker is a
    /// transient error of the first request.
    pub async fn connect(config: KafkaConfig) -> Result<Self, LogError> {
        let asking = Arc::new(Asking::start(&config)?);
        let ends = Ends::start(asking.clone());
        let producer = Producer::start(&config)?;
        let admin = Administering::new(&config);
        Ok(Self { config, asking, ends, producer, admin, readers: Mutex::default() })
    }

    /// The settings that it was connected with.
    #[must_use]
    pub fn config(&self) -> &KafkaConfig {
        &self.config
    }

    /// Deletes the records of a partition below `before`, as retention does: for tests.
    pub async fn trim(&self, partition: &TopicPartition, before: i64) -> Result<(), LogError> {
        admin::trim(&self.admin, partition, before).await
    }

    /// Sets one setting of a topic and the others to their defaults: for tests.
    pub async fn set(&self, name: &TopicName, setting: &str, value: &str) -> Result<(), LogError> {
        admin::set(&self.admin, name, setting, value).await
    }

    /// Raises the number of partitions, as Kafka's own tools do: for tests.
    pub async fn add_partitions(&self, name: &TopicName, partitions: usize) -> Result<(), LogError> {
        admin::add_partitions(&self.admin, name, partitions).await
    }

    /// Deletes a topic with all its records: for tests.
    pub async fn delete_topic(&self, name: &TopicName) -> Result<(), LogError> {
        admin::delete_topic(&self.admin, name).await
    }

    fn reader_at(&self, group: &str, pace: Pace) -> Result<Box<dyn Reader>, LogError> {
        let (client, told) = self.client_of(group, false, pace)?;
        Ok(Box::new(KafkaReader::start(client, told, self.asking.clone(), self.config.request_timeout)))
    }

    /// A client of `group`: that of a live reader, else a new one.
    fn client_of(&self, group: &str, reuse: bool, pace: Pace) -> Result<(Client, Told), LogError> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|_, client| client.strong_count() > 0);
        if let Some(client) = readers.get(group).filter(|_| reuse).and_then(Weak::upgrade) {
            let told = Told::clone(client.client().context());
            return Ok((Held::new(client), told));
        }
        let (told, down) = Told::new();
        let client = StreamConsumer::from_config_and_context(&self.config.reader(group, pace), told.clone())
            .map_err(|error| log_error("read as", group, &error))?;
        let client = Arc::new(client);
        bootstrap::keep(down, &self.config.brokers, &client, |client| client.client());
        readers.insert(group.to_owned(), Arc::downgrade(&client));
        Ok((Held::new(client), told))
    }
}

#[async_trait]
impl Log for KafkaLog {
    async fn append(&self, record: Record) -> Result<Position, LogError> {
        self.producer.append(record).await
    }

    async fn topics(&self) -> Result<BTreeMap<TopicName, TopicInfo>, LogError> {
        self.asking.topics().await
    }

    async fn topics_lately(&self) -> Result<BTreeMap<TopicName, TopicInfo>, LogError> {
        match self.asking.listed() {
            Some(topics) => Ok(topics),
            None => self.asking.topics().await,
        }
    }

    async fn topic(&self, name: &TopicName) -> Result<Option<TopicInfo>, LogError> {
        self.asking.topic(name).await
    }

    async fn partitions_lately(&self, name: &TopicName) -> Result<Option<i32>, LogError> {
        self.asking.partitions(name).await
    }

    async fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        let _client = admin::create_topic(&self.admin, spec).await?;
        // The controller has it; the brokers learn of it a moment later.
        let seen = async {
            let mut delays = Backoff::new(Duration::from_millis(10), Duration::from_millis(500)).delays(0);
            while self.asking.topic(&spec.name).await?.is_none_or(|info| info.partitions < spec.partitions) {
                delays.wait().await;
            }
            Ok(())
        };
        let late = || LogError::new("create topic", &spec.name, LogErrorKind::Transient, "created, but not seen yet");
        tokio::time::timeout(SEEN, seen).await.map_err(|_| late())?
    }

    async fn identities(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, TopicId>, LogError> {
        self.asking.identities(topics).await
    }

    async fn retention(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, Retention>, LogError> {
        admin::retention(&self.admin, topics).await
    }

    async fn offset_at(&self, partition: &TopicPartition, at_ms: i64) -> Result<Option<i64>, LogError> {
        self.asking.offset_at(partition, at_ms).await
    }

    async fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks, LogError> {
        // librdkafka waits for an unknown topic until its time is up.
        self.asking.must_exist("watermarks of", partition).await?;
        self.ends.of(partition).await
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Committed>, LogError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (client, told) = self.client_of(group, true, Pace::Prompt)?;
        let wrong = |error: &KafkaError| log_error_told("commits of", group, error, &told);
        let asked = convert::list(partitions.iter().map(|at| (at, Offset::Invalid))).map_err(|error| wrong(&error))?;
        let timeout = self.config.request_timeout;
        let ask = move || client.committed_offsets(asked.clone(), timeout);
        let answer = ask_elsewhere("commits of", group, timeout, ask, wrong).await?;
        let mut committed = BTreeMap::new();
        for at in partitions {
            let Some(found) = answer.find_partition(at.topic.as_str(), at.partition) else { continue };
            if let Err(error) = found.error()
                && error.rdkafka_error_code().map(kind_of) != Some(LogErrorKind::UnknownTopic)
            {
                return Err(wrong(&error));
            }
            if let Offset::Offset(offset) = found.offset() {
                committed.insert(at.clone(), Committed { offset, metadata: found.metadata().to_owned() });
            }
        }
        Ok(committed)
    }

    async fn reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError> {
        self.reader_at(group, Pace::Prompt)
    }

    async fn steady_reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError> {
        self.reader_at(group, Pace::Steady)
    }

    async fn unhurried_reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError> {
        self.reader_at(group, Pace::Unhurried)
    }

    async fn join(&self, group: &str, member: &str, topic: &TopicName) -> Result<Box<dyn Membership>, LogError> {
        self.asking.must_exist("join over", &TopicPartition { topic: topic.clone(), partition: 0 }).await?;
        Ok(Box::new(KafkaMembership::start(&self.config, group, member, topic)?))
    }

    async fn flush(&self, deadline: Duration) -> Result<(), LogError> {
        self.producer.flush(deadline).await
    }
}
