//! The laboratory: site east is the source, site west the target; clients act at both, and tests write the events and
//! facts that east's (or west's) capture would have written.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use twinlog_control::Control;
use twinlog_dead::{History, Letter, Scan, State, States};
use twinlog_index::MemoryIndex;
use twinlog_log::backoff::Backoff;
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::lane::{Handler, Lease, Repeat, Slot};
use twinlog_log::memory::{MemoryLog, spec};
use twinlog_log::{Fetched, Headers, Heard, Log, Position, Record, TopicName, TopicPartition, Topics};
use twinlog_schemas::codec::Codec;
use twinlog_schemas::{
    Answer, Basis, BucketName, ChangeEvent, EventId, Fact, FactBody, ObjectKey, ObjectState, OwnNotice, Receipt,
    SiteName, Stamp, StoreReading, Tags, TimePrecision, Told, VersionId, VersionKind, VersionRef,
};
use twinlog_site::fault::{FaultySite, Script};
use twinlog_site::memory::{BucketSetup, ClientPut, MemoryClient, MemorySite, MemorySiteOptions, Quirks, TransitPlan};
use twinlog_site::{BodyWish, ObjectReading, Reading, Site};
use twinlog_tail::{Kind, Tail, Topic};

use super::seen::Seen;
use crate::apply::Planner;
use crate::deaths::DeathLimits;
use crate::hold::{Direction, Holds, Reason};
use crate::plan::plan;
use crate::storm::StormLimits;
use crate::{Apply, ApplyConfig, Doubts, Link, Parts};

const EPOCH_NS: i64 = 1_795_393_500_000_000_000;

/// Simulated time as a wall clock.
struct Simulated(Instant);

impl Clock for Simulated {
    fn now_ns(&self) -> i64 {
        EPOCH_NS + i64::try_from(self.0.elapsed().as_nanos()).unwrap()
    }
}

/// What can be set up otherwise.
pub(super) struct Setup {
    pub quirks: Quirks,
    /// Bodies up to this size travel in events.
    pub inline: u64,
    /// What east's lifecycle removes stays at west.
    pub lifecycle_stays: bool,
    /// The way of Apply's requests to the target.
    pub transit: Option<TransitPlan>,
    /// As [`ApplyConfig::park_after`].
    pub park_after: Option<Duration>,
    /// How records are planned.
    pub plan: Planner,
}

/// When removals stop the bucket.
pub(super) const STORM: StormLimits = StormLimits { window: Duration::from_secs(600), removals: 5, share: 0.9 };

/// When dead letters stop the bucket.
pub(super) const DEATHS: DeathLimits = DeathLimits { window: Duration::from_secs(600), letters: 5, share: 0.5 };

impl Default for Setup {
    fn default() -> Self {
        Self {
            quirks: Quirks::rustfs(),
            inline: 16 << 10,
            lifecycle_stays: false,
            transit: None,
            park_after: None,
            plan,
        }
    }
}

pub(super) struct Lab {
    pub east: MemorySite,
    pub west: MemorySite,
    pub at_east: MemoryClient,
    pub at_west: MemoryClient,
    /// Faults between Apply and the source.
    pub source: Arc<Script>,
    /// Faults between Apply and the target.
    pub target: Arc<Script>,
    pub seen: Arc<Seen>,
    pub heard: Arc<Heard>,
    pub holds: Arc<Holds>,
    pub topics: Topics,
    pub codec: Arc<Codec>,
    pub bucket: BucketName,
    pub key: ObjectKey,
    inline: u64,
    pub apply: Arc<Apply>,
    pub log: MemoryLog,
    clock: Arc<dyn Clock>,
    ids: Ids,
    offset: AtomicI64,
    /// What an Apply is made of.
    parts: Box<dyn Fn() -> Parts + Send + Sync>,
    plan: Planner,
    stop: CancellationToken,
    /// Ends the process that runs now.
    kill: CancellationToken,
    _tail: DropGuard,
}

pub(super) fn both() -> [Quirks; 2] {
    [Quirks::rustfs(), Quirks::minio()]
}

pub(super) fn tags(value: &str) -> Tags {
    [("k".to_owned(), value.to_owned())].into()
}

