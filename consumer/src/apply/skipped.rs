//! Facts of a held bucket: merged, committed and left; when the bucket goes on they are handled once more, each in its
//! lane, in turn with the other records of its key.
//!
//! Control remembers for each facts partition the first that was left. Only the owner of the partition's lane writes
//! that, and only it repeats.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use twinlog_control::{Control, Direction, Entry, Key, Skipped};
use twinlog_log::lane::Repeat;
use twinlog_log::{Fetched, Log, LogError, TopicPartition};

use super::Apply;

/// Repeated records under way.
const UNDER_WAY: usize = 64;
/// How soon what could not be repeated is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// What this process has left, and the way to repeat it.
#[derive(Default)]
pub(super) struct Left {
    /// One at a time decides what is on record.
    turn: tokio::sync::Mutex<()>,
    /// Left anew since they began to be repeated.
    anew: Mutex<BTreeSet<Key>>,
    lanes: Mutex<Option<mpsc::Sender<Repeat>>>,
}

impl Left {
    pub(super) fn through(&self, lanes: mpsc::Sender<Repeat>) {
        *self.lanes.lock().unwrap_or_else(PoisonError::into_inner) = Some(lanes);
    }

    fn lanes(&self) -> Option<mpsc::Sender<Repeat>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn anew(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.anew.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Apply {
    /// Remembers that a fact was merged and not acted upon; returns once that is on record, before its offset may be
    /// committed.
    pub(super) async fn leave(&self, record: &Fetched, direction: &Direction) {
        let partition = record.position.partition.clone();
        let key = Key::Skipped(partition.clone(), direction.clone());
        let _turn = self.left.turn.lock().await;
        self.left.anew().insert(key.clone());
        let from = record.position.offset;
        if self.control().skipped_from(&key).is_none_or(|known| from < known) {
            self.control().put(Entry::Skipped(partition, direction.clone(), Skipped { from })).await;
        }
    }

    fn control(&self) -> &Arc<Control> {
        self.parts.holds.control()
    }

    /// Repeats what was left of buckets that go on, for as long as the process runs.
    pub(super) async fn repeat_left(&self) {
        loop {
            let changed = self.control().changed();
            let mut undone = false;
            for (partition, direction, skipped) in self.control().skipped() {
                if self.parts.holds.reason(&direction).is_some() {
                    continue;
                }
                match self.repeat(&partition, &direction, skipped.from).await {
                    Ok(done) => undone |= !done,
                    Err(error) => {
                        tracing::warn!(%partition, %error, "facts of a bucket that goes on are not read yet; trying again");
                        undone = true;
                    }
                }
            }
            if undone {
                tokio::time::sleep(AGAIN).await;
            } else {
                // A lane that was somebody else's may be ours by now, with what they left.
                let _ = timeout(AGAIN * 6, changed).await;
            }
        }
    }

    /// Repeats what was left of one partition; whether that is done.
    async fn repeat(&self, partition: &TopicPartition, direction: &Direction, from: i64) -> Result<bool, LogError> {
        let key = Key::Skipped(partition.clone(), direction.clone());
        let Some((lanes, log)) = self.left.lanes().zip(self.log_of(partition)) else { return Ok(false) };
        self.left.anew().remove(&key);
        let ends = log.watermarks(partition).await?;
        let from = from.max(ends.first);
        let mut answers = FuturesUnordered::new();
        if from < ends.next {
            let group = format!("{}.again.{:x}", partition.topic, self.parts.ids.seed());
            let mut records = log.reader(&group).await?.assign(partition, from).await?;
            loop {
                let record = records.next().await?;
                let last = record.position.offset + 1 >= ends.next;
                if self.is_of(&record, direction) {
                    let (done, answer) = oneshot::channel();
                    if lanes.send(Repeat { record, done }).await.is_err() {
                        return Ok(false);
                    }
                    answers.push(answer);
                }
                while answers.len() >= UNDER_WAY || (last && !answers.is_empty()) {
                    // No answer: the lane is not ours, or not any more.
                    if !matches!(answers.next().await, Some(Ok(()))) {
                        return Ok(false);
                    }
                }
                if last {
                    break;
                }
            }
        }
        let _turn = self.left.turn.lock().await;
        let done = !self.left.anew().contains(&key);
        if done {
            self.control().remove(key).await;
            tracing::info!(%partition, source = %direction.0, bucket = %direction.1, "facts left while held are done");
        }
        Ok(done)
    }

    fn is_of(&self, record: &Fetched, direction: &Direction) -> bool {
        let fact = record.value.as_deref().and_then(|value| self.parts.codec.decode_fact(value).ok());
        fact.is_some_and(|fact| fact.site == direction.0 && fact.bucket == direction.1)
    }

    fn log_of(&self, partition: &TopicPartition) -> Option<&Arc<dyn Log>> {
        let site = self.facts_topics.get(&partition.topic)?;
        Some(self.link(site).map_or(&self.parts.home, |link| &link.log))
    }
}
