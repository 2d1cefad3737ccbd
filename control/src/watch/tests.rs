//! What is gone of the log stands on record and is told, whatever topic it is of; on the in-memory log.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex;

use twinlog_log::clock::SystemClock;
use twinlog_log::memory::spec;
use twinlog_log::{Heard, MemoryLog, TopicId};

use super::*;

struct World {
    watch: LogWatch,
    control: Arc<Control>,
    heard: Arc<Heard>,
    topics: Topics,
    unfit: Arc<Mutex<Vec<Direction>>>,
    log: MemoryLog,
}

fn site(name: &str) -> SiteName {
    name.parse().unwrap()
}

fn bucket(name: &str) -> BucketName {
    name.parse().unwrap()
}

fn now(id: u128, partitions: i32) -> TopicNow {
    TopicNow { id: Some(TopicId(id)), partitions, lanes: 4 }
}

impl World {
    /// West, into which links from east and north lead; buckets `photos` and `logs` are enabled at all sites.
    async fn new() -> Self {
        let (log, topics) = (MemoryLog::new(), Topics::new("t").unwrap());
        let home: Arc<dyn Log> = Arc::new(log.clone());
        log.create_topic(&spec(topics.control(&site("west")), 1)).await.unwrap();
        for at in ["east", "north", "west"] {
            for name in ["photos", "logs", "left-out"] {
                log.create_topic(&spec(topics.changes(&site(at), &bucket(name)), 4)).await.unwrap();
            }
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids = Ids::new(Arc::clone(&clock), 7);
        let control = Control::new(Arc::clone(&home), &topics, &site("west"), Arc::clone(&clock), ids.clone());
        let (control, heard, unfit) = (Arc::new(control), Arc::<Heard>::default(), Arc::<Mutex<Vec<_>>>::default());
        let held = Arc::clone(&unfit);
        let watch = LogWatch {
            here: site("west"),
            topics: topics.clone(),
            homes: ["east", "north", "west"].map(|name| (site(name), Arc::clone(&home))).into(),
            carries: Arc::new(|_, bucket| bucket.as_str() != "left-out"),
            control: Arc::clone(&control),
            tell: Arc::<Heard>::clone(&heard),
            clock,
            ids,
            unfit: Arc::new(move |direction, _| {
                held.lock().unwrap().push(direction);
                Box::pin(async {})
            }),
        };
        Self { watch, control, heard, topics, unfit, log }
    }

    fn lost(topic: TopicName, records: i64) -> Lost {
        Lost { partition: TopicPartition { topic, partition: 3 }, from: 5, to: 5 + records, records }
    }

    fn to_be_swept(&self) -> Vec<String> {
        self.control.sweeps().into_keys().map(|(source, bucket)| format!("{source}/{bucket}")).collect()
    }

    fn told(&self) -> Vec<EventType> {
        self.heard.events().iter().filter_map(CloudEvent::event_type).collect()
    }
}

#[tokio::test]
async fn a_loss_concerns_what_the_topic_tells_of() {
    let (east, west) = (site("east"), site("west"));
    type Topic = fn(&Topics, &SiteName, &SiteName) -> TopicName;
    let cases: [(Topic, &[&str]); 4] = [
        (|topics, east, _| topics.changes(east, &"photos".parse().unwrap()), &["east/photos"]),
        (|topics, east, _| topics.facts(east), &["east/logs", "east/photos"]),
        (|topics, _, west| topics.facts(west), &["east/logs", "east/photos", "north/logs", "north/photos"]),
        (|topics, _, west| topics.notices(west), &["west/logs", "west/photos"]),
    ];
    for (topic, swept) in cases {
        let world = World::new().await;
        let topic = topic(&world.topics, &east, &west);
        world.watch.lost(&World::lost(topic.clone(), 7)).await;
        assert_eq!(world.to_be_swept(), swept, "{topic}");
        assert_eq!(world.told(), [EventType::RecordsLost]);
        let told: LogTold = serde_json::from_value(world.heard.events()[0].data.clone()).unwrap();
        assert_eq!((told.topic, told.from, told.to, told.records), (topic.to_string(), Some(5), Some(12), Some(7)));
        let first = world.control.sweeps().into_values().next().unwrap();
        world.watch.lost(&World::lost(topic, 2)).await;
        let both = world.control.sweeps().into_values().next().unwrap();
        assert_eq!((both.since_us, both.records, both.why), (first.since_us, 9, Why::RecordsLost));
    }
}

/// Guarantee: a topic is remembered as it was first seen; made anew it has to be swept, also where nobody ran meanwhile.
#[tokio::test]
async fn a_topic_made_anew_is_known_as_another_one() {
    let world = World::new().await;
    let topic = world.topics.changes(&site("east"), &bucket("photos"));
    assert!(world.watch.topic(&topic, now(1, 4)).await && world.watch.topic(&topic, now(1, 4)).await);
    assert!(world.to_be_swept().is_empty() && world.told().is_empty());
    let partition = TopicPartition { topic: topic.clone(), partition: 1 };
    let slice = crate::Slice { counted_to: 900, stretches: Vec::new() };
    world.control.put(Entry::Guard(partition.clone(), (site("east"), bucket("photos")), slice)).await;
    let rewind = crate::Rewind { to: 17, by: "ann".to_owned(), at_us: 1 };
    world.control.put(Entry::Rewind(partition, rewind)).await;
    for _ in 0..2 {
        world.watch.gone(&topic).await;
        let gone = world.control.topics_gone().remove(&topic).unwrap();
        assert_eq!((gone.source, gone.bucket), (site("east"), Some(bucket("photos"))));
    }
    assert!(world.to_be_swept().is_empty(), "it is swept when it is there again");
    assert!(world.watch.topic(&topic, now(2, 4)).await && world.watch.topic(&topic, now(2, 4)).await);
    assert_eq!(world.to_be_swept(), ["east/photos"]);
    assert!(world.control.about(&topic).is_empty(), "the old one's offsets mean nothing any more");
    assert_eq!(world.told(), [EventType::TopicGone, EventType::TopicRecreated], "told once");
    assert!(world.control.topics_gone().is_empty());
    assert_eq!(world.control.topic_seen(&topic).unwrap().id.unwrap(), TopicId(2).to_string());
    let unnamed = TopicNow { id: None, partitions: 4, lanes: 4 };
    assert!(world.watch.topic(&topic, unnamed).await);
    assert_eq!(world.told().len(), 2, "a cluster that tells no id says nothing");
}

/// Guarantees: a topic that is only not seen for a while is as it was afterwards; one that a person gave up goes without a
/// word; one that the configuration does not speak of any more is forgotten.
#[tokio::test]
async fn a_topic_that_went_ends_with_its_return_or_by_a_persons_word() {
    let world = World::new().await;
    let east = site("east");
    let photos = world.topics.changes(&east, &bucket("photos"));
    assert!(world.watch.topic(&photos, now(1, 4)).await);
    world.watch.gone(&photos).await;
    assert!(world.watch.topic(&photos, now(1, 4)).await);
    assert!(world.control.topics_gone().is_empty() && world.to_be_swept().is_empty());
    assert_eq!(world.told(), [EventType::TopicGone]);

    let seen = world.control.topic_seen(&photos).unwrap();
    world.control.put(Entry::Topic(photos.clone(), TopicSeen { given_up: true, ..seen })).await;
    world.watch.gone(&photos).await;
    world.watch.gone(&photos).await;
    assert_eq!(world.told(), [EventType::TopicGone]);
    assert!(world.control.topics_gone().is_empty() && world.watch.misses(&photos));
    assert!(world.watch.topic(&photos, now(2, 4)).await);
    assert_eq!(world.to_be_swept(), ["east/photos"], "enabled again: what the old one had unread is gone");
    assert!(!world.watch.misses(&photos));

    let others = world.topics.changes(&east, &bucket("left-out"));
    assert!(world.watch.topic(&others, now(1, 4)).await);
    world.watch.gone(&others).await;
    assert_eq!(world.control.topics_gone().len(), 1);
    assert!(!world.watch.known().await.contains(&others) && world.control.topics_gone().is_empty());
}

/// Guarantee: partitions that were added are told once and stay on record; where the lanes cannot share them, what comes by
/// the topic is held, except notices.
#[tokio::test]
async fn added_partitions_are_told_and_held_where_they_do_not_fit() {
    let world = World::new().await;
    let (east, photos) = (site("east"), bucket("photos"));
    let topic = world.topics.changes(&east, &photos);
    assert!(world.watch.topic(&topic, now(1, 4)).await);
    assert!(world.watch.topic(&topic, now(1, 8)).await && world.watch.topic(&topic, now(1, 8)).await);
    assert_eq!(world.told(), [EventType::PartitionsChanged]);
    let seen = world.control.topic_seen(&topic).unwrap();
    assert_eq!((seen.partitions, seen.now), (4, 8));
    assert!(!world.watch.topic(&topic, now(1, 9)).await);
    assert_eq!(*world.unfit.lock().unwrap(), [(east.clone(), photos)]);
    assert!(!world.watch.topic(&world.topics.facts(&east), now(3, 6)).await);
    assert_eq!(world.unfit.lock().unwrap().len(), 3, "facts of east: both its buckets");
    assert!(world.watch.topic(&world.topics.notices(&site("west")), now(4, 6)).await, "capture goes on");
}

/// Guarantee: what a person asked for stands until it is done.
#[tokio::test]
async fn a_rewind_is_asked_for_until_it_is_done() {
    let world = World::new().await;
    let partition = TopicPartition { topic: world.topics.changes(&site("east"), &bucket("photos")), partition: 2 };
    assert_eq!(world.watch.rewind(&partition), None);
    let rewind = crate::Rewind { to: 17, by: "ann".to_owned(), at_us: 1 };
    world.control.put(Entry::Rewind(partition.clone(), rewind)).await;
    assert_eq!(world.watch.rewind(&partition), Some(17));
    world.watch.rewound(&partition, Some(17)).await;
    assert_eq!(world.watch.rewind(&partition), None);
    let fresh = Control::new(
        Arc::new(world.log.clone()),
        &world.topics,
        &site("west"),
        Arc::new(SystemClock),
        Ids::new(Arc::new(SystemClock), 1),
    );
    fresh.load().await.unwrap();
    assert!(fresh.rewinds().is_empty());
}
