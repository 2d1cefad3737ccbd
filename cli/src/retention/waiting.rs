//! What waits of topics, from offsets; the oldest record's own time says for how long.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;
use twinlog_log::{
    Fetched, Log, LogError, LogErrorKind, PartitionReader, Retention, TopicInfo, TopicName, TopicPartition,
};

use super::judge::used;

/// Records whose size stands for that of the others.
const SAMPLE: i64 = 32;
/// Partitions that are read from at a time: what is fetched ahead of each is in memory.
const AT_ONCE: usize = 16;

/// Topics of a cluster, and who reads them.
pub struct Followed<'a> {
    /// The cluster.
    pub log: &'a dyn Log,
    /// The group that commits what is done of them.
    pub group: &'a str,
    /// The topics.
    pub topics: &'a BTreeMap<TopicName, TopicInfo>,
    /// What they keep; where that is not said, nothing of it counts as used up.
    pub retention: &'a BTreeMap<TopicName, Retention>,
    /// How long one record may take to be read; what takes longer leaves the age unknown.
    pub patience: Duration,
}

/// What of a topic is not done.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Waiting {
    /// Records.
    pub records: i64,
    /// When the oldest was written, milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
    /// The share of its retention that the oldest has used up, in the partition where that is most. By size it is
    /// estimated from the first records that wait, as they are before compression: rather too much than too little.
    pub used: f64,
}

/// What waits of each topic now.
///
/// # Errors
/// Where the cluster does not answer.
pub async fn waiting(followed: &Followed<'_>, now_ms: i64) -> Result<BTreeMap<TopicName, Waiting>, LogError> {
    let Followed { log, group, topics, .. } = followed;
    let partitions = |(topic, info): (&TopicName, &TopicInfo)| {
        let topic = topic.clone();
        (0..info.partitions).map(move |partition| TopicPartition { topic: topic.clone(), partition })
    };
    let partitions: Vec<TopicPartition> = topics.iter().flat_map(partitions).collect();
    let committed = log.committed(group, &partitions).await?;
    let (mut from, mut left) = (Vec::new(), Vec::new());
    let mut all: BTreeMap<_, _> = topics.keys().map(|topic| (topic.clone(), Waiting::default())).collect();
    for (partition, ends) in log.ends(&partitions).await {
        let ends = match ends {
            // Deleted since it was listed.
            Err(error) if error.kind == LogErrorKind::UnknownTopic => continue,
            ends => ends?,
        };
        let done = committed.get(&partition).map_or(ends.first, |commit| commit.offset.max(ends.first));
        if done >= ends.next {
            continue;
        }
        all.entry(partition.topic.clone()).or_default().records += ends.next - done;
        from.push((partition, done));
        left.push(ends.next - done);
    }
    if from.is_empty() {
        return Ok(all);
    }
    let reader = log.reader(&format!("{group}.age")).await?;
    for (from, left) in from.chunks(AT_ONCE).zip(left.chunks(AT_ONCE)) {
        let opened = timeout(followed.patience, reader.assign_all(from)).await.map_err(|late| late.to_string());
        let streams = match opened.and_then(|streams| streams.map_err(|error| error.to_string())) {
            Ok(streams) => streams,
            Err(error) => {
                tracing::debug!(partitions = from.len(), error, "how old the first records are is not known");
                continue;
            }
        };
        for (mut stream, records) in streams.into_iter().zip(left) {
            let topic = stream.partition().topic.clone();
            let retention = followed.retention.get(&topic).copied().unwrap_or_default();
            let first = followed.first(stream.as_mut(), *records, retention).await;
            let Some((oldest_ms, bytes)) = first else { continue };
            let waiting = all.entry(topic).or_default();
            waiting.oldest_ms = Some(waiting.oldest_ms.map_or(oldest_ms, |known| known.min(oldest_ms)));
            waiting.used = waiting.used.max(used(now_ms - oldest_ms, bytes, retention));
        }
    }
    Ok(all)
}

impl Followed<'_> {
    /// The time of the first record that waits, and about how many bytes wait with it; `None` where it does not come soon.
    async fn first(&self, stream: &mut dyn PartitionReader, records: i64, retention: Retention) -> Option<(i64, i64)> {
        let first = timeout(self.patience, stream.next()).await.ok()?.ok()?;
        let (oldest_ms, mut bytes, mut seen) = (first.timestamp_ms?, size(&first), 1);
        if retention.bytes.is_some() {
            while seen < records.min(SAMPLE) {
                let Ok(Ok(next)) = timeout(self.patience, stream.next()).await else { break };
                (bytes, seen) = (bytes + size(&next), seen + 1);
            }
        }
        Some((oldest_ms, bytes.saturating_mul(records) / seen))
    }
}

fn size(record: &Fetched) -> i64 {
    let headers: usize = record.headers.0.iter().map(|(name, value)| name.len() + value.len()).sum();
    let rest = record.key.as_ref().map_or(0, bytes::Bytes::len) + record.value.as_ref().map_or(0, bytes::Bytes::len);
    i64::try_from(headers + rest).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::Arc;

    use twinlog_log::fault::FaultyLog;
    use twinlog_log::{Headers, MemoryLog, Record, memory};

    use super::*;

    /// Scenario: no broker leads a partition in which records wait. Guarantee: that is an error, not an empty topic.
    #[tokio::test(start_paused = true)]
    async fn a_partition_without_a_leader_is_not_taken_for_an_empty_one() {
        let memory = MemoryLog::new();
        let spec = memory::spec(TopicName::new("changes").unwrap(), 2);
        memory.create_topic(&spec).await.unwrap();
        let at = TopicPartition { topic: spec.name.clone(), partition: 1 };
        let record = Record {
            topic: at.topic.clone(),
            partition: at.partition,
            key: None,
            value: Some("some".into()),
            headers: Headers::default(),
            timestamp_ms: 7,
        };
        memory.append(record).await.unwrap();
        let log = FaultyLog::new(Arc::new(memory));
        let topics = BTreeMap::from([(spec.name.clone(), TopicInfo { partitions: 2, replication_factor: 1 })]);
        let retention = BTreeMap::new();
        let patience = Duration::from_secs(1);
        let followed = Followed { log: &log, group: "group", topics: &topics, retention: &retention, patience };
        log.set_led(&at, false);
        assert!(waiting(&followed, 9).await.unwrap_err().is_transient());
        log.set_led(&at, true);
        let expected = Waiting { records: 1, oldest_ms: Some(7), used: 0.0 };
        assert_eq!(waiting(&followed, 9).await.unwrap(), BTreeMap::from([(spec.name, expected)]));
    }
}
