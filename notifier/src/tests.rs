//! The notifier on an in-memory log: what is appended, what stands, and what a restart does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;
use twinlog_control::{Control, DirtyBucket, Entry, Hold, Key, Reason, Scope, Stuck, TopicGone, TopicSeen};
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::memory::spec;
use twinlog_log::{Headers, Log, MemoryLog, Record, Tell, TellTopic, TopicName, TopicPartition, Topics};
use twinlog_schemas::{BucketName, CloudEvent, EventType, HoldTold, NotificationTold, SiteName};

use crate::http::{Answer, Post};
use crate::observe::Ignore;
use crate::windows::Rules;
use crate::{Notifier, Parts};

/// Time of the paused runtime.
pub(crate) struct Paused(tokio::time::Instant);

impl Paused {
    pub(crate) fn clock() -> Arc<dyn Clock> {
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl Clock for Paused {
    fn now_ns(&self) -> i64 {
        1_700_000_000_000_000_000 + i64::try_from(self.0.elapsed().as_nanos()).unwrap()
    }
}

pub(crate) struct World {
    pub(crate) log: MemoryLog,
    pub(crate) topics: Topics,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Ids,
    pub(crate) control: Arc<Control>,
    _following: JoinHandle<()>,
}

pub(crate) fn site(name: &str) -> SiteName {
    SiteName::new(name).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let (log, topics, west) = (MemoryLog::new(), Topics::new("t").unwrap(), site("west"));
        for (topic, partitions) in [(topics.events(&west), 3), (topics.dead(&west), 2), (topics.control(&west), 1)] {
            log.create_topic(&spec(topic, partitions)).await.unwrap();
        }
        let clock = Paused::clock();
        let ids = Ids::new(Arc::clone(&clock), 1);
        let home: Arc<dyn Log> = Arc::new(log.clone());
        let control = Arc::new(Control::new(home, &topics, &west, Arc::clone(&clock), ids.clone()));
        let followed = Arc::clone(&control);
        let _following = tokio::spawn(async move { followed.follow(|_| ()).await });
        Self { log, topics, clock, ids, control, _following }
    }

    pub(crate) fn tell(&self) -> Arc<dyn Tell> {
        let home: Arc<dyn Log> = Arc::new(self.log.clone());
        Arc::new(TellTopic::new(home, &self.topics, &site("west"), Arc::clone(&self.clock), self.ids.clone()))
    }

    pub(crate) fn start(&self) -> JoinHandle<()> {
        let notifier = Notifier::new(Parts {
            here: site("west"),
            home: Arc::new(self.log.clone()),
            topics: self.topics.clone(),
            sources: vec![site("east")],
            control: Arc::clone(&self.control),
            tell: self.tell(),
            clock: Arc::clone(&self.clock),
            ids: self.ids.clone(),
            observer: Arc::new(Ignore),
            rules: Rules { window_ms: 10_000, settle_ms: 1_000, quiet_ms: 60_000, examples: 2 },
            keys: true,
            runbook: "https://runbook.example".into(),
        });
        tokio::spawn(async move { notifier.run().await })
    }

    pub(crate) async fn letter(&self, number: i32) {
        let headers = [("twinlog-reason", "digest"), ("twinlog-source", "east"), ("twinlog-bucket", "photos")];
        let headers = headers.iter().fold(Headers::default(), |all, (name, value)| all.with(*name, *value));
        let record = Record {
            topic: self.topics.dead(&site("west")),
            partition: number % 2,
            key: Some(format!("photos/{number}").into()),
            value: None,
            headers,
            timestamp_ms: self.clock.now_ms(),
        };
        self.log.append(record).await.unwrap();
    }

    async fn hold(&self, kind: EventType) {
        let told = HoldTold {
            source_site: "east".into(),
            target_site: "west".into(),
            bucket: Some("photos".into()),
            reason: "target-versioning-off".into(),
            message: "Suspended".into(),
            remedy: "enable it".into(),
            since_us: self.clock.now_us(),
        };
        let (west, id, now) = (site("west"), self.ids.event_id(), self.clock.now_ns());
        self.tell().tell(CloudEvent::new(kind, id, &west, "east>west/photos", now, &told).unwrap()).await;
    }

    /// The notifications so far, in no order of subjects.
    pub(crate) fn told(&self) -> Vec<CloudEvent> {
        let west = site("west");
        let partitions = (0..3).map(|partition| TopicPartition { topic: self.topics.events(&west), partition });
        let records = partitions.flat_map(|at| self.log.records(&at));
        let events = records.map(|record| CloudEvent::from_json(record.value.as_deref().unwrap()).unwrap());
        events.filter(|event| event.is_by_notifier(&west)).collect()
    }

    fn told_types(&self) -> Vec<(String, u64)> {
        let of =
            |event: CloudEvent| (event.kind, serde_json::from_value::<NotificationTold>(event.data).unwrap().count);
        self.told().into_iter().map(of).collect()
    }
}

const FAILED: &str = "s3:Replication:OperationFailedReplication";

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn letters_are_told_together_and_over_when_no_more_come() {
    let world = World::new().await;
    let notifier = world.start();
    for number in 0..500 {
        world.letter(number).await;
    }
    sleep(Duration::from_secs(15)).await;
    assert_eq!(world.told_types(), [(FAILED.to_owned(), 500)]);
    let told: NotificationTold = serde_json::from_value(world.told()[0].data.clone()).unwrap();
    assert_eq!((told.examples.len(), told.total), (2, 500));
    assert_eq!(told.runbook, "https://runbook.example#dead-letters");
    world.letter(500).await;
    sleep(Duration::from_secs(15)).await;
    assert_eq!(world.told_types().len(), 2);
    assert_eq!(world.control.standing().len(), 1);
    sleep(Duration::from_secs(70)).await;
    assert_eq!(world.told_types()[2].0, "io.twinlog.recovered");
    assert!(world.control.standing().is_empty());
    notifier.abort();
}

/// Scenario: the process ends in the middle, twice. Guarantees: what it had told is not told again, what it had read
/// and not told is, and a hold that ends while nobody runs is over.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_restart_goes_on_where_it_was() {
    let world = World::new().await;
    let first = world.start();
    world.hold(EventType::HoldBegun).await;
    world.letter(0).await;
    sleep(Duration::from_secs(15)).await;
    assert_eq!(world.told().len(), 2);
    world.letter(1).await;
    sleep(Duration::from_millis(100)).await;
    first.abort();
    world.hold(EventType::HoldEnded).await;
    sleep(Duration::from_secs(3)).await;
    let second = world.start();
    sleep(Duration::from_secs(15)).await;
    let mut told = world.told_types();
    told.sort();
    let expected = [("io.twinlog.hold.begun", 1), ("io.twinlog.hold.ended", 1), (FAILED, 1), (FAILED, 1)];
    assert_eq!(told, expected.map(|(kind, count)| (kind.to_owned(), count)));
    second.abort();
}

