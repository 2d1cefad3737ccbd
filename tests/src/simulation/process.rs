//! Twinlog's processes beside the sites, made of the real parts as the binary makes them: tail, capture's lanes, apply's
//! lanes. A process can be stopped cleanly or killed, and started again; what it keeps on disk is its index.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use twinlog_consumer::hold::Holds;
use twinlog_consumer::observe::Silent;
use twinlog_consumer::storm::StormLimits;
use twinlog_consumer::{Apply, ApplyConfig, Doubts, Link};
use twinlog_control::Control;
use twinlog_index::{Index, MemoryIndex};
use twinlog_log::backoff::Backoff;
use twinlog_log::clock::Ids;
use twinlog_log::lane::{Handler, LaneConfig, LaneGroup, Source};
use twinlog_log::{Heard, Tell, TopicName};
use twinlog_producer::{BucketSettings, CaptureConfig, Freshness, Producer, Unobserved};
use twinlog_schemas::Fact;
use twinlog_site::fault::{Fault, FaultySite, SeededFaults};
use twinlog_site::memory::Transit;
use twinlog_site::{Site, SiteErrorKind};
use twinlog_tail::{Kind, Tail, Topic};

use super::dice::Dice;
use super::world::{EXPIRY, INLINE, Place, World};

/// All processes of a run.
pub(super) struct Fleet {
    pub machines: Vec<Machine>,
}

/// What one process runs on: it keeps its disk.
pub(super) struct Machine {
    world: Arc<World>,
    at: usize,
    member: String,
    index: Arc<MemoryIndex>,
    dice: Dice,
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
                let dice = Dice::new(seed, &member);
                let index = Arc::default();
                let mut machine = Machine { world: Arc::clone(world), at, member, index, dice, running: None };
                machine.start()?;
                machines.push(machine);
            }
        }
        Ok(Self { machines })
    }
}

impl Machine {
    /// Starts the process if it does not run.
    pub(super) fn start(&mut self) -> Result<(), String> {
        if self.running.is_some() {
            return Ok(());
        }
        let (world, stop, stop_tail) = (Arc::clone(&self.world), CancellationToken::new(), CancellationToken::new());
        let place = &world.places[self.at];
        let ids = Ids::new(Arc::clone(&place.clock), self.dice.seed());
        let doubts = Arc::new(Doubts::default());
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
            self.lanes("capture", capture, Arc::new(captured), &stop),
            self.lanes("apply", apply, Arc::new(applied), &stop),
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

    /// Whether the profile has processes crash.
    pub(super) fn crashes(&self) -> bool {
        self.world.profile.crashes
    }

    /// Loses its disk; only while it does not run.
    pub(super) fn wipe(&mut self) {
        if self.running.is_none() {
            self.index = Arc::default();
        }
    }

    fn tail(&self, doubts: &Arc<Doubts>, ids: &Ids) -> twinlog_tail::Parts {
        let (world, place) = (&self.world, &self.world.places[self.at]);
        let topic = |name, kind| Topic { log: world.home(), name, kind };
        let facts = world.places.iter().map(|site| topic(world.topics.facts(&site.name), Kind::Facts));
        let told = Arc::clone(doubts);
        twinlog_tail::Parts {
            topics: facts.chain([topic(world.topics.receipts(&place.name), Kind::Receipts)]).collect(),
            group: world.topics.group(&place.name, "tail"),
            index: Arc::<MemoryIndex>::clone(&self.index),
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
                site: self.reached(place),
                log: world.home(),
                index: Arc::<MemoryIndex>::clone(&self.index) as Arc<dyn Index>,
                freshness: Arc::new(ByTail { tail: Arc::clone(tail), own }),
                codec: Arc::clone(&world.codec),
                topics: world.topics.clone(),
                selection: Arc::new(selection),
                clock: Arc::clone(&place.clock),
                ids: ids.clone(),
                observer: Arc::new(Unobserved),
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
                source: self.reached(source),
                log: world.home(),
                lifecycle_stays: false,
                buckets: Arc::new(|_| true),
                storm: StormLimits::default(),
            });
        }
        let clock = &place.clock;
        let control = Control::new(world.home(), &world.topics, &place.name, Arc::clone(clock), ids.clone());
        let tell: Arc<dyn Tell> = Arc::new(Heard::default());
        let (name, told) = (place.name.clone(), Arc::clone(&tell));
        let holds = Holds::new(name, Arc::new(control), told, Arc::clone(clock), ids.clone());
        twinlog_consumer::Parts {
            here: self.reached(place),
            home: world.home(),
            topics: world.topics.clone(),
            links,
            index: Arc::<MemoryIndex>::clone(&self.index),
            tail: Arc::clone(tail),
            doubts: Arc::clone(doubts),
            codec: Arc::clone(&world.codec),
            clock: Arc::clone(&place.clock),
            ids: ids.clone(),
            observer: Arc::new(Silent),
            holds: Arc::new(holds),
            tell,
            config: ApplyConfig { park_after: None, ..ApplyConfig::default() },
        }
    }

    /// A store as this process reaches it: calls fail, and writes are late, as often as the profile says.
    fn reached(&mut self, place: &Place) -> Arc<dyn Site> {
        let profile = &self.world.profile;
        let (late, dice) = (profile.zombies, Mutex::new(Dice::new(self.dice.seed(), "transit")));
        let store = place.store.with_transit(Arc::new(move |_| transit(late, &dice)));
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
        let mark = format!("{:016x}", self.dice.seed());
        let (world, place) = (Arc::clone(&self.world), &self.world.places[self.at]);
        let group = LaneGroup {
            home: world.home(),
            group: world.topics.group(&place.name, &format!("{purpose}-lanes")),
            member: self.member.clone(),
            mark,
            lanes_topic: world.topics.lanes(&place.name),
            sources: vec![Source { log: world.home(), group: world.topics.group(&place.name, purpose), wants }],
            handler,
            config: LaneConfig { concurrency: 4, ..LaneConfig::default() },
            discover_every: Duration::from_secs(30),
            discover_now: Arc::new(Notify::new()),
            owned: watch::Sender::new(BTreeSet::new()),
        };
        let (stop, member) = (stop.clone(), self.member.clone());
        tokio::spawn(async move {
            if let Err(error) = group.run(stop).await {
                world.fault(format!("lanes of {purpose} in {member} ended: {error}"));
            }
        })
    }
}

/// The way of one write.
fn transit(late: u32, dice: &Mutex<Dice>) -> Transit {
    let mut dice = dice.lock().unwrap_or_else(PoisonError::into_inner);
    if !dice.chance(late) {
        return Transit { delay: dice.up_to(Duration::from_millis(20)), patience: None };
    }
    let delay = dice.up_to(EXPIRY + Duration::from_secs(3));
    Transit { delay, patience: Some(Duration::from_secs(2)) }
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
