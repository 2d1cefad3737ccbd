//! The group of processes that share the lanes of a site: which lanes are ours, and which partitions they read.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::actor::{Assignment, Command, Ended, Lane, LaneConfig, LaneFault};
use super::before::Before;
use super::handler::{Handler, Repeat};
use super::lease::Lease;
use super::source::Source;
use super::watch::{Lost, TopicNow, Watch};
use crate::contract::{Committed, Log, Membership, OwnershipChange, Pulse, Reader};
use crate::error::LogError;
use crate::ledger::Ledger;
use crate::topic::{TopicId, TopicInfo, TopicName, TopicPartition};

/// Partitions whose reading is begun at a time.
const AT_ONCE: usize = 16;
/// How soon a lane that could not be begun is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The lanes of one site in this process.
pub struct LaneGroup {
    /// The cluster of the site, where the lanes topic is.
    pub home: Arc<dyn Log>,
    /// The group that decides who owns which lane.
    pub group: String,
    /// This process's name in the group, kept over restarts.
    pub member: String,
    /// What this process marks its lanes with: no other process has it, nor another run of this one.
    pub mark: String,
    /// The lanes topic: its partitions are the lanes.
    pub lanes_topic: TopicName,
    /// What is read.
    pub sources: Vec<Source>,
    /// What is done with it.
    pub handler: Arc<dyn Handler>,
    /// Who keeps watch over the topics.
    pub watch: Arc<dyn Watch>,
    /// How each lane behaves.
    pub config: LaneConfig,
    /// How often topics are looked up again.
    pub discover_every: Duration,
    /// Wakes discovery at once (a bucket was enabled).
    pub discover_now: Arc<Notify>,
    /// Told which lanes are owned and prepared.
    pub owned: watch::Sender<BTreeSet<i32>>,
    /// Extended with every sign of life that the group answers; none where nobody goes by it.
    pub lease: Option<Lease>,
}

/// Why the lanes stopped.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// The log refused in a way that waiting does not mend.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A bug: a call of the handler or a lane panicked. Nothing of it was committed.
    #[error("lane {lane} stopped: {error}")]
    Lane {
        /// Which lane.
        lane: i32,
        /// The fault.
        error: LaneFault,
    },
}

/// How many signs of life a session's time has room for: so many may go unanswered in a row.
const BEATS: u32 = 5;

/// Records under way to be handled once more.
const REPEATS: usize = 64;

/// A lane that is ours. Dropping it closes its commands, which ends its task.
struct Owned {
    commands: mpsc::UnboundedSender<Command>,
    task: JoinHandle<Result<(), LaneFault>>,
    assigned: BTreeSet<(usize, TopicPartition)>,
    /// Set once the lane bears our mark.
    claimed: Option<Claimed>,
    prepared: bool,
}

/// What a claim has found out.
struct Claimed {
    /// The mark that stood on the lane.
    last: Option<String>,
    /// When this process had stopped its work on the lane, if it owned it before.
    stopped: Option<Instant>,
}

impl Claimed {
    /// When this process stopped its work on a lane that it has lost now: where it had not begun any, and nobody had
    /// between this time and the one before, that was then.
    fn stopped(&self, prepared: bool, ours: &str, now: Instant) -> Instant {
        let before = self.stopped.filter(|_| !prepared && self.last.as_deref() == Some(ours));
        before.unwrap_or(now)
    }
}

/// A partition that a lane is about to read.
struct Begun {
    /// Which source.
    number: usize,
    partition: TopicPartition,
    committed: Option<Committed>,
}

impl Begun {
    /// Whether nobody's writes may still be under way: nobody read it before, or it was handed over.
    fn clean(&self) -> bool {
        self.committed.as_ref().is_none_or(|c| Ledger::restore(c).is_ok_and(|ledger| ledger.handed_over()))
    }
}

/// The group while it runs.
struct Running {
    spec: LaneGroup,
    lanes_count: i32,
    readers: Vec<Arc<dyn Reader>>,
    lanes: BTreeMap<i32, Owned>,
    /// When work on a lane that was ours had stopped; taken by the next claim.
    stopped: BTreeMap<i32, Instant>,
    ended: mpsc::UnboundedSender<Ended>,
    /// The topics as they were last seen, by source, with whether they may be read.
    topics: BTreeMap<(usize, TopicName), (TopicNow, bool)>,
    /// Whether something is to be looked at again soon.
    soon: bool,
    /// Whether topics and lanes are to be looked at as soon as nothing more is known of who owns which lane.
    now: bool,
}