impl Lab {
    pub(super) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(super) async fn with(setup: Setup) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Simulated(Instant::now()));
        let ids = Ids::new(Arc::clone(&clock), 1);
        let bucket: BucketName = "bucket".parse().unwrap();
        let site = |name: &str, seed| {
            let now = Arc::clone(&clock);
            let options = MemorySiteOptions::new(
                name.parse().unwrap(),
                setup.quirks.clone(),
                Arc::new(move || now.now_ns()),
                seed,
            );
            MemorySite::new(MemorySiteOptions { min_part_bytes: 1, ..options })
        };
        let (east, west) = (site("east", 1), site("west", 2));
        for site in [&east, &west] {
            site.create_bucket(&bucket, BucketSetup::REPLICATED);
            site.subscribe(&bucket).await.unwrap();
        }
        let (log, topics) = (MemoryLog::new(), Topics::new("t").unwrap());
        for site in [east.name(), west.name()] {
            let own = [topics.notices(site), topics.facts(site), topics.receipts(site), topics.dead(site)];
            for name in own.into_iter().chain([topics.dead_state(site)]) {
                log.create_topic(&spec(name, 2)).await.unwrap();
            }
            log.create_topic(&spec(topics.control(site), 1)).await.unwrap();
        }
        let codec = Arc::new(Codec::new().unwrap());
        let (index, doubts) = (Arc::new(MemoryIndex::new()), Arc::new(Doubts::default()));
        let (stop, told) = (CancellationToken::new(), Arc::clone(&doubts));
        let home: Arc<dyn Log> = Arc::new(log.clone());
        let followed = [
            (topics.facts(east.name()), Kind::Facts),
            (topics.facts(west.name()), Kind::Facts),
            (topics.receipts(west.name()), Kind::Receipts),
        ];
        let tail = twinlog_tail::Parts {
            topics: followed.map(|(name, kind)| Topic { log: Arc::clone(&home), name, kind }).into(),
            group: "tail".into(),
            index: Arc::<MemoryIndex>::clone(&index),
            codec: Arc::clone(&codec),
            listener: Arc::new(move |fact| told.tell(fact)),
            backoff: Backoff::PROMPT,
            seed: 3,
        };
        let (tail, _) = Tail::start(tail, stop.clone());
        let (source, target) = (Script::new([]), Script::new([]));
        let way = setup.transit.map_or_else(|| west.clone(), |plan| west.with_transit(plan));
        let (seen, heard) = (Arc::<Seen>::default(), Arc::<Heard>::default());
        let control =
            Control::new(Arc::clone(&home), &topics, west.name(), Arc::clone(&clock), Ids::new(Arc::clone(&clock), 9));
        let holds = Arc::new(Holds::new(
            west.name().clone(),
            Arc::new(control),
            Arc::<Heard>::clone(&heard),
            Arc::clone(&clock),
            Ids::new(Arc::clone(&clock), 8),
        ));
        let parts = {
            let (way, east, log, topics) = (way, east.clone(), Arc::clone(&home), topics.clone());
            let (source, target) = (Arc::<Script>::clone(&source), Arc::<Script>::clone(&target));
            let (seen, heard, holds) = (Arc::<Seen>::clone(&seen), Arc::<Heard>::clone(&heard), Arc::clone(&holds));
            let (codec, clock, ids) = (Arc::clone(&codec), Arc::clone(&clock), ids.clone());
            move || Parts {
                here: Arc::new(FaultySite::new(Arc::new(way.clone()), Arc::<Script>::clone(&target))),
                home: Arc::clone(&log),
                topics: topics.clone(),
                links: vec![Link {
                    source: Arc::new(FaultySite::new(Arc::new(east.clone()), Arc::<Script>::clone(&source))),
                    log: Arc::clone(&log),
                    lifecycle_stays: setup.lifecycle_stays,
                    buckets: Arc::new(|_| true),
                    storm: STORM,
                    deaths: DEATHS,
                }],
                index: Arc::<MemoryIndex>::clone(&index),
                tail: Arc::clone(&tail),
                doubts: Arc::clone(&doubts),
                codec: Arc::clone(&codec),
                clock: Arc::clone(&clock),
                ids: ids.clone(),
                observer: Arc::<Seen>::clone(&seen),
                holds: Arc::clone(&holds),
                tell: Arc::<Heard>::clone(&heard),
                lease: Lease::endless(),
                config: ApplyConfig { park_after: setup.park_after, ..ApplyConfig::default() },
            }
        };
        let kill = stop.child_token();
        let apply = begin(parts(), setup.plan, &kill).await;
        Self {
            at_east: east.client("client"),
            at_west: west.client("client"),
            east,
            west,
            source,
            target,
            seen,
            heard,
            holds,
            topics,
            codec,
            bucket,
            key: "key".parse().unwrap(),
            inline: setup.inline,
            apply,
            log,
            clock,
            ids,
            offset: AtomicI64::new(0),
            parts: Box::new(parts),
            plan: setup.plan,
            stop: stop.clone(),
            kill,
            _tail: stop.drop_guard(),
        }
    }

    /// The process is killed and starts again, with what is on its disk and in the log.
    pub(super) async fn restart(&mut self) {
        self.kill.cancel();
        self.kill = self.stop.child_token();
        self.apply = begin((self.parts)(), self.plan, &self.kill).await;
    }

    // --- clients -------------------------------------------------------------------------------------------------

    pub(super) fn put(&self, put: &ClientPut) -> VersionRef {
        self.version(&self.at_east.put(&self.bucket, &self.key, put).unwrap().version_id)
    }

    pub(super) fn put_body(&self, body: impl Into<Bytes>) -> VersionRef {
        self.put(&ClientPut { body: body.into(), ..ClientPut::default() })
    }

    pub(super) fn version(&self, id: &VersionId) -> VersionRef {
        VersionRef { bucket: self.bucket.clone(), key: self.key.clone(), version_id: id.clone() }
    }

    // --- what capture would write ----------------------------------------------------------------------------------

    /// What east's capture would say now of a version that is there; a birth with BIRTH stamps, anything else with
    /// a KNOWN stamp of its own category.
    pub(super) async fn event(&self, version: &VersionRef, told: Told) -> ChangeEvent {
        let (now_ns, site) = (self.clock.now_ns(), self.east.name().clone());
        let times = self.east.times_of(&version.bucket, &version.key).unwrap();
        let modified_at_ns = times.iter().find(|(id, _)| *id == version.version_id).map_or(now_ns, |(_, ns)| *ns);
        let (kind, object) = match self.east.read(version, BodyWish::UpTo(self.inline)).await.unwrap() {
            Reading::Object(held) => (VersionKind::Object, Some(state(&held, told, modified_at_ns, now_ns, &site))),
            Reading::Marker { .. } => (VersionKind::DeleteMarker, None),
            Reading::Absent => (VersionKind::Removed, None),
        };
        ChangeEvent {
            event_id: self.ids.event_id(),
            site,
            bucket: version.bucket.clone(),
            key: version.key.clone(),
            version_id: version.version_id.clone(),
            kind,
            told,
            cause: "test".into(),
            lifecycle: false,
            may_create: false,
            actor: None,
            modified_at_ns,
            modified_precision: TimePrecision::Nanoseconds,
            event_time_us: None,
            noticed_at_us: now_ns / 1_000,
            observed_at_us: now_ns / 1_000,
            object,
            locks_seen: None,
            null_register: None,
        }
    }

    pub(super) fn fact(&self, site: &str, version: &VersionRef, body: FactBody) -> Fact {
        Fact {
            event_id: self.ids.event_id(),
            site: site.parse().unwrap(),
            bucket: version.bucket.clone(),
            key: version.key.clone(),
            version_id: version.version_id.clone(),
            said_at_ns: self.clock.now_ns(),
            of: None,
            body,
        }
    }

    pub(super) fn tags_fact(&self, site: &str, version: &VersionRef, value: &str, basis: Basis) -> Fact {
        self.fact(site, version, FactBody::Tags(self.stamp(site, tags(value), basis)))
    }

    pub(super) fn stamp<T>(&self, site: &str, value: T, basis: Basis) -> Stamp<T> {
        Stamp { value, changed_at_ns: self.clock.now_ns(), site: site.parse().unwrap(), basis, over: None }
    }

    // --- holds -----------------------------------------------------------------------------------------------------

    pub(super) fn direction(&self) -> Direction {
        (self.east.name().clone(), self.bucket.clone())
    }

    /// Why the bucket from east is held.
    pub(super) fn held(&self) -> Option<Reason> {
        self.holds.reason(&self.direction())
    }

    /// Holds the bucket from east.
    pub(super) async fn hold(&self, reason: Reason) {
        self.holds.begin(Holds::scope(&self.direction(), reason), reason, "for a test", None).await;
    }

    /// As `twinlog bucket release`.
    pub(super) async fn release(&self) {
        self.holds.control().let_go(&self.direction(), "a person").await;
    }

    // --- Apply -----------------------------------------------------------------------------------------------------

    /// Handles the version's birth at east.
    pub(super) async fn born(&self, version: &VersionRef) {
        self.apply(&self.event(version, Told::Born).await).await;
    }

    pub(super) async fn apply(&self, event: &ChangeEvent) {
        let value = self.codec.encode_change(event).unwrap();
        self.handle(&self.change_record(value.into())).await;
    }

    /// A record as east's change topic would hold it.
    pub(super) fn change_record(&self, value: Bytes) -> Fetched {
        self.record(self.topics.changes(self.east.name(), &self.bucket), value)
    }

    /// Writes a fact to its topic, as its site's capture does, and handles it.
    pub(super) async fn apply_fact(&self, fact: &Fact) {
        let position = self.say(fact).await;
        let value = self.codec.encode_fact(fact).unwrap();
        let record = self.record(self.topics.facts(&fact.site), value.into());
        self.handle(&Fetched { position, ..record }).await;
    }

    /// Only writes a fact to its topic: the tail reads it, the lane does not yet.
    pub(super) async fn say(&self, fact: &Fact) -> Position {
        let record = Record {
            topic: self.topics.facts(&fact.site),
            partition: 0,
            key: Some(fact.compaction_key().into()),
            value: Some(self.codec.encode_fact(fact).unwrap().into()),
            headers: Headers::default(),
            timestamp_ms: 0,
        };
        let position = self.log.append(record).await.unwrap();
        // The tail is a task of its own: let it read.
        tokio::time::sleep(Duration::from_millis(1)).await;
        position
    }

    /// Runs Apply's asking for what is due for so long.
    pub(super) async fn removals_due(&self, long: Duration) {
        let stop = CancellationToken::new();
        tokio::join!(self.apply.removals_due(stop.clone()), async {
            tokio::time::sleep(long).await;
            stop.cancel();
        });
    }

    pub(super) async fn handle(&self, record: &Fetched) {
        // Handling that does not end is a failure, not a hang: simulated time passes quickly.
        assert!(!self.waits(record, Duration::from_secs(3_600)).await, "the record is not done after an hour");
    }

    /// Whether the record is still being tried after so long.
    pub(super) async fn waits(&self, record: &Fetched, long: Duration) -> bool {
        timeout(long, self.apply.handle(&mut Slot::free(), std::slice::from_ref(record))).await.is_err()
    }

    fn record(&self, topic: TopicName, value: Bytes) -> Fetched {
        let partition = TopicPartition { topic, partition: 0 };
        Fetched {
            position: Position { partition, offset: self.offset.fetch_add(1, Ordering::SeqCst) },
            key: Some(Bytes::from(format!("{}/{}", self.bucket, self.key))),
            value: Some(value),
            headers: Headers::default().with("traceparent", "00-abc"),
            timestamp_ms: Some(self.clock.now_ms()),
        }
    }

    // --- what came of it -------------------------------------------------------------------------------------------

    pub(super) async fn at_target(&self, version: &VersionRef) -> Reading {
        self.west.read(version, BodyWish::UpTo(u64::MAX)).await.unwrap()
    }

    pub(super) async fn object(&self, version: &VersionRef) -> ObjectReading {
        match self.at_target(version).await {
            Reading::Object(object) => *object,
            other => panic!("{version} is {other:?}"),
        }
    }

    /// The version is the same at both sites, to the nanosecond.
    pub(super) async fn assert_same(&self, version: &VersionRef) {
        let at_east = self.east.read(version, BodyWish::UpTo(u64::MAX)).await.unwrap();
        assert_eq!(plain(at_east), plain(self.at_target(version).await));
        let times = |site: &MemorySite| site.times_of(&version.bucket, &version.key).unwrap();
        let of = |site| times(site).into_iter().find(|(id, _)| *id == version.version_id);
        assert_eq!(of(&self.east), of(&self.west));
    }

    pub(super) fn receipts(&self) -> Vec<Receipt> {
        let values = self.all(&self.topics.receipts(self.west.name()));
        values.iter().map(|record| self.codec.decode_receipt(record.value.as_ref().unwrap()).unwrap()).collect()
    }

    pub(super) fn letters(&self) -> Vec<Fetched> {
        self.all(&self.topics.dead(self.west.name()))
    }

    /// Every letter as commands list it, with its state.
    pub(super) async fn listed(&self) -> Vec<(Letter, Option<State>)> {
        let (dead, said) = (self.topics.dead(self.west.name()), self.topics.dead_state(self.west.name()));
        let states = States::load(&self.log, &said).await.unwrap();
        let mut scan = Scan::begin(&self.log, &self.topics, &dead).await.unwrap();
        let mut letters = Vec::new();
        while let Some(letter) = scan.next().await.unwrap() {
            let state = states.of(&letter.cause).and_then(History::state);
            letters.push((letter, state));
        }
        letters
    }

    /// The states of all letters, oldest letter first.
    pub(super) async fn states(&self) -> Vec<Option<State>> {
        self.listed().await.into_iter().map(|(_, state)| state).collect()
    }

    /// The notices that Apply wrote to the target's own notices topic.
    pub(super) fn doubts(&self) -> Vec<OwnNotice> {
        self.notices(self.west.name())
    }

    /// The notices that Apply wrote to a site's notices topic.
    pub(super) fn notices(&self, site: &SiteName) -> Vec<OwnNotice> {
        let values = self.all(&self.topics.notices(site));
        values.iter().map(|record| OwnNotice::from_json(record.value.as_ref().unwrap()).unwrap()).collect()
    }

    /// Waits until Apply has asked so many doubts; the last one's id.
    pub(super) async fn doubted(&self, count: usize) -> EventId {
        let deadline = Instant::now() + Duration::from_secs(3_600);
        while self.doubts().len() < count {
            assert!(Instant::now() < deadline, "no doubt was asked");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.doubts()[count - 1].id
    }

    /// Answers the doubt of that number with what the target holds, as its capture does.
    pub(super) async fn answers(&self, count: usize, version: &VersionRef) {
        let doubt_id = self.doubted(count).await;
        let reading = match self.at_target(version).await {
            Reading::Object(held) => StoreReading {
                present: true,
                tags: held.tags.clone(),
                retention: held.retention,
                legal_hold: held.legal_hold,
            },
            other => StoreReading {
                present: other != Reading::Absent,
                tags: Tags::new(),
                retention: None,
                legal_hold: false,
            },
        };
        self.say(&self.fact("west", version, FactBody::Answer(Answer { doubt_id, reading }))).await;
    }

    fn all(&self, topic: &TopicName) -> Vec<Fetched> {
        let at = |partition| TopicPartition { topic: topic.clone(), partition };
        (0..2).flat_map(|partition| self.log.records(&at(partition))).collect()
    }
}

