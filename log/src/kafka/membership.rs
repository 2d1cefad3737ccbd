//! A place in the group that shares the lanes out (classic protocol, `cooperative-sticky`).
//!
//! librdkafka's rebalance callback only writes down what happened; the owner task acts on it. An assignment is
//! acknowledged at once, a revocation when the caller has released every lane of it, and until then the broker waits,
//! at most the rebalance time-out. The task polls all the while, so a member that drains stays a member.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::{mpsc, oneshot};

use super::bootstrap;
use super::config::KafkaConfig;
use super::context::Told;
use super::elsewhere::{ask_elsewhere, run_elsewhere};
use super::error::log_error;
use crate::contract::{Membership, OwnershipChange, Pulse};
use crate::error::{LogError, LogErrorKind};
use crate::mark::Mark;
use crate::topic::TopicName;

/// How long the coordinator's answer to leaving is waited for. It gives none before that to a join, which it holds back
/// while other members drain or are dead and not yet known to be; the client would wait for five seconds.
const LEAVE: Duration = Duration::from_secs(1);

/// While lanes are being drained, how often it is looked whether they are lost already.
const LOOK_WHETHER_LOST: Duration = Duration::from_millis(500);

/// How long a claim is tried again while the group's coordinator is away or the group is being shared out anew.
const CLAIM: Duration = Duration::from_secs(3);

/// What the callback wrote down.
enum Fact {
    Assigned(Vec<i32>),
    Revoked { lanes: Vec<i32>, lost: bool },
}

enum Command {
    Released(Vec<i32>),
    Leave(oneshot::Sender<()>),
}

struct Context {
    told: Told,
    facts: mpsc::UnboundedSender<Fact>,
    /// Set before the client is closed: closing polls the callback and waits for what it would otherwise leave to the
    /// owner task.
    closing: Arc<AtomicBool>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.told.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.told.error(error, reason);
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, client: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigned = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Acquire) {
            let done = if assigned { client.incremental_assign(list) } else { client.incremental_unassign(list) };
            if let Err(error) = done {
                tracing::warn!(%error, "a rebalance while leaving the group failed");
            }
            return;
        }
        let lanes = list.elements().iter().map(|element| element.partition()).collect();
        let fact =
            if assigned { Fact::Assigned(lanes) } else { Fact::Revoked { lanes, lost: client.assignment_lost() } };
        // Without an owner task the client is about to be closed, and closing acts by itself.
        drop(self.facts.send(fact));
    }
}

/// The marks that this member has put on lanes that are its own.
type Claimed = Arc<Mutex<BTreeMap<i32, Mark>>>;

pub(super) struct KafkaMembership {
    group: String,
    topic: TopicName,
    /// The owner task's client, for claims: the end of that task must stay the end of the client.
    client: Weak<StreamConsumer<Context>>,
    /// See [`Place::losses`].
    losses: Arc<AtomicU64>,
    /// See [`Place::claimed`].
    claimed: Claimed,
    session: Duration,
    commands: mpsc::UnboundedSender<Command>,
    changes: mpsc::UnboundedReceiver<Result<OwnershipChange, LogError>>,
}

impl KafkaMembership {
    pub(super) fn start(config: &KafkaConfig, group: &str, member: &str, topic: &TopicName) -> Result<Self, LogError> {
        let (facts_in, facts) = mpsc::unbounded_channel();
        let (commands_in, commands) = mpsc::unbounded_channel();
        let (changes_in, changes) = mpsc::unbounded_channel();
        let closing = Arc::new(AtomicBool::new(false));
        let (told, down) = Told::new();
        let context = Context { told, facts: facts_in, closing: closing.clone() };
        let wrong = |error| log_error("join", group, &error);
        let client = StreamConsumer::from_config_and_context(&config.member(group, member), context).map_err(wrong)?;
        let client = Arc::new(client);
        bootstrap::keep(down, &config.brokers, &client, |client| client.client());
        let claims = Arc::downgrade(&client);
        let losses = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&losses);
        let claimed = Claimed::default();
        let place = Place {
            client: Some(client),
            closing,
            facts,
            topic: topic.clone(),
            draining: Vec::new(),
            losses: counted,
            claimed: Arc::clone(&claimed),
        };
        place.client().subscribe(&[topic.as_str()]).map_err(wrong)?;
        let owner = Owner { place, changes: changes_in, greeted: false, left_to_release: Vec::new() };
        tokio::spawn(owner.run(commands));
        Ok(Self {
            group: group.to_owned(),
            topic: topic.clone(),
            client: claims,
            losses,
            claimed,
            session: config.session_timeout,
            commands: commands_in,
            changes,
        })
    }

    fn ended(&self) -> LogError {
        LogError::new("member of", &self.group, LogErrorKind::Fatal, "the membership has ended")
    }
}

