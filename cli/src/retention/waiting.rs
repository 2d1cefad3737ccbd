//! What waits of a topic, from offsets; the oldest record's own time says for how long.

use std::time::Duration;

use tokio::time::timeout;
use twinlog_log::{Fetched, Log, LogError, Reader, Retention, TopicName, TopicPartition};

use super::judge::used;

/// Records whose size stands for that of the others.
const SAMPLE: i64 = 32;

/// A topic, and who reads it.
pub struct Followed<'a> {
    /// Its cluster.
    pub log: &'a dyn Log,
    /// The group that commits what is done of it.
    pub group: &'a str,
    /// The topic.
    pub topic: &'a TopicName,
    /// What the topic keeps.
    pub retention: Retention,
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

/// What waits of a topic now. A topic that does not exist holds nothing.
///
/// # Errors
/// Where the cluster does not answer.
pub async fn waiting(followed: &Followed<'_>, now_ms: i64) -> Result<Waiting, LogError> {
    let Followed { log, group, topic, .. } = followed;
    let count = log.topic(topic).await?.map_or(0, |info| info.partitions);
    let partitions: Vec<_> =
        (0..count).map(|partition| TopicPartition { topic: (*topic).clone(), partition }).collect();
    let committed = log.committed(group, &partitions).await?;
    let mut reader: Option<Box<dyn Reader>> = None;
    let mut waiting = Waiting::default();
    for partition in &partitions {
        let ends = log.watermarks(partition).await?;
        let done = committed.get(partition).map_or(ends.first, |commit| commit.offset.max(ends.first));
        if done >= ends.next {
            continue;
        }
        let records = ends.next - done;
        waiting.records += records;
        if reader.is_none() {
            reader = Some(log.reader(&format!("{group}.age")).await?);
        }
        let Some(reader) = &reader else { continue };
        let first = followed.first(reader.as_ref(), partition, done, records).await;
        let Some((oldest_ms, bytes)) = first else { continue };
        waiting.oldest_ms = Some(waiting.oldest_ms.map_or(oldest_ms, |known| known.min(oldest_ms)));
        waiting.used = waiting.used.max(used(now_ms - oldest_ms, bytes, followed.retention));
    }
    Ok(waiting)
}

impl Followed<'_> {
    /// The time of the first record that waits, and about how many bytes wait with it; `None` where it does not come soon.
    async fn first(
        &self,
        reader: &dyn Reader,
        partition: &TopicPartition,
        from: i64,
        records: i64,
    ) -> Option<(i64, i64)> {
        let mut stream = timeout(self.patience, reader.assign(partition, from)).await.ok()?.ok()?;
        let first = timeout(self.patience, stream.next()).await.ok()?.ok()?;
        let (oldest_ms, mut bytes, mut seen) = (first.timestamp_ms?, size(&first), 1);
        if self.retention.bytes.is_some() {
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
