//! The group of processes that share the lanes of a site: which lanes are ours, and which partitions they read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::actor::{Command, Ended, LaneConfig, LaneFault};
use super::handler::{Handler, Repeat};
use super::lease::Lease;
use super::opening::{Begun, Opening, Step};
use super::owned::{Claimed, Owned};
use super::source::Source;
use super::watch::{TopicNow, Watch};
use crate::clock::Ids;
use crate::contract::{Log, Membership, OwnershipChange, Reader};
use crate::error::LogError;
use crate::mark::Mark;
use crate::topic::{TopicInfo, TopicName, TopicPartition};

/// Partitions whose reading is begun at a time: their ends are asked for together, and their first commits go out so.
const AT_ONCE: usize = 64;
/// How soon a lane that could not be begun is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Likewise a partition.
const LATER: Duration = Duration::from_secs(5);

/// The lanes of one site in this process.
pub struct LaneGroup {
    /// The cluster of the site, where the lanes topic is.
    pub home: Arc<dyn Log>,
    /// The group that decides who owns which lane.
    pub group: String,
    /// This process's name in the group, kept over restarts.
    pub member: String,
    /// Makes the marks of claims.
    pub ids: Ids,
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
    /// Told which lanes are owned and prepared, once all that can begin have begun, or where some go.
    pub owned: watch::Sender<BTreeSet<i32>>,
    /// Extended with every sign of life that the group answers. Nothing is committed without.
    pub lease: Lease,
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

/// Records under way to be handled once more.
const REPEATS: usize = 64;

/// The group while it runs.
struct Running {
    spec: LaneGroup,
    lanes_count: i32,
    began: Instant,
    readers: Vec<Arc<dyn Reader>>,
    lanes: BTreeMap<i32, Owned>,
    /// When work on a lane that was ours had stopped, and the mark that it bore; taken by the next claim.
    stopped: BTreeMap<i32, (Mark, Instant)>,
    /// Questions under way of what stands committed.
    looks: JoinSet<()>,
    ended: mpsc::UnboundedSender<Ended>,
    /// The topics as they were last seen, by source, with whether they may be read.
    topics: BTreeMap<(usize, TopicName), (TopicNow, bool)>,
    /// In how long topics and lanes are to be looked at again, where that is sooner than usual.
    again: Option<Duration>,
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
        let lease = self.lease.clone();
        let beating = lease.keep(membership.pulse(), membership.session());
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
        let every = self.discover_every;
        let poke = Arc::clone(&self.discover_now);
        let (again, mut repeats) = mpsc::channel(REPEATS);
        self.handler.may_repeat(again);
        let mut running = Running {
            spec: self,
            lanes_count,
            began: Instant::now(),
            readers,
            lanes: BTreeMap::new(),
            stopped: BTreeMap::new(),
            looks: JoinSet::new(),
            ended,
            topics: BTreeMap::new(),
            again: None,
        };
        let mut next = Instant::now();
        loop {
            let look = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                change = membership.next() => {
                    running.ownership(change?, membership.as_mut()).await?;
                    false
                }
                Some(ended) = endings.recv() => {
                    running.forget(&ended);
                    false
                }
                () = sleep_until(next) => true,
                () = poke.notified() => true,
                Some(repeat) = repeats.recv() => {
                    running.repeat(repeat);
                    false
                }
            };
            if look {
                running.discover(membership.as_mut(), &stop).await?;
                next = Instant::now() + every;
            }
            next = running.again.take().map_or(next, |again| next.min(Instant::now() + again));
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
                    let start = || Owned::start(lane, &self.spec, self.began, self.ended.clone());
                    self.lanes.entry(lane).or_insert_with(start);
                }
                self.again = Some(Duration::ZERO);
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
        self.stopped.extend(claimed.map(|claimed| (lane, (claimed.mark, claimed.stopped(prepared)))));
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
        self.look_at_commits();
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            change = membership.next() => {
                self.ownership(change?, membership).await?;
                self.again = Some(Duration::ZERO);
                return Ok(());
            }
            () = self.begin(found) => {}
        }
        if !self.lanes.values().all(|owned| owned.prepared) {
            self.again = Some(AGAIN);
        }
        self.tell();
        Ok(())
    }

    /// Prepares the lanes that are new, or that get what was not handed over, and gives all lanes the partitions that they do
    /// not read yet. No lane waits for another before it works: preparing one can take as long as a write stays acceptable
    /// to a store. May be given up at any time.
    async fn begin(&mut self, found: BTreeMap<i32, Vec<(usize, TopicPartition)>>) {
        let begun = self.committed(found).await;
        let Self { spec, readers, topics, lanes, again, .. } = self;
        let opening = Opening { spec, readers, topics, turns: Semaphore::new(AT_ONCE) };
        let (steps, mut taken) = mpsc::unbounded_channel();
        let begins: Vec<_> = begun
            .into_iter()
            .map(|(lane, partitions)| {
                let before = lanes.get(&lane).and_then(|owned| owned.before(&partitions));
                opening.begin(lane, before, partitions, steps.clone())
            })
            .collect();
        drop(steps);
        let taking = async {
            while let Some((lane, step)) = taken.recv().await {
                let Some(owned) = lanes.get_mut(&lane) else { continue };
                match step {
                    Step::Prepared(partitions) => {
                        owned.prepared = true;
                        owned.waited.extend(partitions);
                    }
                    Step::Opened(at, Ok(assignment)) => {
                        owned.assigned.insert(at);
                        // A lane that has died is found by its task's result.
                        let _ = owned.commands.send(Command::Assign(assignment));
                    }
                    Step::Opened((_, partition), Err(error)) => {
                        *again = Some(LATER);
                        tracing::warn!(lane, %partition, %error, "a partition could not be assigned; trying again");
                    }
                }
            }
        };
        tokio::join!(join_all(begins), taking);
    }

    /// Asks beside everything else what stands committed of all that is read, and tells the lanes.
    fn look_at_commits(&mut self) {
        while self.looks.try_join_next().is_some() {}
        if !self.looks.is_empty() {
            return;
        }
        for (number, source) in self.spec.sources.iter().enumerate() {
            let mut lanes = BTreeMap::new();
            for owned in self.lanes.values() {
                let assigned = owned.assigned.iter().filter(|(of, _)| *of == number);
                lanes.extend(assigned.map(|(_, partition)| (partition.clone(), owned.commands.downgrade())));
            }
            if lanes.is_empty() {
                continue;
            }
            let (log, group) = (Arc::clone(&source.log), source.group.clone());
            self.looks.spawn(async move {
                let partitions: Vec<_> = lanes.keys().cloned().collect();
                match log.committed(&group, &partitions).await {
                    Ok(mut committed) => {
                        for (partition, lane) in lanes {
                            let stands = committed.remove(&partition);
                            let _ = lane.upgrade().map(|lane| lane.send(Command::Stands(partition, stands)));
                        }
                    }
                    Err(error) => tracing::debug!(%group, %error, "what stands committed could not be looked at"),
                }
            });
        }
    }

    /// The topics of a source that are to be read, with their partitions. What is not as it was is told before; of a
    /// topic that is another one by now, nothing is read any further.
    async fn look(&mut self, number: usize) -> Result<Vec<(TopicName, i32)>, LogError> {
        let source = &self.spec.sources[number];
        let all = source.log.topics_lately().await?;
        self.tell_gone(number, &all).await?;
        let source = &self.spec.sources[number];
        let wanted: Vec<(TopicName, TopicInfo)> = all.into_iter().filter(|(topic, _)| (source.wants)(topic)).collect();
        let names: Vec<TopicName> = wanted.iter().map(|(topic, _)| topic.clone()).collect();
        let ids = source.log.identities(&names).await?;
        let mut readable = Vec::new();
        for (topic, TopicInfo { partitions, .. }) in wanted {
            let now = TopicNow { id: ids.get(&topic).copied(), partitions, lanes: self.lanes_count };
            let known = self.topics.get(&(number, topic.clone())).copied();
            if now.id.is_none() && known.is_some_and(|(before, _)| before.id.is_some()) {
                // Deleted since it was listed, most likely: it is gone the next time, or another one.
                tracing::warn!(%topic, "the topic's id could not be told, as before: it is left as it is for now");
                continue;
            }
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
        let stopped: BTreeMap<_, _> = new.iter().filter_map(|lane| self.stopped.remove_entry(lane)).collect();
        let (mark, asked) = (Mark(self.spec.ids.seed()), self.spec.lease.now());
        let last = membership.claim(&new, mark).await?;
        let now = Instant::now();
        self.spec.lease.extend(asked.saturating_add(membership.session()));
        for (lane, owned) in self.lanes.iter_mut().filter(|(_, owned)| owned.claimed.is_none()) {
            let last = last.get(lane).copied();
            let before = stopped.get(lane).filter(|(mark, _)| last == Some(*mark)).map(|(_, since)| *since);
            owned.claimed = Some(Claimed { mark, last, ourselves: before.is_some(), since: before.unwrap_or(now) });
        }
        Ok(())
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

    async fn drain(&mut self, lanes: &[i32]) -> Result<(), LaneError> {
        let mut draining = Vec::new();
        for lane in lanes {
            let Some(owned) = self.lanes.remove(lane) else { continue };
            let (done, answer) = oneshot::channel();
            let mark = owned.claimed.map(|claimed| claimed.mark);
            let _ = owned.commands.send(Command::Drain(mark, done));
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
        let reads =
            |owned: &&Owned| owned.assigned.iter().any(|(_, partition)| *partition == repeat.record.position.partition);
        if let Some(owned) = self.lanes.get(&lane).filter(reads) {
            let _ = owned.commands.send(Command::Repeat(Box::new(repeat)));
        }
    }

    fn forget(&mut self, ended: &Ended) {
        let partition = match ended {
            Ended::Failed(partition, error) => {
                tracing::error!(%partition, %error, "reading a partition ended; it is looked at again");
                self.again = Some(AGAIN);
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
