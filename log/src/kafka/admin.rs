//! Creating and deleting: an operator's commands, which are rare.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, NewPartitions, NewTopic, OwnedResourceSpecifier,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::bootstrap;
use super::config::KafkaConfig;
use super::context::Told;
use super::convert::list;
use super::elsewhere::Held;
use super::error::{kind_of, log_error, log_error_told};
use crate::error::{LogError, LogErrorKind};
use crate::topic::{Cleanup, Retention, TopicName, TopicPartition, TopicSpec};

type Client = Held<Arc<AdminClient<Told>>>;

/// Makes the calls. Those that are under way together share a client, which ends with the last of them: enabling a bucket
/// makes a dozen topics.
pub(super) struct Administering {
    config: KafkaConfig,
    client: Mutex<Weak<AdminClient<Told>>>,
}

impl Administering {
    pub(super) fn new(config: &KafkaConfig) -> Self {
        Self { config: config.clone(), client: Mutex::default() }
    }

    fn client(&self) -> Result<Client, KafkaError> {
        let mut shared = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = shared.upgrade() {
            return Ok(Held::new(client));
        }
        let (told, down) = Told::new();
        let client = Arc::new(AdminClient::from_config_and_context(&self.config.administering(), told)?);
        bootstrap::keep(down, &self.config.brokers, &client, |client| client.inner());
        *shared = Arc::downgrade(&client);
        Ok(Held::new(client))
    }
}

/// Asks for a topic. It may take a moment to be seen everywhere; the client stays with whoever waits for that, for the
/// topics that are made beside this one.
pub(super) async fn create_topic(by: &Administering, spec: &TopicSpec) -> Result<Client, LogError> {
    let (retention_ms, retention_bytes) = (spec.retention_ms.to_string(), spec.retention_bytes.to_string());
    let (min_isr, max_bytes) = (spec.min_insync_replicas.to_string(), spec.max_message_bytes.to_string());
    let topic = NewTopic::new(spec.name.as_str(), spec.partitions, TopicReplication::Fixed(spec.replication_factor))
        .set("cleanup.policy", cleanup_policy(spec.cleanup))
        .set("retention.ms", &retention_ms)
        .set("retention.bytes", &retention_bytes)
        .set("min.insync.replicas", &min_isr)
        .set("max.message.bytes", &max_bytes);
    let call = Call::new("create topic", spec.name.to_string(), by)?;
    let outcome = call.client.create_topics([&topic], &call.options()).await;
    call.one(outcome.map(|results| results.into_iter().map(|r| r.map(drop).map_err(|(_, code)| code)).collect()))?;
    Ok(call.client)
}

pub(super) async fn delete_topic(by: &Administering, name: &TopicName) -> Result<(), LogError> {
    let call = Call::new("delete topic", name.to_string(), by)?;
    let outcome = call.client.delete_topics(&[name.as_str()], &call.options()).await;
    call.one(outcome.map(|results| results.into_iter().map(|r| r.map(drop).map_err(|(_, code)| code)).collect()))
}

pub(super) async fn trim(by: &Administering, at: &TopicPartition, before: i64) -> Result<(), LogError> {
    let call = Call::new("trim", at.to_string(), by)?;
    let offsets: TopicPartitionList = list([(at, Offset::Offset(before))]).map_err(|error| call.error(&error))?;
    let trimmed = call.answered(call.client.delete_records(&offsets, &call.options()).await)?;
    trimmed.elements().iter().try_for_each(|partition| partition.error()).map_err(|error| call.error(&error))
}

/// Topics asked about in one request.
const TOGETHER: usize = 500;

/// What topics keep.
pub(super) async fn retention(
    by: &Administering,
    topics: &[TopicName],
) -> Result<BTreeMap<TopicName, Retention>, LogError> {
    let mut kept = BTreeMap::new();
    if topics.is_empty() {
        return Ok(kept);
    }
    let call = Call::new("ask for the retention of", format!("{} topics", topics.len()), by)?;
    for some in topics.chunks(TOGETHER) {
        let asked: Vec<_> = some.iter().map(|name| ResourceSpecifier::Topic(name.as_str())).collect();
        let answered = call.client.describe_configs(&asked, &call.options()).await;
        for topic in call.answered(answered)? {
            match topic {
                Ok(topic) => kept.extend(retention_of(&topic)),
                Err(code) if kind_of(code) == LogErrorKind::UnknownTopic => {}
                Err(code) => return Err(call.error(&KafkaError::AdminOp(code))),
            }
        }
    }
    Ok(kept)
}

fn retention_of(topic: &ConfigResource) -> Option<(TopicName, Retention)> {
    let OwnedResourceSpecifier::Topic(name) = &topic.specifier else { return None };
    let limit = |setting| {
        let value = topic.get(setting)?.value.as_deref()?;
        value.parse::<i64>().ok().filter(|limit| *limit >= 0)
    };
    // Of a topic that does not exist the brokers answer that nothing is set.
    topic.get("retention.ms")?;
    let retention = Retention { ms: limit("retention.ms"), bytes: limit("retention.bytes") };
    Some((TopicName::new(name.as_str()).ok()?, retention))
}

pub(super) async fn set(by: &Administering, name: &TopicName, setting: &str, value: &str) -> Result<(), LogError> {
    let call = Call::new("configure topic", name.to_string(), by)?;
    let change = AlterConfig::new(ResourceSpecifier::Topic(name.as_str())).set(setting, value);
    let outcome = call.client.alter_configs([&change], &call.options()).await;
    call.one(outcome.map(|results| results.into_iter().map(|r| r.map(drop).map_err(|(_, code)| code)).collect()))
}

pub(super) async fn add_partitions(by: &Administering, name: &TopicName, partitions: usize) -> Result<(), LogError> {
    let call = Call::new("add partitions to", name.to_string(), by)?;
    let outcome =
        call.client.create_partitions([&NewPartitions::new(name.as_str(), partitions)], &call.options()).await;
    call.one(outcome.map(|results| results.into_iter().map(|r| r.map(drop).map_err(|(_, code)| code)).collect()))
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
    client: Client,
    told: Told,
    operation: &'static str,
    subject: String,
    timeout: Duration,
}

impl Call {
    fn new(operation: &'static str, subject: String, by: &Administering) -> Result<Self, LogError> {
        let client = by.client().map_err(|error| log_error(operation, &subject, &error))?;
        let told = Told::clone(client.inner().context());
        Ok(Self { client, told, operation, subject, timeout: by.config.request_timeout })
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(self.timeout)).operation_timeout(Some(self.timeout))
    }

    fn error(&self, error: &KafkaError) -> LogError {
        log_error_told(self.operation, &self.subject, error, &self.told)
    }

    fn answered<T>(&self, outcome: Result<T, KafkaError>) -> Result<T, LogError> {
        outcome.inspect(|_| self.told.forget()).map_err(|error| self.error(&error))
    }

    /// The outcome of a call about one thing.
    fn one(
        &self,
        outcome: Result<Vec<Result<(), rdkafka::types::RDKafkaErrorCode>>, KafkaError>,
    ) -> Result<(), LogError> {
        let results = self.answered(outcome)?;
        results.into_iter().collect::<Result<(), _>>().map_err(|code| self.error(&KafkaError::AdminOp(code)))
    }
}
