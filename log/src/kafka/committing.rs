//! Commits of one reader, together: what is asked for while a commit is under way goes out with the next. Each commit
//! is a record for the broker to write, and a lane's partitions are all due at the same time.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use tokio::sync::{mpsc, oneshot};

use super::context::Told;
use super::convert::list;
use super::elsewhere::ask_elsewhere;
use super::error::log_error_told;
use super::reader::Client;
use crate::contract::Committed;
use crate::error::{LogError, LogErrorKind};
use crate::topic::TopicPartition;

/// Commits sent in one request at most: each carries up to 4 KiB of metadata.
const BATCH: usize = 64;

type Answer = oneshot::Sender<Result<(), LogError>>;

/// The handle; its task ends with it.
pub(super) struct Committing {
    wanted: mpsc::UnboundedSender<(TopicPartition, Committed, Answer)>,
}

impl Committing {
    /// `patience`: how long a commit is tried again while the group's coordinator is away.
    pub(super) fn start(client: Client, told: Told, patience: Duration) -> Self {
        let (wanted, taken) = mpsc::unbounded_channel();
        tokio::spawn(Owner { client, told, patience }.run(taken));
        Self { wanted }
    }

    /// See [`crate::Reader::commit`]. Of two commits of one partition that wait together the later one counts.
    pub(super) async fn commit(&self, partition: &TopicPartition, commit: &Committed) -> Result<(), LogError> {
        let ended = || LogError::new("commit", partition, LogErrorKind::Fatal, "the reader has ended");
        let (answer, done) = oneshot::channel();
        self.wanted.send((partition.clone(), commit.clone(), answer)).map_err(|_| ended())?;
        done.await.map_err(|_| ended())?
    }
}

struct Owner {
    client: Client,
    told: Told,
    patience: Duration,
}

impl Owner {
    async fn run(self, mut taken: mpsc::UnboundedReceiver<(TopicPartition, Committed, Answer)>) {
        let mut batch = Vec::with_capacity(BATCH);
        while taken.recv_many(&mut batch, BATCH).await > 0 {
            let (mut commits, mut answers) = (BTreeMap::new(), Vec::with_capacity(batch.len()));
            for (partition, commit, answer) in batch.drain(..) {
                commits.insert(partition.clone(), commit);
                answers.push((partition, answer));
            }
            let together = self.send(&commits).await;
            for (partition, answer) in answers {
                let outcome = match (&together, commits.get(&partition)) {
                    // The answer does not say which of them was refused.
                    (Err(_), Some(commit)) if commits.len() > 1 => {
                        self.send(&BTreeMap::from([(partition, commit.clone())])).await
                    }
                    _ => together.clone(),
                };
                // Whoever asked may have stopped waiting.
                drop(answer.send(outcome));
            }
        }
    }

    async fn send(&self, commits: &BTreeMap<TopicPartition, Committed>) -> Result<(), LogError> {
        let subject = match commits.first_key_value() {
            Some((only, _)) if commits.len() == 1 => only.to_string(),
            _ => format!("{} partitions", commits.len()),
        };
        let wrong = |error: &KafkaError| log_error_told("commit", &subject, error, &self.told);
        let offsets = commits.iter().map(|(partition, commit)| (partition, Offset::Offset(commit.offset)));
        let offsets = list(offsets).map_err(|error| wrong(&error))?;
        for (partition, commit) in commits {
            if let Some(mut element) = offsets.find_partition(partition.topic.as_str(), partition.partition) {
                element.set_metadata(&commit.metadata);
            }
        }
        let client = self.client.clone();
        let ask = move || client.commit(&offsets, CommitMode::Sync);
        ask_elsewhere("commit", &subject, self.patience, ask, wrong).await
    }
}
