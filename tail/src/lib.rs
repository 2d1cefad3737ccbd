//! Keeps the index of a process up to date: reads the facts of all sites and the receipts of its own from the log into
//! the index, apart from the lanes' own reading of them.
//!
//! Owns no state of its own but how far it has come: the positions are in the index, written together with what was
//! read. Every fact is told to the listener *after* it has been merged.

mod follow;
mod progress;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twinlog_index::{Index, IndexError};
use twinlog_log::{Backoff, Log, LogError, TopicName};
use twinlog_schemas::Fact;
use twinlog_schemas::codec::Codec;

use progress::Progress;

/// What the records of a topic are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Facts of a site.
    Facts,
    /// Receipts of writes into a site.
    Receipts,
}

/// One topic to follow, on its cluster.
#[derive(Clone)]
pub struct Topic {
    /// The cluster.
    pub log: Arc<dyn Log>,
    /// The topic.
    pub name: TopicName,
    /// What it holds.
    pub kind: Kind,
}

/// What a tail is made of.
pub struct Parts {
    /// The topics.
    pub topics: Vec<Topic>,
    /// The group under which readers are opened; nothing is committed there.
    pub group: String,
    /// Where everything goes.
    pub index: Arc<dyn Index>,
    /// The codec.
    pub codec: Arc<Codec>,
    /// Told every fact once it is merged.
    pub listener: Arc<dyn Fn(&Fact) + Send + Sync>,
    /// How waits between tries grow.
    pub backoff: Backoff,
    /// Seed of the backoff's jitter.
    pub seed: u64,
}

/// Why the index could not be brought to the end.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// A cluster could not be asked how far its topics go.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The index could not be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// It took longer than the caller would wait.
    #[error("the index is not at the end of the facts after {0:?}")]
    Late(Duration),
}

/// The tail of a process. Cheap to share.
pub struct Tail {
    topics: Vec<Topic>,
    index: Arc<dyn Index>,
    progress: Progress,
}

impl Tail {
    /// Puts the tail together and begins to follow; the returned task ends when `stop` is cancelled.
    #[must_use]
    pub fn start(parts: Parts, stop: CancellationToken) -> (Arc<Self>, tokio::task::JoinHandle<()>) {
        let progress = Progress::default();
        let tail = Arc::new(Self { topics: parts.topics.clone(), index: Arc::clone(&parts.index), progress });
        let following = Arc::clone(&tail);
        let task = tokio::spawn(async move {
            let parts = Arc::new(parts);
            let mut topics = JoinSet::new();
            for topic in &parts.topics {
                topics.spawn(follow::topic(Arc::clone(&parts), topic.clone(), following.progress.clone()));
            }
            stop.cancelled().await;
            topics.shutdown().await;
        });
        (tail, task)
    }

    /// Waits until the index has everything that stood in the topics when this was called, of every cluster that can be
    /// reached; at most `within`.
    pub async fn caught_up(&self, within: Duration) -> Result<(), CatchUpError> {
        self.caught_up_on(|_| true, within).await
    }

    /// The same of some topics only.
    pub async fn caught_up_on(&self, which: impl Fn(&TopicName) -> bool, within: Duration) -> Result<(), CatchUpError> {
        let all = async {
            let mut unreachable = None;
            for topic in self.topics.iter().filter(|topic| which(&topic.name)) {
                if let Err(error) = self.wait_for(topic).await {
                    unreachable = Some(error);
                }
            }
            unreachable.map_or(Ok(()), Err)
        };
        tokio::time::timeout(within, all).await.unwrap_or(Err(CatchUpError::Late(within)))
    }

    async fn wait_for(&self, topic: &Topic) -> Result<(), CatchUpError> {
        for (partition, ends) in topic.log.ends_of(&topic.name).await?.unwrap_or_default() {
            if ends.next > ends.first {
                self.progress.reaches(&partition, ends.next).await;
            }
        }
        Ok(())
    }

    /// How many records of the followed topics the index does not have yet, as far as the clusters can be asked.
    pub async fn behind(&self) -> Result<i64, CatchUpError> {
        let positions = self.index.positions()?;
        let mut behind = 0;
        for topic in &self.topics {
            for (at, ends) in topic.log.ends_of(&topic.name).await?.unwrap_or_default() {
                let next = positions.get(&follow::in_index(&at)).copied().unwrap_or(ends.first);
                behind += ends.next.saturating_sub(next.max(ends.first)).max(0);
            }
        }
        Ok(behind)
    }
}
