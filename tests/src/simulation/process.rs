//! Twinlog's processes beside the sites, made of the real parts as the binary makes them: tail, capture's lanes, apply's
//! lanes. A process can be stopped cleanly or killed, and started again; what it keeps on disk is its index.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use twinlog_consumer::deaths::DeathLimits;
use twinlog_consumer::hold::Holds;
use twinlog_consumer::storm::StormLimits;
use twinlog_consumer::{Apply, ApplyConfig, Doubts, Link};
use twinlog_control::Control;
use twinlog_index::{Index, MemoryIndex};
use twinlog_log::backoff::Backoff;
use twinlog_log::clock::Ids;
use twinlog_log::lane::{Handler, LaneConfig, LaneGroup, Lease, Source, Unwatched};
use twinlog_log::{Heard, Log, Tell, TopicName};
use twinlog_producer::{BucketSettings, CaptureConfig, Freshness, Producer};
use twinlog_schemas::Fact;
use twinlog_site::fault::{Fault, FaultySite, SeededFaults};
use twinlog_site::memory::Transit;
use twinlog_site::{Site, SiteErrorKind};
use twinlog_tail::{Kind, Tail, Topic};

use super::Profile;
use super::dice::Dice;
use super::gate::Gate;
use super::planted::{Hands, Knowledge, Part, Planted, Scene, Tongue};
use super::reach::{Reach, Way};
use super::wire::Wire;
use super::witness::{Accounts, OfApply, OfCapture, Witness};
use super::world::{EXPIRY, INLINE, Place, World};

/// The purposes of a process's lanes: what their groups are called after.
const PURPOSES: [&str; 2] = ["capture", "apply"];

/// All processes of a run.
pub(super) struct Fleet {
    pub machines: Vec<Machine>,
    world: Arc<World>,
}

/// What one process runs on: it keeps its disk.
pub(super) struct Machine {
    world: Arc<World>,
    at: usize,
    member: String,
    index: Arc<MemoryIndex>,
    dice: Dice,
    gate: Gate,
    /// Of the process that runs, over apply's lanes.
    lease: Lease,
    wire: Arc<Wire>,
    /// What capture and apply are about: for planted faults.
    scenes: [Arc<Scene>; 2],
    running: Option<Running>,
}

struct Running {
    stop: CancellationToken,
    work: Vec<JoinHandle<()>>,
    tail: JoinHandle<()>,
    stop_tail: CancellationToken,
}

impl Fleet {
    pub(super) fn start(world: &Arc<World>, seed: u64) -> Result<Self, String> {
        let mut machines = Vec::new();
        for at in 0..world.places.len() {
            for number in 0..world.profile.members {
                let member = format!("{}-{number}", world.places[at].name);
                let mut machine = Machine::new(world, at, member, seed);
                machine.start()?;
                machines.push(machine);
            }
        }
        Ok(Self { machines, world: Arc::clone(world) })
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.world.profile
    }
}

impl Machine {
    fn new(world: &Arc<World>, at: usize, member: String, seed: u64) -> Self {
        let mut dice = Dice::new(seed, &member);
        let gate = Gate::default();
        let tongue = Tongue { planted: world.planted, codec: Arc::clone(&world.codec) };
        let wire = Wire::new(world.log.clone(), gate.clone(), Dice::new(dice.seed(), "wire"), tongue);
        Self {
            world: Arc::clone(world),
            at,
            member,
            index: Arc::default(),
            dice,
            gate,
            lease: Lease::endless(),
            wire: Arc::new(wire),
            scenes: Default::default(),
            running: None,
        }
    }

    /// Where it is.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What its index says.
    pub(super) fn index(&self) -> &MemoryIndex {
        &self.index
    }

    /// Stops it where it is, between any two things that it does to the world.
    pub(super) fn suspend(&self) {
        self.gate.close();
    }

    /// Its sessions time out: others may take its lanes over.
    pub(super) fn time_out(&self) {
        self.groups().for_each(|group| self.world.log.expel(&group, &self.member));
    }