/// Asks after one place. The client is the owner task's, as for claims.
struct KafkaPulse {
    group: String,
    topic: TopicName,
    client: Weak<StreamConsumer<Context>>,
    losses: Arc<AtomicU64>,
    claimed: Claimed,
}

#[async_trait]
impl Pulse for KafkaPulse {
    /// Commits by the member once more what its claims have committed: the coordinator refuses one of an older generation,
    /// and takes it for a sign of life like a heartbeat, whose answers librdkafka keeps to itself.
    async fn beat(&self) -> Result<bool, LogError> {
        let losses = self.losses.load(Ordering::SeqCst);
        let claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if claimed.is_empty() {
            return Ok(false);
        }
        let wrong = |error: &KafkaError| log_error("sign of life in", &self.group, error);
        let marks = marks(&self.topic, claimed).map_err(|error| wrong(&error))?;
        let client = self.client.clone();
        let commit = move || client.upgrade().ok_or(KafkaError::Canceled)?.commit(&marks, CommitMode::Sync);
        let answer = run_elsewhere("sign of life in", &self.group, commit).await?;
        answer.map_err(|error| wrong(&error))?;
        if self.losses.load(Ordering::SeqCst) != losses {
            return Err(LogError::new("sign of life in", &self.group, LogErrorKind::Transient, LOST));
        }
        Ok(true)
    }
}

/// Why an answer that was overtaken by a loss says nothing.
const LOST: &str = "lanes were lost meanwhile";

#[async_trait]
impl Membership for KafkaMembership {
    fn session(&self) -> Duration {
        self.session
    }

    fn pulse(&self) -> Arc<dyn Pulse> {
        Arc::new(KafkaPulse {
            group: self.group.clone(),
            topic: self.topic.clone(),
            client: self.client.clone(),
            losses: Arc::clone(&self.losses),
            claimed: Arc::clone(&self.claimed),
        })
    }

    async fn next(&mut self) -> Result<OwnershipChange, LogError> {
        match self.changes.recv().await {
            Some(change) => change,
            None => Err(self.ended()),
        }
    }

    async fn released(&mut self, lanes: &[i32]) -> Result<(), LogError> {
        // Before the coordinator may hear of it: no sign of life names a lane that is somebody else's.
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).retain(|lane, _| !lanes.contains(lane));
        self.commands.send(Command::Released(lanes.to_vec())).map_err(|_| self.ended())
    }

    /// The mark is the metadata of a commit by the *member*: the coordinator refuses one of an older generation. A
    /// member that was thrown out joins anew under a new one, but not before the loss was counted.
    async fn claim(&mut self, lanes: &[i32], mark: Mark) -> Result<BTreeMap<i32, Mark>, LogError> {
        let losses = self.losses.load(Ordering::SeqCst);
        let wrong = |error: &KafkaError| log_error("claim in", &self.group, error);
        let claimed: BTreeMap<i32, Mark> = lanes.iter().map(|lane| (*lane, mark)).collect();
        let put = marks(&self.topic, claimed.clone()).map_err(|error| wrong(&error))?;
        let (reading, writing, asked) = (self.client.clone(), self.client.clone(), put.clone());
        let client = |client: &Weak<StreamConsumer<Context>>| client.upgrade().ok_or(KafkaError::Canceled);
        let read = move || client(&reading)?.committed_offsets(asked.clone(), CLAIM);
        // Read once: after a write that failed or not, nobody knows, one's own mark may stand there.
        let before = ask_elsewhere("claim in", &self.group, CLAIM, read, wrong).await?;
        let write = move || client(&writing)?.commit(&put, CommitMode::Sync);
        ask_elsewhere("claim in", &self.group, CLAIM, write, wrong).await?;
        // A loss is counted first and clears this then: whichever comes first, no sign of life names a lane that was lost.
        let mut named = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if self.losses.load(Ordering::SeqCst) != losses {
            return Err(LogError::new("claim in", &self.group, LogErrorKind::Transient, LOST));
        }
        named.extend(claimed);
        drop(named);
        let mark = |element: &TopicPartitionListElem<'_>| Some((element.partition(), element.metadata().parse().ok()?));
        Ok(before.elements().iter().filter_map(mark).collect())
    }

    async fn leave(self: Box<Self>) -> Result<(), LogError> {
        let (left, done) = oneshot::channel();
        self.commands.send(Command::Leave(left)).map_err(|_| self.ended())?;
        match tokio::time::timeout(LEAVE, done).await {
            Ok(answered) => answered.map_err(|_| self.ended()),
            Err(_) => {
                tracing::debug!(group = %self.group, "left without an answer: the group is being shared out anew");
                Ok(())
            }
        }
    }
}

