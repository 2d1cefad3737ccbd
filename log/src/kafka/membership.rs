//! A place in the group that shares the lanes out (classic protocol, `cooperative-sticky`).
//!
//! librdkafka's rebalance callback only writes down what happened; the owner task acts on it. An assignment is
//! acknowledged at once, a revocation when the caller has released every lane of it, and until then the broker waits,
//! at most the rebalance time-out. The task polls all the while, so a member that drains stays a member.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::{mpsc, oneshot};

use super::config::KafkaConfig;
use super::context::Told;
use super::elsewhere::run_elsewhere;
use super::error::log_error;
use crate::contract::{Membership, OwnershipChange};
use crate::error::{LogError, LogErrorKind};
use crate::topic::TopicName;

/// While lanes are being drained, how often it is looked whether they are lost already.
const LOOK_WHETHER_LOST: Duration = Duration::from_millis(500);

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

pub(super) struct KafkaMembership {
    group: String,
    commands: mpsc::UnboundedSender<Command>,
    changes: mpsc::UnboundedReceiver<Result<OwnershipChange, LogError>>,
}

impl KafkaMembership {
    pub(super) fn start(config: &KafkaConfig, group: &str, member: &str, topic: &TopicName) -> Result<Self, LogError> {
        let (facts_in, facts) = mpsc::unbounded_channel();
        let (commands_in, commands) = mpsc::unbounded_channel();
        let (changes_in, changes) = mpsc::unbounded_channel();
        let closing = Arc::new(AtomicBool::new(false));
        let context = Context { told: Told::default(), facts: facts_in, closing: closing.clone() };
        let wrong = |error| log_error("join", group, &error);
        let client = StreamConsumer::from_config_and_context(&config.member(group, member), context).map_err(wrong)?;
        let place = Place { client: Some(client), closing, facts, topic: topic.clone(), draining: Vec::new() };
        place.client().subscribe(&[topic.as_str()]).map_err(wrong)?;
        let owner = Owner { place, changes: changes_in, greeted: false, left_to_release: Vec::new() };
        tokio::spawn(owner.run(commands));
        Ok(Self { group: group.to_owned(), commands: commands_in, changes })
    }

    fn ended(&self) -> LogError {
        LogError::new("member of", &self.group, LogErrorKind::Fatal, "the membership has ended")
    }
}

#[async_trait]
impl Membership for KafkaMembership {
    async fn next(&mut self) -> Result<OwnershipChange, LogError> {
        match self.changes.recv().await {
            Some(change) => change,
            None => Err(self.ended()),
        }
    }

    async fn released(&mut self, lanes: &[i32]) -> Result<(), LogError> {
        self.commands.send(Command::Released(lanes.to_vec())).map_err(|_| self.ended())
    }

    async fn leave(self: Box<Self>) -> Result<(), LogError> {
        let (left, done) = oneshot::channel();
        self.commands.send(Command::Leave(left)).map_err(|_| self.ended())?;
        done.await.map_err(|_| self.ended())
    }
}

/// The client with what has to be answered before it can be closed.
struct Place {
    /// Taken when it is closed.
    client: Option<StreamConsumer<Context>>,
    closing: Arc<AtomicBool>,
    facts: mpsc::UnboundedReceiver<Fact>,
    topic: TopicName,
    /// The lanes of the revocation that librdkafka waits for.
    draining: Vec<i32>,
}

impl Place {
    #[expect(clippy::expect_used, reason = "emptied by closing alone, which takes the place itself")]
    fn client(&self) -> &StreamConsumer<Context> {
        self.client.as_ref().expect("a place has its client until it is closed")
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
        client.incremental_assign(&self.list(lanes, Offset::End)?)
    }

    fn revoke(&self, client: &StreamConsumer<Context>, lanes: &[i32]) -> KafkaResult<()> {
        client.incremental_unassign(&self.list(lanes, Offset::Invalid)?)
    }

    fn list(&self, lanes: &[i32], offset: Offset) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for lane in lanes {
            list.add_partition_offset(self.topic.as_str(), *lane, offset)?;
        }
        Ok(list)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.client.is_none() {
            return;
        }
        let (_, no_facts) = mpsc::unbounded_channel();
        let mut place = Place {
            client: self.client.take(),
            closing: self.closing.clone(),
            facts: std::mem::replace(&mut self.facts, no_facts),
            topic: self.topic.clone(),
            draining: std::mem::take(&mut self.draining),
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || place.close())),
            Err(_) => place.close(),
        }
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
                        if let Err(error) = run_elsewhere("leave", "the group", move || place.close()).await {
                            tracing::warn!(%error, "leaving the group failed");
                        }
                        // Whoever asked may have stopped waiting.
                        let _ = left.send(());
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