/// Starts an Apply as a process does, with the tasks that keep it.
async fn begin(parts: Parts, plan: Planner, stop: &CancellationToken) -> Arc<Apply> {
    let apply = Arc::new(Apply::new(parts).planned_by(plan));
    let (keeping, stopped, owned) = (Arc::clone(&apply), stop.clone(), watch::Sender::new([0].into()));
    tokio::spawn(async move {
        let tasks = async { tokio::join!(keeping.keep(owned.subscribe()), keeping.letters(owned.subscribe())) };
        stopped.run_until_cancelled(tasks).await
    });
    let (again, repeats) = mpsc::channel(8);
    apply.may_repeat(again);
    tokio::spawn(stop.clone().run_until_cancelled_owned(repeat(Arc::clone(&apply), repeats)));
    while !apply.letters.loaded() {
        tokio::task::yield_now().await;
    }
    apply
}

/// Does what lanes do with records that are to be handled once more.
async fn repeat(apply: Arc<Apply>, mut repeats: mpsc::Receiver<Repeat>) {
    while let Some(Repeat { record, done }) = repeats.recv().await {
        apply.handle(&mut Slot::free(), std::slice::from_ref(&record)).await;
        done.send(()).unwrap();
    }
}

/// A reading without what tells a replica from its source.
fn plain(reading: Reading) -> Reading {
    match reading {
        Reading::Object(object) => Reading::Object(Box::new(ObjectReading { replication_status: None, ..*object })),
        other => other,
    }
}

