//! What the control topics have on record when the process starts: schemas that others published, and dirty buckets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use twinlog_log::clock::Ids;
use twinlog_log::{Backoff, Log, LogError, TopicName, TopicPartition};
use twinlog_producer::DirtyBucket;
use twinlog_schemas::codec::{Codec, PublishedSchema};
use twinlog_schemas::{BucketName, SiteName};

use crate::deployment::Deployment;
use crate::telemetry::Readiness;

/// How long a control topic may take; what is not read by then is learnt after the next start.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was on record.
#[derive(Debug, Default)]
pub struct Control {
    /// Buckets of the own site that could not be captured.
    pub dirty: BTreeSet<BucketName>,
}

impl Control {
    /// Reads the control topics of every site, teaches `codec` the schemas published there, and keeps what is of `at`.
    /// Waits for the site's own, however long: what is dirty must not be put on record again with a later time. Of the
    /// others it takes what it can get; their schemas are learnt after the next start.
    pub async fn read(deployment: &Deployment, at: &SiteName, codec: &Codec, ids: &Ids, readiness: &Readiness) -> Self {
        let mut control = Self::default();
        let reported = readiness.needs("control");
        let mut delays = Backoff::PROMPT.delays(ids.seed());
        for name in deployment.sites.keys() {
            let Ok(log) = deployment.home(name) else { continue };
            let topic = deployment.config.topics.names.control(name);
            // A group of its own, under which nothing is ever committed.
            let group = format!("{topic}.read.{:x}", ids.seed());
            let own = name == at;
            loop {
                let error = match timeout(PATIENCE, records(log.as_ref(), &topic, &group)).await {
                    Ok(Ok(records)) => {
                        control.take(&records, own, codec);
                        break;
                    }
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "the cluster does not answer in time".to_owned(),
                };
                tracing::warn!(%topic, %error, "control topic not read");
                if !own {
                    break;
                }
                reported.not_ready(error);
                delays.wait().await;
            }
        }
        reported.ready(format!("read; {} buckets are dirty", control.dirty.len()));
        control
    }

    fn take(&mut self, records: &BTreeMap<Bytes, Bytes>, own: bool, codec: &Codec) {
        for (key, value) in records {
            let key = String::from_utf8_lossy(key);
            if key.starts_with(PublishedSchema::KEY_PREFIX) {
                if let Err(error) = learn(codec, value) {
                    tracing::warn!(%key, %error, "published schema not learnt");
                }
            } else if let Some(bucket) = key.strip_prefix(DirtyBucket::KEY_PREFIX).filter(|_| own) {
                match BucketName::new(bucket) {
                    Ok(bucket) => drop(self.dirty.insert(bucket)),
                    Err(error) => tracing::warn!(%key, %error, "not a dirty bucket"),
                }
            }
        }
    }
}

fn learn(codec: &Codec, value: &[u8]) -> Result<(), String> {
    let published = PublishedSchema::from_json(value).map_err(|error| error.to_string())?;
    let schema = published.verified().map_err(|error| error.to_string())?;
    codec.learn(schema).map(drop).map_err(|error| error.to_string())
}

/// The last value of each key, to the topic's present end.
async fn records(log: &dyn Log, topic: &TopicName, group: &str) -> Result<BTreeMap<Bytes, Bytes>, LogError> {
    let mut records = BTreeMap::new();
    if log.topic(topic).await?.is_none() {
        return Ok(records);
    }
    let partition = TopicPartition { topic: topic.clone(), partition: 0 };
    let ends = log.watermarks(&partition).await?;
    if ends.next == ends.first {
        return Ok(records);
    }
    let reader = log.reader(group).await?;
    let mut stream = reader.assign(&partition, ends.first).await?;
    loop {
        let record = stream.next().await?;
        let at = record.position.offset;
        match (record.key, record.value) {
            (Some(key), Some(value)) => drop(records.insert(key, value)),
            (Some(key), None) => drop(records.remove(&key)),
            (None, _) => {}
        }
        if at + 1 >= ends.next {
            return Ok(records);
        }
    }
}