impl LaneGroup {
    /// Joins, works, and leaves cleanly when `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) -> Result<(), LaneError> {
        let lanes_count = self.home.topic(&self.lanes_topic).await?.map_or(0, |info| info.partitions);
        if lanes_count == 0 {
            return Err(LaneError::Log(LogError {
                operation: "join",
                subject: self.lanes_topic.to_string(),
                kind: crate::LogErrorKind::UnknownTopic,
                message: "the lanes topic does not exist: enable a bucket first (twinlog bucket enable)".to_owned(),
            }));
        }
        let membership = self.home.join(&self.group, &self.member, &self.lanes_topic).await?;
        let beating = beat(self.lease.clone(), membership.pulse(), membership.session());
        // Beside the work, which may wait for long: a lane that begins must not end the lease of those at work.
        tokio::select! {
            biased;
            ended = self.work(membership, lanes_count, stop) => ended,
            never = beating => match never {},
        }
    }

    async fn work(
        self,
        mut membership: Box<dyn Membership>,
        lanes_count: i32,
        stop: CancellationToken,
    ) -> Result<(), LaneError> {
        let mut readers: Vec<Arc<dyn Reader>> = Vec::new();
        for source in &self.sources {
            readers.push(source.log.reader(&source.group).await?.into());
        }
        let (ended, mut endings) = mpsc::unbounded_channel();
        let mut discover = interval(self.discover_every);
        discover.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let poke = Arc::clone(&self.discover_now);
        let (again, mut repeats) = mpsc::channel(REPEATS);
        self.handler.may_repeat(again);
        let mut running = Running {
            spec: self,
            lanes_count,
            readers,
            lanes: BTreeMap::new(),
            stopped: BTreeMap::new(),
            ended,
            topics: BTreeMap::new(),
            soon: false,
            now: false,
        };
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                change = membership.next() => running.ownership(change?, membership.as_mut()).await?,
                Some(ended) = endings.recv() => running.forget(&ended),
                Some(repeat) = repeats.recv() => running.repeat(repeat),
                _ = discover.tick() => running.discover(membership.as_mut(), &stop).await?,
                () = poke.notified() => running.discover(membership.as_mut(), &stop).await?,
            }
            let soon = std::mem::take(&mut running.soon);
            if std::mem::take(&mut running.now) {
                discover.reset_immediately();
            } else if !running.complete() || soon {
                discover.reset_after(AGAIN);
            }
        }
        let all = running.lanes.keys().copied().collect::<Vec<_>>();
        running.drain(&all).await?;
        membership.leave().await?;
        Ok(())
    }
}

impl Running {
    /// Lanes come and go. One that comes begins only when no further change is known: while the broker is away and back
    /// again, it may be gone by now.
    async fn ownership(&mut self, change: OwnershipChange, membership: &mut dyn Membership) -> Result<(), LaneError> {
        match change {
            OwnershipChange::Acquired(lanes) => {
                tracing::info!(?lanes, group = %self.spec.group, "lanes acquired");
                for lane in lanes {
                    self.lanes.entry(lane).or_insert_with(|| start(lane, &self.spec, self.ended.clone()));
                }
                self.now = true;
            }
            OwnershipChange::Revoked(lanes) => {
                tracing::info!(?lanes, group = %self.spec.group, "lanes revoked: draining");
                self.drain(&lanes).await?;
                membership.released(&lanes).await?;
            }
            OwnershipChange::Lost(lanes) => {
                tracing::warn!(?lanes, group = %self.spec.group, "lanes lost: another process owns them already");
                let lost: Vec<_> = lanes.iter().filter_map(|lane| Some((*lane, self.lanes.remove(lane)?))).collect();
                lost.iter().for_each(|(_, owned)| owned.task.abort());
                for (lane, Owned { task, claimed, prepared, .. }) in lost {
                    // An abort takes effect at the task's next await; until then it may begin something.
                    let _ = task.await;
                    self.has_stopped(lane, claimed, prepared);
                }
                self.tell();
            }
        }
        Ok(())
    }

