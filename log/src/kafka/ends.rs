//! Where partitions begin and end, asked together: what is asked while a question is under way goes out with the next.
//! A lane's partitions are all opened at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::asking::Asking;
use super::convert::list;
use super::elsewhere::ask_elsewhere;
use super::error::log_error_told;
use crate::backoff::Backoff;
use crate::contract::Watermarks;
use crate::error::{LogError, LogErrorKind};
use crate::topic::TopicPartition;

/// Partitions asked about in one question at most.
const BATCH: usize = 512;
/// For how long many partitions are asked about together: one that does not answer holds up all the others, and what is
/// asked meanwhile, once.
const TOGETHER: Duration = Duration::from_secs(2);
/// Partitions that are asked about alone, at a time.
const ALONE: usize = 64;

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
    let (alone, mut batch) = (Arc::new(Alone::new(asking.clone())), Vec::new());
    let mut asked_alone = JoinSet::new();
    while taken.recv_many(&mut batch, BATCH).await > 0 {
        let mut wanted: BTreeMap<TopicPartition, Vec<Answer>> = BTreeMap::new();
        // Whoever asked may have stopped waiting.
        for (at, answer) in batch.drain(..).filter(|(_, answer)| !answer.is_closed()) {
            wanted.entry(at).or_default().push(answer);
        }
        let well: Vec<_> = wanted.keys().filter(|at| !alone.is_troubled(at)).cloned().collect();
        let told = together(&asking, well).await;
        for (at, answers) in wanted {
            match told.get(&at) {
                Some(ends) => tell(answers, &Ok(*ends)),
                None if alone.wait(&at, answers) => {
                    let alone = Arc::clone(&alone);
                    asked_alone.spawn(async move { alone.ask(at).await });
                }
                None => {}
            }
        }
        while asked_alone.try_join_next().is_some() {}
    }
}

fn tell(answers: Vec<Answer>, told: &Result<Watermarks, LogError>) {
    for answer in answers {
        // Whoever asked may have stopped waiting.
        drop(answer.send(told.clone()));
    }
}

/// Partitions that could not be told together with others.
struct Alone {
    asking: Arc<Asking>,
    turns: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Who waits for a question about a partition that is still to be asked.
    waiting: BTreeMap<TopicPartition, Vec<Answer>>,
    /// Partitions of which the last question failed: they are kept apart until one is answered.
    troubled: BTreeSet<TopicPartition>,
}

impl Alone {
    fn new(asking: Arc<Asking>) -> Self {
        Self { asking, turns: Semaphore::new(ALONE), state: Mutex::default() }
    }

    fn is_troubled(&self, at: &TopicPartition) -> bool {
        self.state().troubled.contains(at)
    }

    /// Adds those who wait for an answer about a partition. Whether its question has to be put, which none waits to be.
    fn wait(&self, at: &TopicPartition, answers: Vec<Answer>) -> bool {
        let mut state = self.state();
        let is_new = !state.waiting.contains_key(at);
        state.waiting.entry(at.clone()).or_default().extend(answers);
        is_new
    }

    /// Asks about a partition once it is its turn, if anybody still waits then.
    async fn ask(&self, at: TopicPartition) {
        // Never closed.
        let _turn = self.turns.acquire().await;
        let mut answers = self.state().waiting.remove(&at).unwrap_or_default();
        answers.retain(|answer| !answer.is_closed());
        if answers.is_empty() {
            return;
        }
        let told = one(&self.asking, &at).await;
        match &told {
            Err(error) if error.is_transient() => self.state().troubled.insert(at),
            _ => self.state().troubled.remove(&at),
        };
        tell(answers, &told);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ends of those that can be told together: an error of one partition may be one of all.
async fn together(asking: &Asking, partitions: Vec<TopicPartition>) -> BTreeMap<TopicPartition, Watermarks> {
    if partitions.is_empty() {
        return BTreeMap::new();
    }
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

/// A partition that was just made has no leader yet, so an error may pass; and of one that has none librdkafka says that
/// there is no such partition.
async fn one(asking: &Asking, at: &TopicPartition) -> Result<Watermarks, LogError> {
    let (client, timeout) = (asking.client(), asking.timeout());
    let (asked, until) = (at.clone(), Instant::now() + timeout);
    let question = move || {
        let (first, next) = client.fetch_watermarks(asked.topic.as_str(), asked.partition, timeout)?;
        Ok(Watermarks { first, next })
    };
    let wrong = |error: &KafkaError| log_error_told(OPERATION, at, error, asking.told());
    let mut delays = Backoff::new(Duration::from_millis(20), Duration::from_millis(500)).delays(0);
    loop {
        match ask_elsewhere(OPERATION, at, timeout, question.clone(), wrong).await {
            Ok(ends) => {
                asking.told().forget();
                return Ok(ends);
            }
            Err(error) if error.kind == LogErrorKind::UnknownTopic => {
                asking.must_exist_now(OPERATION, at).await?;
                if until <= Instant::now() {
                    return Err(LogError::new(OPERATION, at, LogErrorKind::Transient, "no broker leads it now"));
                }
            }
            Err(error) => return Err(error),
        }
        delays.wait().await;
    }
}
