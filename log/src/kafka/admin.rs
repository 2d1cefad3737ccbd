//! Creating and deleting. The client lives for one call: operators' commands are rare.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::context::Told;
use super::convert::list;
use super::elsewhere::Held;
use super::error::{log_error, log_error_told};
use crate::error::LogError;
use crate::topic::{Cleanup, TopicName, TopicPartition, TopicSpec};

/// Asks for a topic. It may take a moment to be seen everywhere.
pub(super) async fn create_topic(config: &KafkaConfig, spec: &TopicSpec) -> Result<(), LogError> {
    let (retention_ms, retention_bytes) = (spec.retention_ms.to_string(), spec.retention_bytes.to_string());
    let (min_isr, max_bytes) = (spec.min_insync_replicas.to_string(), spec.max_message_bytes.to_string());
    let topic = NewTopic::new(spec.name.as_str(), spec.partitions, TopicReplication::Fixed(spec.replication_factor))
        .set("cleanup.policy", cleanup_policy(spec.cleanup))
        .set("retention.ms", &retention_ms)
        .set("retention.bytes", &retention_bytes)
        .set("min.insync.replicas", &min_isr)
        .set("max.message.bytes", &max_bytes);
    let call = Call::new("create topic", spec.name.to_string(), config)?;
    let outcome = call.client.create_topics([&topic], &call.options()).await;
    call.one(outcome.map(|results| results.into_iter().map(|r| r.map(drop).map_err(|(_, code)| code)).collect()))
}

pub(super) async fn delete_topic(config: &KafkaConfig, name: &TopicName) -> Result<(), LogError> {
    let call = Call::new("delete topic", name.to_string(), config)?;
    let outcome = call.client.delete_topics(&[name.as_str()], &call.options()).await;
    call.one(outcome.map(|results| results.into_iter().map(|r| r.map(drop).map_err(|(_, code)| code)).collect()))
}

pub(super) async fn trim(config: &KafkaConfig, at: &TopicPartition, before: i64) -> Result<(), LogError> {
    let call = Call::new("trim", at.to_string(), config)?;
    let offsets: TopicPartitionList = list([(at, Offset::Offset(before))]).map_err(|error| call.error(&error))?;
    let trimmed = call.client.delete_records(&offsets, &call.options()).await.map_err(|error| call.error(&error))?;
    trimmed.elements().iter().try_for_each(|partition| partition.error()).map_err(|error| call.error(&error))
}

/// `cleanup.policy` as Kafka spells it.
fn cleanup_policy(cleanup: Cleanup) -> &'static str {
    match cleanup {
        Cleanup::Delete => "delete",
        Cleanup::Compact => "compact",
        Cleanup::CompactDelete => "compact,delete",
    }
}

struct Call {
    client: Held<AdminClient<Told>>,
    told: Told,
    operation: &'static str,
    subject: String,
    timeout: Duration,
}

impl Call {
    fn new(operation: &'static str, subject: String, config: &KafkaConfig) -> Result<Self, LogError> {
        let told = Told::default();
        let client = AdminClient::from_config_and_context(&config.administering(), told.clone())
            .map_err(|error| log_error(operation, &subject, &error))?;
        Ok(Self { client: Held::new(client), told, operation, subject, timeout: config.request_timeout })
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(self.timeout)).operation_timeout(Some(self.timeout))
    }

    fn error(&self, error: &KafkaError) -> LogError {
        log_error_told(self.operation, &self.subject, error, &self.told)
    }

    /// The outcome of a call about one thing.
    fn one(
        &self,
        outcome: Result<Vec<Result<(), rdkafka::types::RDKafkaErrorCode>>, KafkaError>,
    ) -> Result<(), LogError> {
        let results = outcome.map_err(|error| self.error(&error))?;
        results.into_iter().collect::<Result<(), _>>().map_err(|code| self.error(&KafkaError::AdminOp(code)))
    }
}
