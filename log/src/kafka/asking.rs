//! The client that only asks: which topics exist, where partitions begin and end. It never creates a topic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{IsError, KafkaError, KafkaResult};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::task::AbortOnDropHandle;

use super::bootstrap;
use super::config::KafkaConfig;
use super::context::Told;
use super::convert::list;
use super::elsewhere::{Held, ask_elsewhere, run_elsewhere};
use super::error::{kind_of, log_error, log_error_told};
use super::identity;
use crate::contract::Watermarks;
use crate::error::{LogError, LogErrorKind};
use crate::topic::{TopicId, TopicInfo, TopicName, TopicPartition};

/// For how long many partitions are asked about together, each of their ends.
const TOGETHER: Duration = Duration::from_secs(2);

pub(super) struct Asking {
    client: Held<Arc<StreamConsumer<Told>>>,
    told: Told,
    timeout: Duration,
    brokers: String,
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
        Ok(Self { client, told, timeout, brokers, _events: AbortOnDropHandle::new(events) })
    }

    async fn ask<T: Send + 'static>(
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
        self.ask("list topics of", self.brokers.clone(), |client, timeout| {
            let metadata = client.fetch_metadata(None, timeout)?;
            let shown = metadata.topics().iter().filter(|topic| !topic.name().starts_with("__"));
            let described = shown.filter_map(|topic| Some((TopicName::new(topic.name()).ok()?, info(topic).ok()??)));
            Ok(described.collect())
        })
        .await
    }

    pub(super) async fn topic(&self, name: &TopicName) -> Result<Option<TopicInfo>, LogError> {
        let asked = name.clone();
        self.ask("describe topic", name.to_string(), move |client, timeout| {
            let metadata = client.fetch_metadata(Some(asked.as_str()), timeout)?;
            match metadata.topics().iter().find(|topic| topic.name() == asked.as_str()) {
                Some(topic) => info(topic),
                None => Ok(None),
            }
        })
        .await
    }

    /// An error of kind `UnknownTopic` unless the partition exists.
    pub(super) async fn must_exist(&self, operation: &'static str, at: &TopicPartition) -> Result<i32, LogError> {
        match self.topic(&at.topic).await? {
            Some(info) if (0..info.partitions).contains(&at.partition) => Ok(info.partitions),
            Some(info) => {
                let why = format!("the topic has {} partitions", info.partitions);
                Err(LogError::new(operation, at, LogErrorKind::UnknownTopic, why))
            }
            None => Err(LogError::new(operation, at, LogErrorKind::UnknownTopic, "no such topic")),
        }
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

    /// A topic that is not known holds up all the others, so this is not tried for long; and an error of one partition is
    /// one of all.
    pub(super) async fn ends_together(&self, partitions: &[TopicPartition]) -> BTreeMap<TopicPartition, Watermarks> {
        if partitions.len() < 2 {
            return BTreeMap::new();
        }
        let asked = partitions.to_vec();
        let told = self.ask("ends of partitions of", self.brokers.clone(), move |client, timeout| {
            // What the protocol calls times are these two as well: `ListOffsets` of the Kafka protocol, -2 and -1.
            let of =
                |end: Offset| client.offsets_for_times(list(asked.iter().map(|at| (at, end)))?, timeout.min(TOGETHER));
            let (first, next) = (of(Offset::Beginning)?, of(Offset::End)?);
            let ends = asked.into_iter().filter_map(|at| {
                let ends = Watermarks { first: offset(&first, &at)?, next: offset(&next, &at)? };
                Some((at, ends))
            });
            Ok(ends.collect())
        });
        told.await.unwrap_or_else(|error| {
            tracing::debug!(%error, "asking about each partition alone");
            BTreeMap::new()
        })
    }

    pub(super) async fn watermarks(&self, at: &TopicPartition) -> Result<Watermarks, LogError> {
        // librdkafka waits for an unknown topic until its time is up.
        self.must_exist("watermarks of", at).await?;
        let (asked, client, timeout) = (at.clone(), self.client.clone(), self.timeout);
        // A partition that was just made has no leader yet.
        let question = move || {
            let (first, next) = client.fetch_watermarks(asked.topic.as_str(), asked.partition, timeout)?;
            Ok(Watermarks { first, next })
        };
        let wrong = |error: &KafkaError| log_error_told("watermarks of", at, error, &self.told);
        ask_elsewhere("watermarks of", at, timeout, question, wrong).await.inspect(|_| self.told.forget())
    }
}

/// What was answered about a partition.
fn offset(answers: &TopicPartitionList, at: &TopicPartition) -> Option<i64> {
    let answer = answers.find_partition(at.topic.as_str(), at.partition)?;
    match (answer.error(), answer.offset()) {
        (Ok(()), Offset::Offset(offset)) => Some(offset),
        _ => None,
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