/// The client with what has to be answered before it can be closed.
struct Place {
    /// Taken when it is closed.
    client: Option<Arc<StreamConsumer<Context>>>,
    closing: Arc<AtomicBool>,
    facts: mpsc::UnboundedReceiver<Fact>,
    topic: TopicName,
    /// The lanes of the revocation that librdkafka waits for.
    draining: Vec<i32>,
    /// How often lanes were lost; counted before librdkafka has its answer to the loss, until which it does not rejoin.
    losses: Arc<AtomicU64>,
    /// Grows with each claim; lanes that are released or lost leave it before anybody else is given them.
    claimed: Claimed,
}

impl Place {
    #[expect(clippy::expect_used, reason = "emptied by closing alone, which takes the place itself")]
    fn client(&self) -> &StreamConsumer<Context> {
        self.client.as_ref().expect("a place has its client until it is closed")
    }

    fn lost(&self) {
        self.losses.fetch_add(1, Ordering::SeqCst);
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Answers what librdkafka waits for, leaves the group, and ends the client. Blocks.
    fn close(&mut self) {
        let Some(client) = self.client.take() else { return };
        self.closing.store(true, Ordering::Release);
        let mut answers = Vec::new();
        let draining = std::mem::take(&mut self.draining);
        if !draining.is_empty() {
            answers.push(self.revoke(&client, &draining));
        }
        while let Ok(fact) = self.facts.try_recv() {
            answers.push(match fact {
                Fact::Assigned(lanes) => self.assign(&client, &lanes),
                Fact::Revoked { lanes, .. } => self.revoke(&client, &lanes),
            });
        }
        for error in answers.into_iter().filter_map(Result::err) {
            tracing::debug!(%error, "a rebalance was overtaken by leaving the group");
        }
        drop(client);
    }

    fn assign(&self, client: &StreamConsumer<Context>, lanes: &[i32]) -> KafkaResult<()> {
        client.incremental_assign(&list(&self.topic, lanes, Offset::End)?)
    }

    fn revoke(&self, client: &StreamConsumer<Context>, lanes: &[i32]) -> KafkaResult<()> {
        client.incremental_unassign(&list(&self.topic, lanes, Offset::Invalid)?)
    }
}

fn list(topic: &TopicName, lanes: &[i32], offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for lane in lanes {
        list.add_partition_offset(topic.as_str(), *lane, offset)?;
    }
    Ok(list)
}

/// A commit that puts marks on lanes.
fn marks(topic: &TopicName, marks: BTreeMap<i32, Mark>) -> KafkaResult<TopicPartitionList> {
    let lanes: Vec<i32> = marks.keys().copied().collect();
    let list = list(topic, &lanes, Offset::Offset(0))?;
    for (lane, mark) in marks {
        if let Some(mut element) = list.find_partition(topic.as_str(), lane) {
            element.set_metadata(mark.to_string());
        }
    }
    Ok(list)
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.client.is_none() {
            return;
        }
        let (_, no_facts) = mpsc::unbounded_channel();
        let place = Closing(Place {
            client: self.client.take(),
            closing: self.closing.clone(),
            facts: std::mem::replace(&mut self.facts, no_facts),
            topic: self.topic.clone(),
            draining: std::mem::take(&mut self.draining),
            losses: self.losses.clone(),
            claimed: self.claimed.clone(),
        });
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(place))),
            Err(_) => drop(place),
        }
    }
}

