//! The tail on the in-memory log, on simulated time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use twinlog_index::{Index, MemoryIndex};
use twinlog_log::fault::FaultyLog;
use twinlog_log::{Backoff, Cleanup, Headers, Log, MemoryLog, Record, TopicName, TopicPartition, TopicSpec, memory};
use twinlog_schemas::codec::Codec;
use twinlog_schemas::{Basis, EventId, Fact, FactBody, Stamp};

use crate::{CatchUpError, Kind, Parts, Tail, Topic};

struct Lab {
    log: MemoryLog,
    faulty: Arc<FaultyLog>,
    index: Arc<MemoryIndex>,
    codec: Arc<Codec>,
    told: Arc<Mutex<Vec<Fact>>>,
}

impl Lab {
    async fn new() -> Self {
        let log = MemoryLog::new();
        log.create_topic(&spec()).await.unwrap();
        let faulty = Arc::new(FaultyLog::new(Arc::new(log.clone())));
        Self { log, faulty, index: Arc::default(), codec: Arc::new(Codec::new().unwrap()), told: Arc::default() }
    }

    fn tail(&self, stop: &CancellationToken) -> Arc<Tail> {
        let told = Arc::clone(&self.told);
        let parts = Parts {
            topics: vec![Topic { log: self.faulty.clone(), name: facts(), kind: Kind::Facts }],
            group: "tail".to_owned(),
            index: Arc::clone(&self.index) as Arc<dyn Index>,
            codec: Arc::clone(&self.codec),
            listener: Arc::new(move |fact: &Fact| told.lock().unwrap().push(fact.clone())),
            backoff: Backoff::PROMPT,
            seed: 1,
        };
        Tail::start(parts, stop.clone()).0
    }

    async fn say(&self, partition: i32, value: Vec<u8>) {
        let record = Record {
            topic: facts(),
            partition,
            key: Some("key".into()),
            value: Some(value.into()),
            headers: Headers::default(),
            timestamp_ms: 0,
        };
        self.log.append(record).await.unwrap();
    }

    fn held(&self, fact: &Fact) -> bool {
        self.index.version(&fact.version()).unwrap().legal_hold().is_some_and(|stamp| stamp.value)
    }
}

fn facts() -> TopicName {
    TopicName::new("facts").unwrap()
}

fn spec() -> TopicSpec {
    TopicSpec { cleanup: Cleanup::CompactDelete, ..memory::spec(facts(), 2) }
}

fn fact(key: &str) -> Fact {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let n = u8::try_from(COUNT.fetch_add(1, Ordering::Relaxed) % 256).unwrap();
    let stamp = Stamp { value: true, changed_at_ns: 1, site: "east".parse().unwrap(), basis: Basis::Known, over: None };
    Fact {
        event_id: EventId::new(1, [n; 10]),
        site: "east".parse().unwrap(),
        bucket: "photos".parse().unwrap(),
        key: key.parse().unwrap(),
        version_id: "v1".parse().unwrap(),
        said_at_ns: 1,
        of: None,
        body: FactBody::LegalHold(stamp),
    }
}

const SOON: Duration = Duration::from_secs(10);

/// Guarantee: once caught up, the index has everything that stood in the topic, the listener was told after the merge,
/// and a record that is none of ours is passed over.
#[tokio::test(start_paused = true)]
async fn the_index_has_what_stood_in_the_topic() {
    let lab = Lab::new().await;
    let (one, two) = (fact("a"), fact("b"));
    lab.say(0, lab.codec.encode_fact(&one).unwrap()).await;
    lab.say(0, b"not avro".to_vec()).await;
    lab.say(1, lab.codec.encode_fact(&two).unwrap()).await;
    let stop = CancellationToken::new();
    let tail = lab.tail(&stop);
    tail.caught_up(SOON).await.unwrap();
    assert!(lab.held(&one) && lab.held(&two));
    assert_eq!(lab.told.lock().unwrap().len(), 2);
    assert_eq!(tail.behind().await.unwrap(), 0);
    stop.cancel();
}

/// Guarantee: a tail that is started again goes on where the index stands and tells nothing twice.
#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_the_index_stands() {
    let lab = Lab::new().await;
    lab.say(0, lab.codec.encode_fact(&fact("a")).unwrap()).await;
    let stop = CancellationToken::new();
    lab.tail(&stop).caught_up(SOON).await.unwrap();
    stop.cancel();
    let later = fact("b");
    lab.say(0, lab.codec.encode_fact(&later).unwrap()).await;
    let stop = CancellationToken::new();
    lab.tail(&stop).caught_up(SOON).await.unwrap();
    assert!(lab.held(&later));
    assert_eq!(lab.told.lock().unwrap().len(), 2);
    stop.cancel();
}

/// Guarantee: a topic that is not there yet is waited for.
#[tokio::test(start_paused = true)]
async fn a_topic_that_comes_later_is_followed() {
    let lab = Lab::new().await;
    lab.log.delete_topic(&facts());
    let stop = CancellationToken::new();
    let tail = lab.tail(&stop);
    tokio::time::sleep(SOON).await;
    lab.log.create_topic(&spec()).await.unwrap();
    let said = fact("late");
    lab.say(1, lab.codec.encode_fact(&said).unwrap()).await;
    tail.caught_up(Duration::from_secs(60)).await.unwrap();
    assert!(lab.held(&said));
    stop.cancel();
}

/// Scenario: no broker leads one of the partitions when following begins.
/// Guarantees: the index does not count as caught up; once one does, it has what stood there.
#[tokio::test(start_paused = true)]
async fn a_partition_without_a_leader_is_not_taken_for_an_empty_one() {
    let lab = Lab::new().await;
    let (at, said) = (TopicPartition { topic: facts(), partition: 1 }, fact("a"));
    lab.say(1, lab.codec.encode_fact(&said).unwrap()).await;
    lab.faulty.set_led(&at, false);
    let stop = CancellationToken::new();
    let tail = lab.tail(&stop);
    assert!(matches!(tail.caught_up(SOON).await, Err(CatchUpError::Log(_))));
    assert!(tail.behind().await.is_err());
    lab.faulty.set_led(&at, true);
    tail.caught_up(Duration::from_secs(60)).await.unwrap();
    assert!(lab.held(&said));
    stop.cancel();
}
