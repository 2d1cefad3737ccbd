//! A producer beside an in-memory store, with an in-memory log and index: what the tests of the whole act in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use twinlog_index::{Index, MemoryIndex};
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::fault::FaultyLog;
use twinlog_log::lane::{Handler, Slot};
use twinlog_log::memory::{MemoryLog, spec};
use twinlog_log::{Fetched, Log, TopicName, TopicPartition, Topics};
use twinlog_schemas::{
    BucketName, ChangeEvent, Codec, EventId, ExamineCause, ObjectKey, OwnNotice, Tags, Told, VersionKind, VersionRef,
};
use twinlog_site::SiteErrorKind;
use twinlog_site::fault::{Fault as SiteFault, FaultPlan, FaultySite};
use twinlog_site::memory::{
    BucketSetup, ClientPut, Door as StoreDoor, MemoryClient, MemorySite, MemorySiteOptions, Quirks,
};

use super::*;
use crate::buckets::BucketSettings;
use crate::notice::{self, Door};
use crate::observe::Unobserved;
use crate::{AlwaysFresh, Capture, CaptureConfig, Parts, Producer};
use twinlog_log::outgoing::Outgoing;

pub(super) const PARTITIONS: i32 = 4;

/// A clock that moves on by a little at every look.
pub(super) struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now_ns(&self) -> i64 {
        self.0.fetch_add(70_001, Ordering::SeqCst)
    }
}