/// Scenario: a hold is put on record and taken back without an event of either, as by a process that is killed in
/// between. Guarantees: both are told all the same.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_is_on_record_is_told_without_an_event() {
    let world = World::new().await;
    let notifier = world.start();
    let scope = Scope::Bucket((site("east"), BucketName::new("photos").unwrap()));
    let hold =
        Hold { reason: Reason::NoSuchBucket, message: "gone".into(), since_us: world.clock.now_us(), schema: None };
    world.control.put(Entry::Hold(scope.clone(), hold)).await;
    sleep(Duration::from_secs(40)).await;
    assert_eq!(world.told_types(), [("io.twinlog.hold.begun".to_owned(), 1)]);
    // The event comes late: a copy.
    world.control.remove(Key::Hold(scope)).await;
    sleep(Duration::from_secs(40)).await;
    assert_eq!(world.told_types()[1], ("io.twinlog.hold.ended".to_owned(), 0));
    sleep(Duration::from_secs(40)).await;
    assert_eq!(world.told_types().len(), 2);
    notifier.abort();
}

/// Scenario: a partition stands at a record, for hours.
/// Guarantee: it is told once, is not over as long as it stands, and is over then.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_partition_that_stands_is_told_until_it_does_not() {
    let world = World::new().await;
    let notifier = world.start();
    let partition = TopicPartition { topic: TopicName::new("twinlog.changes.east.photos").unwrap(), partition: 3 };
    let stuck = Stuck {
        offset: 7,
        message: "broke".to_owned(),
        since_us: world.clock.now_us(),
        source: site("east"),
        bucket: Some(BucketName::new("photos").unwrap()),
    };
    world.control.put(Entry::Stuck(partition.clone(), stuck)).await;
    sleep(Duration::from_secs(7_200)).await;
    assert_eq!(world.told_types(), [("io.twinlog.hold.begun".to_owned(), 1)]);
    world.control.remove(Key::Stuck(partition)).await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.told_types()[1], ("io.twinlog.hold.ended".to_owned(), 0));
    notifier.abort();
}

