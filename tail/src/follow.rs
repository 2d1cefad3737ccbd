//! Following one topic: all its partitions at once, from where the index stands, for ever.

use std::sync::Arc;

use futures::FutureExt;
use tokio::task::JoinSet;
use twinlog_index::{Merge, Partition, Position};
use twinlog_log::backoff::Delays;
use twinlog_log::{Fetched, LogError, LogErrorKind, PartitionReader, Reader, TopicPartition};
use twinlog_schemas::codec::DecodeError;

use crate::progress::Progress;
use crate::{Kind, Parts, Topic};

/// The partition's name in the index.
pub(crate) fn in_index(partition: &TopicPartition) -> Partition {
    Partition { topic: partition.topic.as_str().to_owned(), partition: partition.partition }
}

/// Follows a topic; waits for it to exist. Its number of partitions is fixed when the site is set up. All partitions
/// share one reader, since each is a client of its own.
pub(crate) async fn topic(parts: Arc<Parts>, topic: Topic, progress: Progress) {
    let mut waits = parts.backoff.delays(parts.seed);
    let (partitions, reader) = loop {
        match found(&parts, &topic).await {
            Ok(Some(found)) => break found,
            Ok(None) => tracing::debug!(topic = %topic.name, "topic does not exist yet"),
            Err(error) => tracing::warn!(topic = %topic.name, %error, "topic could not be looked up; trying again"),
        }
        waits.wait().await;
    };
    let partition = |partition| TopicPartition { topic: topic.name.clone(), partition };
    let partitions: Vec<_> = (0..partitions).map(partition).collect();
    let opened = open(&parts, &topic, reader.as_ref(), &partitions, &progress).await.unwrap_or_else(|error| {
        tracing::debug!(topic = %topic.name, %error, "its partitions are opened one by one");
        Vec::new()
    });
    let mut opened = opened.into_iter();
    let mut following = JoinSet::new();
    for partition in partitions {
        let (parts, reader, progress) = (Arc::clone(&parts), Arc::clone(&reader), progress.clone());
        following.spawn(follow(parts, topic.clone(), reader, (partition, opened.next()), progress));
    }
    while following.join_next().await.is_some() {}
}

/// The topic's partitions and a reader for them, once it exists.
async fn found(parts: &Parts, topic: &Topic) -> Result<Option<(i32, Arc<dyn Reader>)>, LogError> {
    let Some(info) = topic.log.topic(&topic.name).await? else { return Ok(None) };
    // Receipts of this process are in the index already; nobody waits for those of others but what waits for seconds.
    let reader = match topic.kind {
        Kind::Facts => topic.log.reader(&parts.group).await?,
        Kind::Receipts => topic.log.unhurried_reader(&parts.group).await?,
    };
    Ok(Some((info.partitions, reader.into())))
}

async fn follow(
    parts: Arc<Parts>,
    topic: Topic,
    reader: Arc<dyn Reader>,
    (partition, mut opened): (TopicPartition, Option<Box<dyn PartitionReader>>),
    progress: Progress,
) {
    let mut waits = parts.backoff.delays(parts.seed);
    loop {
        let records = match opened.take() {
            Some(records) => Some(records),
            None => match open(&parts, &topic, reader.as_ref(), std::slice::from_ref(&partition), &progress).await {
                Ok(mut records) => records.pop(),
                Err(error) => {
                    tracing::warn!(%partition, %error, "a partition could not be followed; trying again");
                    None
                }
            },
        };
        if let Some(mut records) = records {
            let error = read(&parts, &topic, &partition, records.as_mut(), &progress, &mut waits).await;
            tracing::warn!(%partition, %error, "following a partition ended; beginning again where the index stands");
        }
        waits.wait().await;
    }
}

/// Opens partitions where the index stands, or at their beginning if that is no longer in the log: what was deleted had
/// outlived the topic's retention. In the order of their numbers.
async fn open(
    parts: &Parts,
    topic: &Topic,
    reader: &dyn Reader,
    partitions: &[TopicPartition],
    progress: &Progress,
) -> Result<Vec<Box<dyn PartitionReader>>, LogError> {
    let ends = topic.log.ends(partitions).await;
    let positions = parts.index.positions().map_err(|error| LogError {
        operation: "read the index's positions of",
        subject: topic.name.to_string(),
        kind: LogErrorKind::Transient,
        message: error.to_string(),
    })?;
    let mut wanted = Vec::with_capacity(partitions.len());
    for (partition, ends) in ends {
        let ends = ends?;
        let at = positions.get(&in_index(&partition)).copied().unwrap_or(ends.first);
        let from = if (ends.first..=ends.next).contains(&at) { at } else { ends.first };
        progress.tell(&partition, from);
        wanted.push((partition, from));
    }
    reader.assign_all(&wanted).await
}

/// Records merged in one write of the index, at most.
const BATCH: usize = 256;

/// Reads until an error comes. What has arrived already is merged together: one write of the index costs as much for
/// many records as for one.
async fn read(
    parts: &Parts,
    topic: &Topic,
    partition: &TopicPartition,
    records: &mut dyn PartitionReader,
    progress: &Progress,
    waits: &mut Delays,
) -> LogError {
    loop {
        let mut batch = Vec::new();
        let mut ended = None;
        match records.next().await {
            Ok(record) => batch.push(record),
            Err(error) => return error,
        }
        while batch.len() < BATCH && ended.is_none() {
            match records.next().now_or_never() {
                Some(Ok(record)) => batch.push(record),
                Some(Err(error)) => ended = Some(error),
                None => break,
            }
        }
        while let Err(error) = merge(parts, topic, &batch) {
            tracing::error!(%partition, %error, "records could not be merged; trying again");
            waits.wait().await;
        }
        if let Some(last) = batch.last() {
            progress.tell(partition, last.position.offset + 1);
        }
        if let Some(error) = ended {
            return error;
        }
    }
}

/// Why records could not be merged; waiting may help: an upgrade, or room on the disk.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error("a newer release wrote one of them: upgrade this process ({0})")]
    Newer(DecodeError),
    #[error(transparent)]
    Index(#[from] twinlog_index::IndexError),
}

fn merge(parts: &Parts, topic: &Topic, batch: &[Fetched]) -> Result<(), Stuck> {
    let Some(last) = batch.last().map(|record| &record.position) else { return Ok(()) };
    let position = Position::new(last.partition.topic.as_str(), last.partition.partition, last.offset + 1);
    let mut merges = Vec::with_capacity(batch.len());
    for record in batch {
        match decode(parts, topic.kind, record) {
            Ok(merge) => merges.extend(merge),
            Err(error) if error.holds_link() => return Err(Stuck::Newer(error)),
            Err(error) => {
                // The lane that reads the same record buries it; here it says nothing about any version.
                let at = &record.position;
                tracing::error!(partition = %at.partition, offset = at.offset, %error, "not a record of ours: passed over");
            }
        }
    }
    parts.index.merge(&merges, Some(&position))?;
    for merge in &merges {
        if let Merge::Fact(fact) = merge {
            (parts.listener)(fact);
        }
    }
    Ok(())
}

fn decode(parts: &Parts, kind: Kind, record: &Fetched) -> Result<Option<Merge>, DecodeError> {
    let Some(value) = record.value.as_deref() else { return Ok(None) };
    Ok(Some(match kind {
        Kind::Facts => Merge::Fact(parts.codec.decode_fact(value)?),
        Kind::Receipts => Merge::Receipt(parts.codec.decode_receipt(value)?),
    }))
}