    fn has_stopped(&mut self, lane: i32, claimed: Option<Claimed>, prepared: bool) {
        let stopped = claimed.map(|claimed| claimed.stopped(prepared, &self.spec.mark, Instant::now()));
        self.stopped.extend(stopped.map(|at| (lane, at)));
    }

    /// Looks up the topics of every source and gives each owned lane the partitions that it does not read yet. A
    /// cluster that cannot be reached is left for the next time. Where lanes come or go meanwhile, or it is to stop, what
    /// takes long is given up.
    async fn discover(&mut self, membership: &mut dyn Membership, stop: &CancellationToken) -> Result<(), LaneError> {
        self.check_lanes().await?;
        if let Err(error) = self.claim(membership).await {
            tracing::warn!(%error, "lanes could not be claimed; trying again");
        }
        let mut found: BTreeMap<i32, Vec<(usize, TopicPartition)>> = BTreeMap::new();
        for number in 0..self.spec.sources.len() {
            let topics = match self.look(number).await {
                Ok(topics) => topics,
                Err(error) => {
                    tracing::warn!(%error, "topics could not be looked up; trying again");
                    continue;
                }
            };
            for (topic, partitions) in topics {
                for partition in 0..partitions {
                    let lane = crate::partition::lane_of(partition, self.lanes_count);
                    let partition = TopicPartition { topic: topic.clone(), partition };
                    found.entry(lane).or_default().push((number, partition));
                }
            }
        }
        self.stop_to_rewind().await;
        let begun = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            change = membership.next() => {
                self.now = true;
                return self.ownership(change?, membership).await;
            }
            begun = self.prepare(found) => begun,
        };
        for lane in begun.keys() {
            self.lanes.entry(*lane).and_modify(|owned| owned.prepared = true);
        }
        self.assign(begun).await;
        self.tell();
        Ok(())
    }

    /// The topics of a source that are to be read, with their partitions. What is not as it was is told before; of a
    /// topic that is another one by now, nothing is read any further.
    async fn look(&mut self, number: usize) -> Result<Vec<(TopicName, i32)>, LogError> {
        let source = &self.spec.sources[number];
        let all = source.log.topics().await?;
        self.tell_gone(number, &all).await?;
        let source = &self.spec.sources[number];
        let wanted: Vec<(TopicName, TopicInfo)> = all.into_iter().filter(|(topic, _)| (source.wants)(topic)).collect();
        let names: Vec<TopicName> = wanted.iter().map(|(topic, _)| topic.clone()).collect();
        let ids = source.log.identities(&names).await?;
        let mut readable = Vec::new();
        for (topic, TopicInfo { partitions, .. }) in wanted {
            let now = TopicNow { id: ids.get(&topic).copied(), partitions, lanes: self.lanes_count };
            let known = self.topics.get(&(number, topic.clone())).copied();
            let read = match known {
                Some((before, true)) if before == now && !self.spec.watch.misses(&topic) => true,
                _ => {
                    let read = self.spec.watch.topic(&topic, now).await;
                    let another = known.is_some_and(|(before, _)| before.id != now.id);
                    if another || !read {
                        self.stop_topic(number, &topic).await;
                    }
                    if another {
                        self.spec.handler.anew(&topic);
                    }
                    self.topics.insert((number, topic.clone()), (now, read));
                    read
                }
            };
            if read && !(self.spec.sources[number].waits)(&topic) {
                readable.push((topic, partitions));
            }
        }
        Ok(readable)
    }

    /// Tells of the topics of a source that were read, by this process or an earlier one, and are gone.
    async fn tell_gone(&mut self, number: usize, all: &BTreeMap<TopicName, TopicInfo>) -> Result<(), LogError> {
        let Source { log, wants, .. } = self.spec.sources[number].clone();
        let before = self.spec.watch.known().await.into_iter().filter(|topic| wants(topic));
        let here = self.topics.keys().filter(|(source, _)| *source == number).map(|(_, topic)| topic.clone());
        let gone: BTreeSet<_> = before.chain(here).filter(|topic| !all.contains_key(topic)).collect();
        for topic in gone {
            // A list leaves out what has no leader for the moment.
            if log.topic(&topic).await?.is_some() {
                continue;
            }
            self.stop_topic(number, &topic).await;
            // Looked at afresh when it is there again, even as the same.
            if let Some((_, read)) = self.topics.get_mut(&(number, topic.clone())) {
                *read = false;
            }
            self.spec.watch.gone(&topic).await;
        }
        Ok(())
    }

    /// Stops reading every partition of a topic.
    async fn stop_topic(&mut self, number: usize, topic: &TopicName) {
        let of = |(source, partition): &&(usize, TopicPartition)| *source == number && partition.topic == *topic;
        for owned in self.lanes.values_mut() {
            let partitions: Vec<_> = owned.assigned.iter().filter(of).cloned().collect();
            for partition in partitions {
                owned.stop(&partition).await;
            }
        }
    }

    /// Stops reading the partitions that are to be read once more; they begin where they are told.
    async fn stop_to_rewind(&mut self) {
        for owned in self.lanes.values_mut() {
            let asked = |(_, partition): &&(usize, TopicPartition)| self.spec.watch.rewind(partition).is_some();
            let partitions: Vec<_> = owned.assigned.iter().filter(asked).cloned().collect();
            for partition in partitions {
                owned.stop(&partition).await;
            }
        }
    }

    /// Marks the lanes that are new.
    async fn claim(&mut self, membership: &mut dyn Membership) -> Result<(), LogError> {
        let new = self.lanes.iter().filter(|(_, owned)| owned.claimed.is_none());
        let new: Vec<i32> = new.map(|(lane, _)| *lane).collect();
        if new.is_empty() {
            return Ok(());
        }
        // Taken before the mark is put: when that fails, one's own mark found the next time proves nothing.
        let mut stopped: BTreeMap<_, _> = new.iter().filter_map(|lane| self.stopped.remove_entry(lane)).collect();
        let asked = self.spec.lease.as_ref().map(|lease| (lease, lease.now()));
        let mut last = membership.claim(&new, &self.spec.mark).await?;
        if let Some((lease, asked)) = asked {
            lease.extend(asked + membership.session());
        }
        for (lane, owned) in self.lanes.iter_mut().filter(|(_, owned)| owned.claimed.is_none()) {
            owned.claimed = Some(Claimed { last: last.remove(lane), stopped: stopped.remove(lane) });
        }
        Ok(())
    }

    /// Whether every owned lane is at work.
    fn complete(&self) -> bool {
        self.lanes.values().all(|owned| owned.prepared)
    }

    /// Reads what was committed of the partitions that the claimed lanes do not read yet, and prepares the lanes that are
    /// new, all at once: it can take as long as a write stays acceptable to a store. Nothing is changed by it.
    async fn prepare(&self, found: BTreeMap<i32, Vec<(usize, TopicPartition)>>) -> BTreeMap<i32, Vec<Begun>> {
        let begun = self.committed(found).await;
        let (handler, ours) = (&self.spec.handler, &self.spec.mark);
        let new = begun.iter().filter_map(|(lane, partitions)| {
            let owned = self.lanes.get(lane).filter(|owned| !owned.prepared)?;
            let Claimed { last, stopped } = owned.claimed.as_ref()?;
            let clean = partitions.iter().all(Begun::clean);
            Some((*lane, Before::judge(clean, last.as_deref(), ours, stopped.map(|at| at.elapsed()))))
        });
        join_all(new.map(|(lane, before)| handler.prepare(lane, before))).await;
        begun
    }

    /// The partitions that each claimed lane does not read yet, with what was committed of them. A lane of which that
    /// cannot be known now is left out.
    async fn committed(&self, found: BTreeMap<i32, Vec<(usize, TopicPartition)>>) -> BTreeMap<i32, Vec<Begun>> {
        let claimed = self.lanes.iter().filter(|(_, owned)| owned.claimed.is_some());
        let mut begun: BTreeMap<i32, Vec<Begun>> = claimed.map(|(lane, _)| (*lane, Vec::new())).collect();
        for (number, source) in self.spec.sources.iter().enumerate() {
            let new = |(lane, partition): &(i32, &(usize, TopicPartition))| {
                partition.0 == number
                    && begun.contains_key(lane)
                    && self.lanes.get(lane).is_some_and(|owned| !owned.assigned.contains(*partition))
            };
            let all = found.iter().flat_map(|(lane, partitions)| partitions.iter().map(|partition| (*lane, partition)));
            let (lanes, new): (Vec<i32>, Vec<_>) = all.filter(new).map(|(lane, (_, at))| (lane, at.clone())).unzip();
            match source.log.committed(&source.group, &new).await {
                Ok(mut committed) => {
                    for (lane, partition) in lanes.into_iter().zip(new) {
                        let committed = committed.remove(&partition);
                        begun.entry(lane).or_default().push(Begun { number, partition, committed });
                    }
                }
                Err(error) => {
                    tracing::warn!(?lanes, %error, "commits could not be read; trying again");
                    begun.retain(|lane, _| !lanes.contains(lane));
                }
            }
        }
        begun
    }

    /// Gives the lanes their partitions, many at a time.
    async fn assign(&mut self, begun: BTreeMap<i32, Vec<Begun>>) {
        let all = begun.into_iter().flat_map(|(lane, partitions)| partitions.into_iter().map(move |at| (lane, at)));
        let opening = stream::iter(all).map(async |(lane, begun)| {
            let (number, partition) = (begun.number, begun.partition.clone());
            (lane, (number, partition), self.open(begun).await)
        });
        for (lane, at, opened) in opening.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
            match (opened, self.lanes.get_mut(&lane)) {
                (Ok(assignment), Some(owned)) => {
                    owned.assigned.insert(at);
                    // A lane that has died is found by its task's result.
                    let _ = owned.commands.send(Command::Assign(Box::new(assignment)));
                }
                (Ok(_), None) => {}
                (Err(error), _) => {
                    self.soon = true;
                    tracing::warn!(lane, partition = %at.1, %error, "a partition could not be assigned; trying again");
                }
            }
        }
    }

    /// A partition, ready to be read.
    async fn open(&self, Begun { number, partition, committed }: Begun) -> Result<Assignment, LogError> {
        let (ledger, rewound) = self.begin(number, &partition, committed).await?;
        // Before the first record is handled the log must say that this lane is being worked on, or an owner after
        // a crash would not know that writes of ours may still act.
        let reader = Arc::clone(&self.readers[number]);
        reader.commit(&partition, &ledger.commit()).await?;
        if let Some(offset) = rewound {
            self.spec.watch.rewound(&partition, offset).await;
        }
        let records = reader.assign(&partition, ledger.start()).await?;
        Ok(Assignment { partition, reader, records, ledger })
    }

    /// Where a partition's reading begins, and whether that was asked for. Records that nobody read and the log no longer
    /// has are told, never skipped silently; a commit of a topic that was deleted says nothing about the one that has its
    /// name now.
    async fn begin(
        &self,
        number: usize,
        partition: &TopicPartition,
        committed: Option<Committed>,
    ) -> Result<(Ledger, Option<Option<i64>>), LogError> {
        let ends = self.spec.sources[number].log.watermarks(partition).await?;
        let id = self.id_of(number, &partition.topic);
        let anew = Ledger::at(ends.first).of(id);
        let ledger = committed.as_ref().map_or_else(|| Ledger::at(0), |committed| restored(partition, committed));
        let another = ledger.topic().is_some_and(|of| id.is_some_and(|now| of != now));
        if another {
            tracing::warn!(%partition, "the topic was made anew: it is read from its beginning");
        }
        let ledger = if another { Ledger::at(0) } else { ledger };
        let from = ledger.start();
        if from < ends.first || from > ends.next {
            // Beyond the end: the topic was made anew, and what the old one still had is gone.
            let to = if from < ends.first { ends.first } else { ends.next };
            let records = ledger.undone_below(to);
            self.spec.handler.gap(partition, from, to).await;
            self.spec.watch.lost(&Lost { partition: partition.clone(), from, to, records }).await;
            return Ok((anew, None));
        }
        Ok(match self.spec.watch.rewind(partition) {
            Some(offset) if offset < from => {
                let offset = offset.max(ends.first);
                (Ledger::at(offset).of(id), Some(Some(offset)))
            }
            Some(_) => (ledger.of(id), Some(None)),
            None => (ledger.of(id), None),
        })
    }

    fn id_of(&self, number: usize, topic: &TopicName) -> Option<TopicId> {
        self.topics.get(&(number, topic.clone())).and_then(|(now, _)| now.id)
    }

    async fn drain(&mut self, lanes: &[i32]) -> Result<(), LaneError> {
        let mut draining = Vec::new();
        for lane in lanes {
            let Some(owned) = self.lanes.remove(lane) else { continue };
            let (done, answer) = oneshot::channel();
            let _ = owned.commands.send(Command::Drain(done));
            draining.push((*lane, owned.task, (owned.claimed, owned.prepared), answer));
        }
        self.tell();
        for (lane, mut task, (claimed, prepared), answer) in draining {
            // The lane bounds its own draining; this bound is for one that hangs.
            let bound = self.spec.config.drain + Duration::from_secs(10);
            let _ = timeout(bound, answer).await;
            match timeout(Duration::from_secs(1), &mut task).await {
                Ok(ended) => {
                    ended.map_err(LaneFault::from).and_then(|r| r).map_err(|error| LaneError::Lane { lane, error })?;
                }
                Err(_) => {
                    task.abort();
                    let _ = task.await;
                }
            }
            self.has_stopped(lane, claimed, prepared);
        }
        Ok(())
    }

    /// A lane whose task has ended by itself has panicked: the process must not go on as if nothing were wrong.
    async fn check_lanes(&mut self) -> Result<(), LaneError> {
        let dead = self.lanes.iter().find(|(_, owned)| owned.task.is_finished()).map(|(lane, _)| *lane);
        let Some(lane) = dead else { return Ok(()) };
        let Some(owned) = self.lanes.remove(&lane) else { return Ok(()) };
        self.tell();
        let ended = owned.task.await.map_err(LaneFault::from).and_then(|result| result);
        ended.map_err(|error| LaneError::Lane { lane, error })
    }

    /// Gives a record to its lane once more; where that is not ours, the asker learns it by silence.
    fn repeat(&self, repeat: Repeat) {
        let lane = crate::partition::lane_of(repeat.record.position.partition.partition, self.lanes_count);
        if let Some(owned) = self.lanes.get(&lane).filter(|owned| owned.prepared) {
            let _ = owned.commands.send(Command::Repeat(Box::new(repeat)));
        }
    }

    fn forget(&mut self, ended: &Ended) {
        let partition = match ended {
            Ended::Failed(partition, error) => {
                tracing::error!(%partition, %error, "reading a partition ended; it is looked at again");
                self.soon = true;
                partition
            }
            Ended::GivenBack(partition) => partition,
        };
        for owned in self.lanes.values_mut() {
            owned.assigned.retain(|(_, assigned)| assigned != partition);
        }
    }

    fn tell(&self) {
        let ready = self.lanes.iter().filter(|(_, owned)| owned.prepared).map(|(lane, _)| *lane).collect();
        self.spec.owned.send_if_modified(|owned| {
            let changed = *owned != ready;
            *owned = ready;
            changed
        });
    }
}