    /// Wakes it: it goes on where it was, and hears what it has lost only a while later.
    pub(super) fn wake(&self) {
        self.groups().for_each(|group| self.world.log.readmit(&group, &self.member));
        self.gate.open();
    }

    fn groups(&self) -> impl Iterator<Item = String> + '_ {
        let name = &self.world.places[self.at].name;
        PURPOSES.iter().map(|purpose| self.world.topics.group(name, &format!("{purpose}-lanes")))
    }

    /// The log as this process reaches it.
    fn home(&self) -> Arc<dyn Log> {
        Arc::<Wire>::clone(&self.wire)
    }

    /// The index as one part of this process has it.
    fn knowledge(&self, part: Part) -> Arc<dyn Index> {
        let inner = Arc::<MemoryIndex>::clone(&self.index);
        let Some(planted) = self.world.planted else { return inner };
        let scene = Arc::clone(&self.scenes[usize::from(part == Part::Apply)]);
        Arc::new(Knowledge { inner, planted, part, world: Arc::clone(&self.world), at: self.at, scene })
    }

    /// A handler with the planted fault, if there is one, watched.
    fn watched(&self, part: Part, inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
        let applies = part == Part::Apply;
        let inner = match self.world.planted {
            None => inner,
            Some(planted) => {
                let scene = Arc::clone(&self.scenes[usize::from(applies)]);
                let (codec, index) = (Arc::clone(&self.world.codec), self.knowledge(part));
                let accounts = Arc::clone(self.accounts(part));
                Arc::new(Hands { inner, planted, applies, codec, index, scene, accounts })
            }
        };
        Arc::new(Witness { inner, accounts: Arc::clone(self.accounts(part)) })
    }

    fn accounts(&self, part: Part) -> &Arc<Accounts> {
        let place = &self.world.places[self.at];
        if part == Part::Apply { &place.applied } else { &place.captured }
    }

    /// Starts the process if it does not run.
    pub(super) fn start(&mut self) -> Result<(), String> {
        if self.running.is_some() {
            return Ok(());
        }
        let (world, stop, stop_tail) = (Arc::clone(&self.world), CancellationToken::new(), CancellationToken::new());
        let place = &world.places[self.at];
        let ids = Ids::new(Arc::clone(&place.clock), self.dice.seed());
        let doubts = Arc::new(Doubts::default());
        self.gate.open();
        self.lease = match world.planted {
            Some(Planted::LanesForGranted) => Lease::endless(),
            _ => granted(),
        };
        let (tail, following) = Tail::start(self.tail(&doubts, &ids), stop_tail.clone());
        let capture = self.capture(place, &tail, &ids)?;
        let apply = Arc::new(Apply::new(self.apply(place, &tail, &doubts, &ids)));
        let (keeper, until) = (Arc::clone(&apply), stop.clone());
        let keeping = tokio::spawn(async move {
            let lanes = watch::Sender::new([0].into());
            until.run_until_cancelled(keeper.keep(lanes.subscribe())).await;
        });
        let notices = world.topics.notices(&place.name);
        let captured = move |topic: &TopicName| *topic == notices;
        let mut wanted: BTreeSet<TopicName> = world.places.iter().map(|p| world.topics.facts(&p.name)).collect();
        let others = world.places.iter().filter(|other| other.name != place.name);
        wanted.extend(others.map(|other| world.topics.changes(&other.name, &world.bucket)));
        let applied = move |topic: &TopicName| wanted.contains(topic);
        let (due, stopped) = (Arc::clone(&apply), stop.clone());
        let work = vec![
            tokio::spawn(async move { due.removals_due(stopped).await }),
            self.lanes(PURPOSES[0], self.watched(Part::Capture, capture), Arc::new(captured), &stop),
            self.lanes(PURPOSES[1], self.watched(Part::Apply, apply), Arc::new(applied), &stop),
            keeping,
        ];
        self.running = Some(Running { stop, work, tail: following, stop_tail });
        Ok(())
    }

    /// Stops it as an operator does: lanes are drained and handed over.
    pub(super) async fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.stop.cancel();
        for task in running.work {
            // A task that panicked is on record by itself.
            let _ = task.await;
        }
        running.stop_tail.cancel();
        let _ = running.tail.await;
    }

    /// Ends it at once, wherever it is.
    pub(super) fn kill(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.work.iter().for_each(JoinHandle::abort);
        running.tail.abort();
    }

    /// Loses its disk; only while it does not run.
    pub(super) fn wipe(&mut self) {
        if self.running.is_none() {
            self.index = Arc::default();
        }
    }

    fn tail(&self, doubts: &Arc<Doubts>, ids: &Ids) -> twinlog_tail::Parts {
        let (world, place) = (&self.world, &self.world.places[self.at]);
        let topic = |name, kind| Topic { log: self.home(), name, kind };
        let facts = world.places.iter().map(|site| topic(world.topics.facts(&site.name), Kind::Facts));
        let told = Arc::clone(doubts);
        twinlog_tail::Parts {
            topics: facts.chain([topic(world.topics.receipts(&place.name), Kind::Receipts)]).collect(),
            group: world.topics.group(&place.name, "tail"),
            index: self.knowledge(Part::Tail),
            codec: Arc::clone(&world.codec),
            listener: Arc::new(move |fact: &Fact| told.tell(fact)),
            backoff: Backoff::PROMPT,
            seed: ids.seed(),
        }
    }

    fn capture(&mut self, place: &Place, tail: &Arc<Tail>, ids: &Ids) -> Result<Arc<dyn Handler>, String> {
        let world = Arc::clone(&self.world);
        let settings = BucketSettings { inline_max_bytes: INLINE };
        let selection: BTreeMap<_, _> = [(world.bucket.clone(), settings)].into();
        let own = [world.topics.facts(&place.name), world.topics.receipts(&place.name)];
        let producer = Producer::new(
            twinlog_producer::Parts {
                site: self.reached(place, Part::Capture),
                log: self.home(),
                index: self.knowledge(Part::Capture),
                freshness: Arc::new(ByTail { tail: Arc::clone(tail), own }),
                codec: Arc::clone(&world.codec),
                topics: world.topics.clone(),
                selection: Arc::new(selection),
                clock: Arc::clone(&place.clock),
                ids: ids.clone(),
                observer: Arc::new(OfCapture(Arc::clone(self.accounts(Part::Capture)))),
            },
            CaptureConfig::default(),
        );
        Ok(producer.map_err(|error| error.to_string())?.capture())
    }

    fn apply(&mut self, place: &Place, tail: &Arc<Tail>, doubts: &Arc<Doubts>, ids: &Ids) -> twinlog_consumer::Parts {
        let world = Arc::clone(&self.world);
        let mut links = Vec::new();
        for source in world.places.iter().filter(|source| source.name != place.name) {
            links.push(Link {
                source: self.reached(source, Part::Apply),
                log: self.home(),
                lifecycle_stays: false,
                buckets: Arc::new(|_| true),
                storm: StormLimits::default(),
                deaths: DeathLimits::default(),
            });
        }
        let clock = &place.clock;
        let control = Control::new(self.home(), &world.topics, &place.name, Arc::clone(clock), ids.clone());
        let tell: Arc<dyn Tell> = Arc::new(Heard::default());
        let (name, told) = (place.name.clone(), Arc::clone(&tell));
        let holds = Holds::new(name, Arc::new(control), told, Arc::clone(clock), ids.clone());
        twinlog_consumer::Parts {
            here: self.reached(place, Part::Apply),
            home: self.home(),
            topics: world.topics.clone(),
            links,
            index: self.knowledge(Part::Apply),
            tail: Arc::clone(tail),
            doubts: Arc::clone(doubts),
            codec: Arc::clone(&world.codec),
            clock: Arc::clone(&place.clock),
            ids: ids.clone(),
            observer: Arc::new(OfApply(Arc::clone(self.accounts(Part::Apply)))),
            holds: Arc::new(holds),
            tell,
            lease: self.lease.clone(),
            config: ApplyConfig { park_after: None, ..ApplyConfig::default() },
        }
    }

    /// A store as this process reaches it: calls fail, and writes are late, as often as the profile says.
    fn reached(&mut self, place: &Place, part: Part) -> Arc<dyn Site> {
        let scene = Arc::clone(&self.scenes[usize::from(part == Part::Apply)]);
        let way =
            Way { gate: self.gate.clone(), lease: self.lease.clone(), dice: Dice::new(self.dice.seed(), "reach") };
        let planted = self.world.planted;
        Arc::new(Reach::new(self.failing(place), way, planted, scene))
    }

    fn failing(&mut self, place: &Place) -> Arc<dyn Site> {
        let profile = &self.world.profile;
        let dice = Mutex::new(Dice::new(self.dice.seed(), "transit"));
        let Profile { way, late_writes, doubled, .. } = *profile;
        let store = place.store.with_transit(Arc::new(move |_| transit((way, late_writes, doubled), &dice)));
        if profile.faults == 0 {
            return Arc::new(store);
        }
        let faults = vec![
            Fault::Reject(SiteErrorKind::Server),
            Fault::Reject(SiteErrorKind::Unreachable),
            Fault::FailAfterWrite,
            Fault::HoldResponse(Duration::from_secs(2)),
            Fault::RespondSlowly(Duration::from_secs(1)),
            Fault::Corrupt,
            Fault::Cut,
        ];
        let probability = f64::from(profile.faults) / 100.0;
        Arc::new(FaultySite::new(Arc::new(store), SeededFaults::new(self.dice.seed(), probability, faults)))
    }

    fn lanes(
        &mut self,
        purpose: &'static str,
        handler: Arc<dyn Handler>,
        wants: Arc<dyn Fn(&TopicName) -> bool + Send + Sync>,
        stop: &CancellationToken,
    ) -> JoinHandle<()> {
        let (world, place) = (Arc::clone(&self.world), &self.world.places[self.at]);
        let ids = Ids::new(Arc::clone(&place.clock), self.dice.seed());
        let group = LaneGroup {
            home: self.home(),
            group: world.topics.group(&place.name, &format!("{purpose}-lanes")),
            member: self.member.clone(),
            ids,
            lanes_topic: world.topics.lanes(&place.name),
            sources: vec![Source::of(self.home(), world.topics.group(&place.name, purpose), wants)],
            handler,
            watch: Arc::new(Unwatched),
            config: LaneConfig { concurrency: 4, ..LaneConfig::default() },
            discover_every: Duration::from_secs(30),
            discover_now: Arc::new(Notify::new()),
            owned: watch::Sender::new(BTreeSet::new()),
            lease: if purpose == PURPOSES[1] { self.lease.clone() } else { granted() },
        };
        let (stop, member) = (stop.clone(), self.member.clone());
        tokio::spawn(async move {
            if let Err(error) = group.run(stop).await {
                world.fault(format!("lanes of {purpose} in {member} ended: {error}"));
            }
        })
    }
}

/// A lease that lasts as its group grants it.
fn granted() -> Lease {
    let began = Instant::now();
    Lease::new(Arc::new(move || began.elapsed()))
}

/// The way of one write, which takes up to `way`, but for those that are late or sent twice.
fn transit((way, late, doubled): (Duration, u32, u32), dice: &Mutex<Dice>) -> Transit {
    let mut dice = dice.lock().unwrap_or_else(PoisonError::into_inner);
    let twice = dice.chance(doubled);
    if !dice.chance(late) {
        return Transit { delay: dice.up_to(way), patience: None, twice };
    }
    let delay = dice.up_to(EXPIRY + Duration::from_secs(3));
    Transit { delay, patience: Some(Duration::from_secs(2)), twice }
}

/// Freshness of the index for capture, as the binary has it.
struct ByTail {
    tail: Arc<Tail>,
    own: [TopicName; 2],
}

#[async_trait]
impl Freshness for ByTail {
    async fn own(&self) {
        while self.tail.caught_up_on(|topic| self.own.contains(topic), Duration::from_secs(60)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn all(&self) {
        self.own().await;
        // A site that cannot be reached is gone on without.
        let _ = self.tail.caught_up(Duration::from_secs(5)).await;
    }
}