/// A place that is closed where this is dropped: elsewhere, or here by a runtime that is ending and takes no more work.
struct Closing(Place);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The owner task's state.
struct Owner {
    place: Place,
    changes: mpsc::UnboundedSender<Result<OwnershipChange, LogError>>,
    /// Whether the first acquisition, which may be of nothing, was told.
    greeted: bool,
    /// Of the lanes being drained, those not released yet.
    left_to_release: Vec<i32>,
}

impl Owner {
    /// Ends when the membership is dropped or left; both leave the group.
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut look = tokio::time::interval(LOOK_WHETHER_LOST);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Released(lanes)) => self.released(&lanes),
                    Some(Command::Leave(left)) => {
                        let mut place = self.place;
                        let close = move || {
                            place.close();
                            // Whoever asked may have stopped waiting.
                            let _ = left.send(());
                        };
                        // Not on a thread of the runtime, whose end would wait for it.
                        let thread = std::thread::Builder::new().name("twinlog-kafka-leave".to_owned());
                        if let Err(error) = thread.spawn(close) {
                            tracing::warn!(%error, "leaving the group failed");
                        }
                        return;
                    }
                    None => return,
                },
                Some(fact) = self.place.facts.recv() => self.act(fact),
                _ = look.tick(), if !self.place.draining.is_empty() => self.look_whether_lost(),
                event = async { self.place.client.as_ref()?.recv().await.err() } => self.heed(event),
            }
        }
    }

    fn act(&mut self, fact: Fact) {
        match fact {
            Fact::Assigned(lanes) => {
                let done = self.place.assign(self.place.client(), &lanes);
                self.heed(done.err());
                if !lanes.is_empty() || !self.greeted {
                    self.greeted = true;
                    self.tell(Ok(OwnershipChange::Acquired(lanes)));
                }
            }
            Fact::Revoked { lanes, lost: true } => {
                self.place.lost();
                let done = self.place.revoke(self.place.client(), &lanes);
                self.heed(done.err());
                self.tell(Ok(OwnershipChange::Lost(lanes)));
            }
            Fact::Revoked { lanes, lost: false } => {
                self.place.draining.clone_from(&lanes);
                self.left_to_release.clone_from(&lanes);
                self.tell(Ok(OwnershipChange::Revoked(lanes)));
                self.released(&[]);
            }
        }
    }

    /// librdkafka takes the answer to a revocation once, so it is given when the last lane is released.
    fn released(&mut self, lanes: &[i32]) {
        self.left_to_release.retain(|lane| !lanes.contains(lane));
        if self.left_to_release.is_empty() && !self.place.draining.is_empty() {
            let drained = std::mem::take(&mut self.place.draining);
            let done = self.place.revoke(self.place.client(), &drained);
            self.heed(done.err());
        }
    }

    /// A member that drains for too long is thrown out, and librdkafka says nothing of it before it has its answer.
    fn look_whether_lost(&mut self) {
        if self.place.client().assignment_lost() {
            let lost = self.place.draining.clone();
            self.place.lost();
            self.tell(Ok(OwnershipChange::Lost(lost.clone())));
            self.released(&lost);
        }
    }

    fn heed(&self, event: Option<KafkaError>) {
        let Some(event) = event else { return };
        let error = log_error("member of", "the group", &event);
        match error.kind {
            LogErrorKind::Refused | LogErrorKind::Fatal | LogErrorKind::UnknownTopic => self.tell(Err(error)),
            _ => tracing::debug!(%error, "the group's client reports an error"),
        }
    }

    fn tell(&self, change: Result<OwnershipChange, LogError>) {
        // Nobody listens any more: the command channel ends, and with it this task.
        drop(self.changes.send(change));
    }
}
