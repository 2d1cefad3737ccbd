//! Reading partitions assigned by hand, each from a queue of its own.
//!
//! One owner task per reader does all assigning and unassigning, in the order asked, and serves the client's main queue.
//! A partition is split off the main queue *before* it is assigned: librdkafka then never forwards it there (a queue
//! that the application has forwarded stays so across assignments), and no record can land where nobody reads it.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use rdkafka::Offset;
use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::Message;
use tokio::sync::{mpsc, oneshot};

use super::asking::Asking;
use super::committing::Committing;
use super::context::Told;
use super::convert::{fetched, list};
use super::elsewhere::{Held, drop_elsewhere, run_elsewhere};
use super::error::log_error;
use crate::contract::{Committed, PartitionReader, Reader};
use crate::error::{LogError, LogErrorKind};
use crate::record::Fetched;
use crate::topic::TopicPartition;

pub(super) type Client = Held<Arc<StreamConsumer<Told>>>;
type Queue = StreamPartitionQueue<Told>;

/// Commands taken together at most.
const BATCH: usize = 512;

enum Command {
    Assign(Vec<Wanted>),
    Unassign(TopicPartition, Queue),
}

/// A partition that is to be read.
struct Wanted {
    /// What reads it once it has its queue. From then on dropping it unassigns the partition, wherever it is: an answer that
    /// was sent may never be taken.
    reader: KafkaPartitionReader,
    offset: i64,
    answer: oneshot::Sender<Result<KafkaPartitionReader, LogError>>,
}

pub(super) struct KafkaReader {
    asking: Arc<Asking>,
    commands: mpsc::UnboundedSender<Command>,
    commits: Committing,
}

impl KafkaReader {
    pub(super) fn start(client: Client, told: Told, asking: Arc<Asking>, patience: Duration) -> Self {
        let (commands, taken) = mpsc::unbounded_channel();
        tokio::spawn(own(client.clone(), taken));
        let commits = Committing::start(client, told, patience);
        Self { asking, commands, commits }
    }
}

#[async_trait]
impl Reader for KafkaReader {
    async fn assign(&self, partition: &TopicPartition, offset: i64) -> Result<Box<dyn PartitionReader>, LogError> {
        let mut readers = self.assign_all(&[(partition.clone(), offset)]).await?;
        readers.pop().ok_or_else(|| ended(partition))
    }

    async fn assign_all(&self, wanted: &[(TopicPartition, i64)]) -> Result<Vec<Box<dyn PartitionReader>>, LogError> {
        for (partition, _) in wanted {
            self.asking.must_exist("assign", partition).await?;
        }
        let (mut command, mut answers) = (Vec::with_capacity(wanted.len()), Vec::with_capacity(wanted.len()));
        for (partition, offset) in wanted {
            let (commands, partition) = (self.commands.clone(), partition.clone());
            let reader = KafkaPartitionReader { queue: None, commands, partition, failed: None };
            let (answer, assigned) = oneshot::channel();
            command.push(Wanted { reader, offset: *offset, answer });
            answers.push(assigned);
        }
        self.commands.send(Command::Assign(command)).map_err(|_| ended("partitions"))?;
        let mut readers: Vec<Box<dyn PartitionReader>> = Vec::with_capacity(wanted.len());
        for ((partition, _), answer) in wanted.iter().zip(answers) {
            readers.push(Box::new(answer.await.map_err(|_| ended(partition))??));
        }
        Ok(readers)
    }

    async fn commit(&self, partition: &TopicPartition, commit: &Committed) -> Result<(), LogError> {
        self.commits.commit(partition, commit).await
    }
}

fn ended(subject: impl Display) -> LogError {
    LogError::new("assign", subject, LogErrorKind::Fatal, "the reader has ended")
}

struct KafkaPartitionReader {
    /// Given by the owner task, taken by the destructor.
    queue: Option<Queue>,
    commands: mpsc::UnboundedSender<Command>,
    partition: TopicPartition,
    /// The error that ended the stream: librdkafka says it once and is silent from then on.
    failed: Option<LogError>,
}

#[async_trait]
impl PartitionReader for KafkaPartitionReader {
    async fn next(&mut self) -> Result<Fetched, LogError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        loop {
            let Some(queue) = &self.queue else {
                return Err(LogError::new("read", &self.partition, LogErrorKind::Fatal, "the reader has ended"));
            };
            let error = match queue.recv().await {
                Ok(message) => return Ok(fetched(&message, &self.partition)),
                Err(error) => log_error("read", &self.partition, &error),
            };
            match error.kind {
                LogErrorKind::Transient => {
                    tracing::debug!(partition = %self.partition, %error, "reading goes on after an error");
                }
                LogErrorKind::OffsetOutOfRange => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
                _ => return Err(error),
            }
        }
    }

    fn partition(&self) -> &TopicPartition {
        &self.partition
    }
}