/// Gives signs of life and extends the lease by those that are answered.
async fn beat(lease: Option<Lease>, pulse: Arc<dyn Pulse>, session: Duration) -> Infallible {
    let Some(lease) = lease else { return std::future::pending().await };
    let mut beats = interval(session / BEATS);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        let asked = lease.now();
        // An answer that takes as long as it would be good for is not waited for.
        match timeout(session, pulse.beat()).await {
            Ok(Ok(true)) => lease.extend(asked + session),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the group does not answer whether the lanes are still ours"),
            Err(_) => tracing::debug!("the group is silent about whether the lanes are still ours"),
        }
    }
}

/// The ledger of a commit; where another tool wrote it, what was done above it is not known.
fn restored(partition: &TopicPartition, committed: &Committed) -> Ledger {
    Ledger::restore(committed).unwrap_or_else(|error| {
        tracing::warn!(%partition, %error, "the commit's metadata is not ours: what was done above it is repeated");
        Ledger::at(committed.offset)
    })
}

impl Owned {
    /// Stops reading a partition and returns when nothing of it is under way to the log. A lane that has died is found
    /// by its task's result.
    async fn stop(&mut self, assigned: &(usize, TopicPartition)) {
        self.assigned.remove(assigned);
        let (done, stopped) = oneshot::channel();
        let _ = self.commands.send(Command::Stop(assigned.1.clone(), done));
        let _ = stopped.await;
    }
}

fn start(number: i32, spec: &LaneGroup, ended: mpsc::UnboundedSender<Ended>) -> Owned {
    let (commands, inbox) = mpsc::unbounded_channel();
    let lane = Lane::new(number, spec.config.clone(), Arc::clone(&spec.handler), ended);
    let task = tokio::spawn(lane.run(inbox));
    Owned { commands, task, assigned: BTreeSet::new(), claimed: None, prepared: false }
}
