//! Where partitions begin and end, asked together: what is asked while a question is under way goes out with the next.
//! A lane's partitions are all opened at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::asking::Asking;
use super::convert::list;
use super::elsewhere::ask_elsewhere;
use super::error::log_error_told;
use crate::contract::Watermarks;
use crate::error::{LogError, LogErrorKind};
use crate::topic::TopicPartition;

/// Partitions asked about in one question at most.
const BATCH: usize = 512;
/// For how long many partitions are asked about together: one that does not answer holds up all the others, and what is
/// asked meanwhile.
const TOGETHER: Duration = Duration::from_secs(2);
/// Partitions that are asked about alone, at a time.
const ALONE: usize = 16;

type Answer = oneshot::Sender<Result<Watermarks, LogError>>;

/// The handle; its task ends with it.
pub(super) struct Ends {
    wanted: mpsc::UnboundedSender<(TopicPartition, Answer)>,
}

impl Ends {
    pub(super) fn start(asking: Arc<Asking>) -> Self {
        let (wanted, taken) = mpsc::unbounded_channel();
        tokio::spawn(own(asking, taken));
        Self { wanted }
    }

    /// See [`crate::Log::watermarks`]: as they are after this was called. The partition must exist, or the answer takes long.
    pub(super) async fn of(&self, at: &TopicPartition) -> Result<Watermarks, LogError> {
        let ended = || LogError::new(OPERATION, at, LogErrorKind::Fatal, "the log's clients have ended");
        let (answer, told) = oneshot::channel();
        self.wanted.send((at.clone(), answer)).map_err(|_| ended())?;
        told.await.map_err(|_| ended())?
    }
}

const OPERATION: &str = "watermarks of";

async fn own(asking: Arc<Asking>, mut taken: mpsc::UnboundedReceiver<(TopicPartition, Answer)>) {
    let (turns, mut alone, mut batch) = (Arc::new(Semaphore::new(ALONE)), JoinSet::new(), Vec::new());
    while taken.recv_many(&mut batch, BATCH).await > 0 {
        let mut wanted: BTreeMap<TopicPartition, Vec<Answer>> = BTreeMap::new();
        // Whoever asked may have stopped waiting.
        for (at, answer) in batch.drain(..).filter(|(_, answer)| !answer.is_closed()) {
            wanted.entry(at).or_default().push(answer);
        }
        let told = together(&asking, wanted.keys().cloned().collect()).await;
        for (at, answers) in wanted {
            match told.get(&at) {
                Some(ends) => tell(answers, &Ok(*ends)),
                None => {
                    let (asking, turns) = (Arc::clone(&asking), Arc::clone(&turns));
                    alone.spawn(async move {
                        // Never closed.
                        let _turn = turns.acquire().await;
                        tell(answers, &one(&asking, at).await);
                    });
                }
            }
        }
        while alone.try_join_next().is_some() {}
    }
}

fn tell(answers: Vec<Answer>, told: &Result<Watermarks, LogError>) {
    for answer in answers {
        // Whoever asked may have stopped waiting.
        drop(answer.send(told.clone()));
    }
}

/// The ends of those that can be told together: an error of one partition may be one of all.
async fn together(asking: &Asking, partitions: Vec<TopicPartition>) -> BTreeMap<TopicPartition, Watermarks> {
    let told = asking.ask("ends of partitions of", asking.brokers().to_owned(), move |client, timeout| {
        // What the protocol calls times are these two as well: `ListOffsets` of the Kafka protocol, -2 and -1.
        let of =
            |end: Offset| client.offsets_for_times(list(partitions.iter().map(|at| (at, end)))?, timeout.min(TOGETHER));
        let (first, next) = (of(Offset::Beginning)?, of(Offset::End)?);
        let ends = partitions.into_iter().filter_map(|at| {
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

/// What was answered about a partition.
fn offset(answers: &TopicPartitionList, at: &TopicPartition) -> Option<i64> {
    let answer = answers.find_partition(at.topic.as_str(), at.partition)?;
    match (answer.error(), answer.offset()) {
        (Ok(()), Offset::Offset(offset)) => Some(offset),
        _ => None,
    }
}

/// A partition that was just made has no leader yet, so an error may pass.
async fn one(asking: &Asking, at: TopicPartition) -> Result<Watermarks, LogError> {
    let (client, timeout, asked) = (asking.client(), asking.timeout(), at.clone());
    let question = move || {
        let (first, next) = client.fetch_watermarks(asked.topic.as_str(), asked.partition, timeout)?;
        Ok(Watermarks { first, next })
    };
    let wrong = |error: &KafkaError| log_error_told(OPERATION, &at, error, asking.told());
    ask_elsewhere(OPERATION, &at, timeout, question, wrong).await.inspect(|_| asking.told().forget())
}