impl Drop for KafkaPartitionReader {
    fn drop(&mut self) {
        let Some(queue) = self.queue.take() else { return };
        // Without an owner task the queue may hold the last share of the client.
        if let Err(unsent) = self.commands.send(Command::Unassign(self.partition.clone(), queue)) {
            drop_elsewhere(unsent);
        }
    }
}

/// The owner task: ends when the reader and all its partition readers are gone.
async fn own(client: Client, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut assigned = BTreeSet::new();
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            count = commands.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    break;
                }
                for run in runs(batch.drain(..)) {
                    match run {
                        Run::Assign(run) => assign(&client, &mut assigned, run).await,
                        Run::Unassign(run) => unassign(&client, &mut assigned, run).await,
                    }
                }
            }
            event = client.recv() => match event {
                Ok(message) => tracing::error!(
                    topic = message.topic(), partition = message.partition(), offset = message.offset(),
                    "a record came where nobody reads: this is a bug"
                ),
                Err(error) => tracing::debug!(%error, "the reader's client reports an error"),
            },
        }
    }
}

impl Wanted {
    fn refuse(self, why: &str) {
        let error = LogError::new("assign", &self.reader.partition, LogErrorKind::Fatal, why);
        // Whoever asked may be gone.
        drop(self.answer.send(Err(error)));
    }
}

/// Consecutive commands of one kind, done together.
enum Run {
    Assign(Vec<Wanted>),
    Unassign(Vec<(TopicPartition, Queue)>),
}

fn runs(commands: impl Iterator<Item = Command>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for command in commands {
        match (command, runs.last_mut()) {
            (Command::Assign(wanted), Some(Run::Assign(run))) => run.extend(wanted),
            (Command::Assign(wanted), _) => runs.push(Run::Assign(wanted)),
            (Command::Unassign(at, queue), Some(Run::Unassign(run))) => run.push((at, queue)),
            (Command::Unassign(at, queue), _) => runs.push(Run::Unassign(vec![(at, queue)])),
        }
    }
    runs
}

async fn assign(client: &Client, assigned: &mut BTreeSet<TopicPartition>, wanted: Vec<Wanted>) {
    let mut split = Vec::with_capacity(wanted.len());
    // Nobody waits for the others any more; who asks again must find the partition free.
    for wanted in wanted.into_iter().filter(|wanted| !wanted.answer.is_closed()) {
        let Wanted { reader: KafkaPartitionReader { partition: at, .. }, offset, .. } = &wanted;
        let refusal = if *offset < 0 {
            Some("a negative offset")
        } else if assigned.insert(at.clone()) {
            None
        } else {
            Some("it is assigned to this reader already")
        };
        let queue = match refusal {
            None => client.split_partition_queue(at.topic.as_str(), at.partition),
            Some(why) => {
                wanted.refuse(why);
                continue;
            }
        };
        match queue {
            Some(queue) => split.push((wanted, queue)),
            None => {
                assigned.remove(at);
                wanted.refuse("no queue for it");
            }
        }
    }
    let outcome = match list(split.iter().map(|(wanted, _)| (&wanted.reader.partition, Offset::Offset(wanted.offset))))
    {
        Ok(_) if split.is_empty() => return,
        Ok(offsets) => {
            let client = client.clone();
            let subject = format!("{} partitions", split.len());
            run_elsewhere("assign", subject, move || client.incremental_assign(&offsets)).await
        }
        Err(error) => Ok(Err(error)),
    };
    let mut unwanted = Vec::new();
    for (Wanted { mut reader, answer, .. }, queue) in split {
        let error = match &outcome {
            Ok(Ok(())) => {
                reader.queue = Some(queue);
                // Nobody waits for it any more.
                if let Err(Ok(mut reader)) = answer.send(Ok(reader)) {
                    unwanted.extend(reader.queue.take().map(|queue| (reader.partition.clone(), queue)));
                }
                continue;
            }
            Ok(Err(error)) => log_error("assign", &reader.partition, error),
            Err(error) => error.clone(),
        };
        assigned.remove(&reader.partition);
        // Whoever asked may be gone.
        drop(answer.send(Err(error)));
    }
    if !unwanted.is_empty() {
        unassign(client, assigned, unwanted).await;
    }
}

async fn unassign(client: &Client, assigned: &mut BTreeSet<TopicPartition>, unwanted: Vec<(TopicPartition, Queue)>) {
    let subject = format!("{} partitions", unwanted.len());
    let outcome = match list(unwanted.iter().map(|(at, _)| (at, Offset::Invalid))) {
        Ok(offsets) => {
            let client = client.clone();
            run_elsewhere("unassign", &subject, move || client.incremental_unassign(&offsets)).await
        }
        Err(error) => Ok(Err(error)),
    };
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, subject, "unassigning failed"),
        Err(error) => tracing::error!(%error, subject, "unassigning failed"),
    }
    for (at, queue) in unwanted {
        // librdkafka keeps the partition's queue: what was fetched ahead would stay in memory.
        while queue.recv().now_or_never().is_some() {}
        assigned.remove(&at);
    }
}