fn state(held: &ObjectReading, told: Told, born_ns: i64, now_ns: i64, site: &SiteName) -> ObjectState {
    let (basis, at) = if told == Told::Born { (Basis::Birth, born_ns) } else { (Basis::Known, now_ns) };
    fn stamp<T>(said: bool, value: T, changed_at_ns: i64, site: &SiteName, basis: Basis) -> Option<Stamp<T>> {
        said.then(|| Stamp { value, changed_at_ns, site: site.clone(), basis, over: None })
    }
    let born = told == Told::Born;
    ObjectState {
        size: i64::try_from(held.size).unwrap(),
        etag: held.etag.clone(),
        headers: held.headers.clone(),
        user_metadata: held.user_metadata.clone(),
        tags: stamp(told == Told::Tags || (born && !held.tags.is_empty()), held.tags.clone(), at, site, basis),
        retention: stamp(
            told == Told::Retention || (born && held.retention.is_some()),
            held.retention,
            at,
            site,
            basis,
        ),
        legal_hold: stamp(told == Told::LegalHold || (born && held.legal_hold), held.legal_hold, at, site, basis),
        storage_class: held.storage_class.clone(),
        encryption: held.encryption,
        checksums: held.checksums.clone(),
        parts: held.parts.clone(),
        body: held.body.as_ref().map(|body| body.to_vec()),
    }
}