/// Scenario: a bucket of the site cannot be captured, and is swept in the end.
/// Guarantee: it is told as the site's own, once, and is over then.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_bucket_that_cannot_be_captured_is_told_until_it_is_swept() {
    let world = World::new().await;
    let notifier = world.start();
    let bucket = BucketName::new("photos").unwrap();
    let dirty = DirtyBucket { bucket: bucket.clone(), since_us: world.clock.now_us(), reason: "access-denied".into() };
    world.control.put(Entry::Dirty(dirty)).await;
    sleep(Duration::from_secs(7_200)).await;
    assert_eq!(world.told_types(), [("io.twinlog.hold.begun".to_owned(), 1)]);
    let begun = world.told().swap_remove(0);
    assert_eq!(begun.subject, "west>*/photos");
    assert_eq!((&begun.data["reason"], &begun.data["message"]), (&"dirty".into(), &"access-denied".into()));
    world.control.remove(Key::Dirty(bucket)).await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.told_types()[1], ("io.twinlog.hold.ended".to_owned(), 0));
    notifier.abort();
}

/// Scenario: a change topic is deleted, and made anew hours later.
/// Guarantee: it is told once, is not over as long as it is gone, and is over then.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_topic_that_is_gone_is_told_until_it_is_there_again() {
    let world = World::new().await;
    let notifier = world.start();
    let topic = TopicName::new("twinlog.changes.east.photos").unwrap();
    let (source, bucket) = (site("east"), Some(BucketName::new("photos").unwrap()));
    let gone = TopicGone { since_us: world.clock.now_us(), source, bucket };
    let seen = TopicSeen { id: None, partitions: 4, now: 4, given_up: false, gone: Some(gone) };
    world.control.put(Entry::Topic(topic.clone(), seen.clone())).await;
    // Six times as long as the longest interval at which anything is done anew.
    sleep(Duration::from_secs(21_600)).await;
    assert_eq!(world.told_types(), [("io.twinlog.hold.begun".to_owned(), 1)]);
    let begun = world.told().swap_remove(0);
    assert_eq!((begun.subject.as_str(), &begun.data["reason"]), ("east>west/photos", &"topic-gone".into()));
    world.control.put(Entry::Topic(topic, TopicSeen { gone: None, ..seen })).await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.told_types()[1], ("io.twinlog.hold.ended".to_owned(), 0));
    notifier.abort();
}

/// A body with its headers.
type Posted = (bytes::Bytes, Vec<(&'static str, String)>);

/// A receiver with a script of answers, then taking everything.
pub(crate) struct Scripted {
    pub(crate) answers: std::sync::Mutex<Vec<Answer>>,
    pub(crate) taken: std::sync::Mutex<Vec<Posted>>,
}

impl Scripted {
    pub(crate) fn new(mut answers: Vec<Answer>) -> Arc<Self> {
        answers.reverse();
        Arc::new(Self { answers: std::sync::Mutex::new(answers), taken: std::sync::Mutex::default() })
    }
}

#[async_trait::async_trait]
impl Post for Scripted {
    async fn post(&self, body: bytes::Bytes, headers: &[(&'static str, String)]) -> Answer {
        self.taken.lock().unwrap().push((body, headers.to_vec()));
        self.answers.lock().unwrap().pop().unwrap_or(Answer::Taken)
    }
}