/// Fails the calls of the store that name a key, for as long as it is set.
#[derive(Default)]
pub(super) struct OneKey(Mutex<Option<(&'static str, SiteFault)>>);

impl OneKey {
    pub(super) fn fail(&self, named: &'static str, kind: SiteErrorKind) {
        self.strike(named, SiteFault::Reject(kind));
    }

    pub(super) fn strike(&self, named: &'static str, fault: SiteFault) {
        *self.0.lock().unwrap() = Some((named, fault));
    }

    pub(super) fn mend(&self) {
        *self.0.lock().unwrap() = None;
    }
}

impl FaultPlan for OneKey {
    fn next(&self, _operation: &'static str, subject: &str) -> Option<SiteFault> {
        let failing = *self.0.lock().unwrap();
        failing.filter(|(named, _)| subject.contains(named)).map(|(_, fault)| fault)
    }
}

pub(super) struct World {
    pub(super) store: MemorySite,
    /// What goes wrong between capture and the store.
    pub(super) faults: Arc<OneKey>,
    pub(super) client: MemoryClient,
    pub(super) memory: MemoryLog,
    pub(super) log: Arc<FaultyLog>,
    pub(super) index: Arc<MemoryIndex>,
    pub(super) topics: Topics,
    pub(super) clock: Arc<Ticking>,
    pub(super) producer: Producer,
    pub(super) capture: Arc<Capture>,
    pub(super) bucket: BucketName,
    pub(super) key: ObjectKey,
}

impl World {
    pub(super) async fn new(quirks: Quirks) -> Self {
        Self::with(quirks, CaptureConfig::default(), true).await
    }

    pub(super) async fn with(quirks: Quirks, config: CaptureConfig, change_topic: bool) -> Self {
        let clock = Arc::new(Ticking(AtomicI64::new(1_795_393_500_000_000_000)));
        let ticking = Arc::clone(&clock);
        let options = MemorySiteOptions::new(site("east"), quirks, Arc::new(move || ticking.now_ns()), 7);
        let store = MemorySite::new(options);
        let bucket: BucketName = "bucket".parse().unwrap();
        store.create_bucket(&bucket, BucketSetup::REPLICATED);
        subscribed(&store, &bucket).await;
        let memory = MemoryLog::new();
        let topics = Topics::new("t").unwrap();
        let east = site("east");
        let mut names = vec![topics.notices(&east), topics.facts(&east), topics.control(&east), topics.dead(&east)];
        names.extend(change_topic.then(|| topics.changes(&east, &bucket)));
        for name in names {
            memory.create_topic(&spec(name, PARTITIONS)).await.unwrap();
        }
        let log = Arc::new(FaultyLog::new(Arc::new(memory.clone())));
        let index = Arc::new(MemoryIndex::new());
        let selection: BTreeMap<BucketName, BucketSettings> = [(bucket.clone(), BucketSettings::default())].into();
        let faults = Arc::new(OneKey::default());
        let parts = Parts {
            site: Arc::new(FaultySite::new(Arc::new(store.clone()), Arc::clone(&faults) as Arc<dyn FaultPlan>)),
            log: Arc::clone(&log) as Arc<dyn Log>,
            index: Arc::clone(&index) as Arc<dyn Index>,
            freshness: Arc::new(AlwaysFresh),
            codec: Arc::new(Codec::new().unwrap()),
            topics: topics.clone(),
            selection: Arc::new(selection),
            ids: Ids::new(Arc::clone(&clock) as Arc<dyn Clock>, 1),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            observer: Arc::new(Unobserved),
        };
        let producer = Producer::new(parts, config).unwrap();
        let capture = producer.capture();
        let client = store.client("client");
        let key = "key".parse().unwrap();
        Self { store, faults, client, memory, log, index, topics, clock, producer, capture, bucket, key }
    }

    /// Everything that the store has told since the last time, captured: each door's notices once.
    pub(super) async fn settle(&self) {
        self.take_in().await;
        self.capture_all().await;
    }

    /// Takes in everything that the store has told since the last time.
    pub(super) async fn take_in(&self) {
        for notice in self.store.take_notices() {
            let door = match notice.door {
                StoreDoor::Fast => Door::Fast,
                StoreDoor::Sure => Door::Sure,
                StoreDoor::Audit => Door::Audit,
            };
            self.tell(&notice.json, door).await;
        }
    }

    /// Takes a notice in by a door.
    pub(super) async fn tell(&self, json: &[u8], door: Door) {
        let inbox = self.producer.inbox();
        let wanted = inbox.wanted(notice::split(json, Some(door)).unwrap(), door).await;
        inbox.append(wanted, door).await.unwrap();
    }

    pub(super) async fn capture_all(&self) {
        let mut keys: BTreeMap<Bytes, Vec<Fetched>> = BTreeMap::new();
        for record in self.all(&self.topics.notices(&site("east"))) {
            keys.entry(self.capture.order_key(&record)).or_default().push(record);
        }
        for records in keys.values() {
            self.capture.handle(&mut Slot::free(), records).await;
        }
        for partition in 0..PARTITIONS {
            let topic = self.topics.notices(&site("east"));
            let at = TopicPartition { topic, partition };
            let next = self.memory.watermarks(&at).await.unwrap().next;
            self.memory.trim(&at, next).unwrap();
        }
    }

    pub(super) async fn ask(&self, cause: ExamineCause, version_id: Option<VersionId>, may_create: bool) -> EventId {
        let id = Ids::new(Arc::clone(&self.clock) as Arc<dyn Clock>, 99).event_id();
        let own = OwnNotice {
            id,
            cause,
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            version_id,
            may_create,
            asked_by: site("west"),
            asked_at_us: self.clock.now_us(),
        };
        let topic = self.topics.notices(&site("east"));
        let outgoing = Outgoing {
            topic: &topic,
            bucket: &self.bucket,
            key: &self.key,
            record_key: None,
            value: own.to_json().unwrap().into(),
            headers: Default::default(),
            timestamp_ms: 0,
        };
        let record = self.capture.partitions.place(outgoing).await.unwrap();
        self.memory.append(record).await.unwrap();
        self.capture_all().await;
        id
    }

    pub(super) fn all(&self, topic: &TopicName) -> Vec<Fetched> {
        let at = |partition| TopicPartition { topic: topic.clone(), partition };
        (0..PARTITIONS).flat_map(|partition| self.memory.records(&at(partition))).collect()
    }

    pub(super) fn events(&self) -> Vec<ChangeEvent> {
        let codec = Codec::new().unwrap();
        let records = self.all(&self.topics.changes(&site("east"), &self.bucket));
        records.iter().map(|record| codec.decode_change(record.value.as_ref().unwrap()).unwrap()).collect()
    }

    pub(super) fn facts(&self) -> Vec<Fact> {
        let codec = Codec::new().unwrap();
        let records = self.all(&self.topics.facts(&site("east")));
        records.iter().map(|record| codec.decode_fact(record.value.as_ref().unwrap()).unwrap()).collect()
    }

    pub(super) fn control(&self) -> Vec<String> {
        let records = self.all(&self.topics.control(&site("east")));
        records.iter().map(|record| String::from_utf8(record.key.clone().unwrap().to_vec()).unwrap()).collect()
    }

    /// The dead letters' reasons.
    pub(super) fn letters(&self) -> Vec<String> {
        let records = self.all(&self.topics.dead(&site("east")));
        records
            .iter()
            .map(|record| {
                let reason = record.headers.last(twinlog_dead::REASON).unwrap();
                String::from_utf8(reason.to_vec()).unwrap()
            })
            .collect()
    }

    pub(super) fn put(&self, body: &'static [u8]) -> VersionId {
        self.put_as(&ClientPut { body: Bytes::from_static(body), ..ClientPut::default() })
    }

    pub(super) fn put_as(&self, put: &ClientPut) -> VersionId {
        self.client.put(&self.bucket, &self.key, put).unwrap().version_id
    }

    pub(super) fn version(&self, version_id: &VersionId) -> VersionRef {
        VersionRef { bucket: self.bucket.clone(), key: self.key.clone(), version_id: version_id.clone() }
    }

    pub(super) fn true_times(&self) -> BTreeMap<VersionId, i64> {
        self.store.times_of(&self.bucket, &self.key).unwrap().into_iter().collect()
    }
}

pub(super) async fn subscribed(store: &MemorySite, bucket: &BucketName) {
    use twinlog_site::Site;
    store.subscribe(bucket).await.unwrap();
}

pub(super) fn told(events: &[ChangeEvent]) -> Vec<(Told, VersionKind)> {
    events.iter().map(|event| (event.told, event.kind)).collect()
}

pub(super) fn tags(value: &str) -> Tags {
    [("k".to_owned(), value.to_owned())].into()
}

pub(super) fn both() -> [Quirks; 2] {
    [Quirks::rustfs(), Quirks::minio()]
}
