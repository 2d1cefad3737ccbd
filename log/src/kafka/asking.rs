//! The client that only asks: which topics exist, what stands where. It never creates a topic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{IsError, KafkaError, KafkaResult};
use rdkafka::metadata::MetadataTopic;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::bootstrap;
use super::config::KafkaConfig;
use super::context::Told;
use super::convert::list;
use super::elsewhere::{Held, run_elsewhere};
use super::error::{kind_of, log_error, log_error_told};
use super::identity;
use super::seen::Seen;
use crate::error::{LogError, LogErrorKind};
use crate::topic::{TopicId, TopicInfo, TopicName, TopicPartition};

pub(super) struct Asking {
    client: Held<Arc<StreamConsumer<Told>>>,
    told: Told,
    timeout: Duration,
    brokers: String,
    seen: Seen,
    /// Serves the client's log and error events.
    _events: AbortOnDropHandle<()>,
}

impl Asking {
    pub(super) fn start(config: &KafkaConfig) -> Result<Self, LogError> {
        let (told, down) = Told::new();
        let client = StreamConsumer::from_config_and_context(&config.asking(), told.clone())
            .map_err(|error| log_error("connect to", &config.brokers, &error))?;
        let client = Held::new(Arc::new(client));
        bootstrap::keep(down, &config.brokers, &client, |client| client.client());
        let served = client.clone();
        let events = tokio::spawn(async move {
            loop {
                if let Err(error) = served.recv().await {
                    tracing::debug!(%error, "the metadata client reports an error");
                }
            }
        });
        let (timeout, brokers) = (config.request_timeout, config.brokers.clone());
        let (seen, events) = (Seen::default(), AbortOnDropHandle::new(events));
        Ok(Self { client, told, timeout, brokers, seen, _events: events })
    }

    pub(super) fn client(&self) -> Held<Arc<StreamConsumer<Told>>> {
        self.client.clone()
    }

    pub(super) fn told(&self) -> &Told {
        &self.told
    }

    /// How long a question may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn brokers(&self) -> &str {
        &self.brokers
    }

    pub(super) async fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        subject: String,
        question: impl FnOnce(&StreamConsumer<Told>, Duration) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, LogError> {
        let (client, timeout) = (self.client.clone(), self.timeout);
        let answer = run_elsewhere(operation, &subject, move || question(&client, timeout)).await?;
        answer.inspect(|_| self.told.forget()).map_err(|error| log_error_told(operation, subject, &error, &self.told))
    }

    /// All topics but Kafka's internal ones, and those that this principal may not describe.
    pub(super) async fn topics(&self) -> Result<BTreeMap<TopicName, TopicInfo>, LogError> {
        let topics = self.ask("list topics of", self.brokers.clone(), |client, timeout| {
            let metadata = client.fetch_metadata(None, timeout)?;
            let shown = metadata.topics().iter().filter(|topic| !topic.name().starts_with("__"));
            let described = shown.filter_map(|topic| Some((TopicName::new(topic.name()).ok()?, info(topic).ok()??)));
            Ok(described.collect())
        });
        let asked = Instant::now();
        let topics = topics.await?;
        self.seen.learn_all(&topics, asked);
        Ok(topics)
    }

    /// How many partitions a topic has, or had lately; `None` if it does not exist.
    pub(super) async fn partitions(&self, name: &TopicName) -> Result<Option<i32>, LogError> {
        match self.seen.partitions(name) {
            Some(partitions) => Ok(Some(partitions)),
            None => Ok(self.topic(name).await?.map(|info| info.partitions)),
        }
    }

    /// All topics as they were lately, where that is known.
    pub(super) fn listed(&self) -> Option<BTreeMap<TopicName, TopicInfo>> {
        self.seen.listed()
    }

    pub(super) async fn topic(&self, name: &TopicName) -> Result<Option<TopicInfo>, LogError> {
        let asked = name.clone();
        let topic = self.ask("describe topic", name.to_string(), move |client, timeout| {
            let metadata = client.fetch_metadata(Some(asked.as_str()), timeout)?;
            match metadata.topics().iter().find(|topic| topic.name() == asked.as_str()) {
                Some(topic) => info(topic),
                None => Ok(None),
            }
        });
        let topic = topic.await?;
        self.seen.learn([(name, topic.as_ref().map(|info| info.partitions))]);
        Ok(topic)
    }

    /// An error of kind `UnknownTopic` unless the partition exists, or did lately.
    pub(super) async fn must_exist(&self, operation: &'static str, at: &TopicPartition) -> Result<(), LogError> {
        if self.seen.partitions(&at.topic).is_some_and(|count| (0..count).contains(&at.partition)) {
            return Ok(());
        }
        self.must_exist_now(operation, at).await
    }

    /// The same, whatever was so lately.
    pub(super) async fn must_exist_now(&self, operation: &'static str, at: &TopicPartition) -> Result<(), LogError> {
        let why = match self.topic(&at.topic).await? {
            Some(info) if (0..info.partitions).contains(&at.partition) => return Ok(()),
            Some(info) => format!("the topic has {} partitions", info.partitions),
            None => "no such topic".to_owned(),
        };
        Err(LogError::new(operation, at, LogErrorKind::UnknownTopic, why))
    }

    /// Which topics these are.
    pub(super) async fn identities(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, TopicId>, LogError> {
        let asked = topics.to_vec();
        self.ask("identify topics of", self.brokers.clone(), move |client, timeout| {
            identity::identities(client.client(), &asked, timeout)
        })
        .await
    }

    pub(super) async fn offset_at(&self, at: &TopicPartition, at_ms: i64) -> Result<Option<i64>, LogError> {
        self.must_exist("look up a time in", at).await?;
        let asked = at.clone();
        self.ask("look up a time in", at.to_string(), move |client, timeout| {
            let times = list([(&asked, Offset::Offset(at_ms))])?;
            let found = client.offsets_for_times(times, timeout)?;
            let found = found.find_partition(asked.topic.as_str(), asked.partition);
            let Some(found) = found else { return Ok(None) };
            found.error()?;
            Ok(match found.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            })
        })
        .await
    }
}

/// What metadata says of a topic; `None` if it is not there.
fn info(topic: &MetadataTopic) -> KafkaResult<Option<TopicInfo>> {
    if let Some(error) = topic.error().filter(IsError::is_error) {
        return match kind_of(error.into()) {
            LogErrorKind::UnknownTopic => Ok(None),
            _ => Err(KafkaError::MetadataFetch(error.into())),
        };
    }
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let replicas = topic.partitions().first().map_or(0, |partition| partition.replicas().len());
    Ok(Some(TopicInfo { partitions: count(topic.partitions().len()), replication_factor: count(replicas) }))
}
