//! Intake over a real socket and an in-memory log: what is answered, what stands in the log, and what a refusal says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use twinlog_log::clock::SystemClock;
use twinlog_log::fault::{Fault, FaultyLog};
use twinlog_log::memory::{MemoryLog, spec};
use twinlog_log::partition::partition_of;
use twinlog_log::{Fetched, Log, LogErrorKind, TopicName, TopicPartition, Topics};
use twinlog_schemas::BucketName;
use twinlog_site::Site as _;
use twinlog_site::memory::{BucketSetup, MemorySite, MemorySiteOptions, Quirks};

use super::*;
use crate::buckets::BucketSettings;
use crate::inbox::Inbox;
use crate::notice::Door;
use crate::observe::{Dropped, Observer};
use crate::subscribed::Subscribed;
use twinlog_log::outgoing::Partitions;

const PARTITIONS: i32 = 12;

#[derive(Default)]
struct Counted(Mutex<BTreeMap<String, usize>>);

impl Counted {
    fn count(&self, what: impl Into<String>) {
        *self.0.lock().unwrap().entry(what.into()).or_default() += 1;
    }

    fn of(&self, what: &str) -> usize {
        self.0.lock().unwrap().get(what).copied().unwrap_or_default()
    }
}

impl Observer for Counted {
    fn received(&self, door: Door, _: &BucketName) {
        self.count(format!("received {}", door.as_str()));
    }

    fn dropped(&self, _: Door, why: Dropped) {
        self.count(why.as_str());
    }

    fn malformed(&self, _: Door) {
        self.count("malformed");
    }

    fn unauthorised(&self) {
        self.count("unauthorised");
    }

    fn refused(&self, _: Door) {
        self.count("refused");
    }
}

struct Served {
    address: SocketAddr,
    log: Arc<FaultyLog>,
    memory: MemoryLog,
    topic: TopicName,
    /// The store, with one subscribed bucket.
    store: MemorySite,
    observer: Arc<Counted>,
    folder: tempfile::TempDir,
    _stop: tokio_util::sync::DropGuard,
}

struct Said {
    status: u16,
    head: String,
    text: String,
}

impl Served {
    async fn new(change: impl FnOnce(&mut IntakeConfig, &mut QuarantineConfig)) -> Self {
        let memory = MemoryLog::new();
        let site = "east".parse().unwrap();
        let topic = Topics::new("t").unwrap().notices(&site);
        memory.create_topic(&spec(topic.clone(), PARTITIONS)).await.unwrap();
        let log = Arc::new(FaultyLog::new(Arc::new(memory.clone())));
        let observer = Arc::new(Counted::default());
        let selection: BTreeMap<BucketName, BucketSettings> = [(bucket(), BucketSettings::default())].into();
        let options = MemorySiteOptions::new("east".parse().unwrap(), Quirks::rustfs(), Arc::new(|| 0), 1);
        let store = MemorySite::new(options);
        store.create_bucket(&bucket(), BucketSetup::REPLICATED);
        store.subscribe(&bucket()).await.unwrap();
        let inbox = Inbox {
            partitions: Arc::new(Partitions::new(Arc::clone(&log) as Arc<dyn Log>)),
            topic: topic.clone(),
            selection: Arc::new(selection),
            subscribed: Arc::new(Subscribed::new(Arc::new(store.clone()))),
            clock: Arc::new(SystemClock),
            observer: Arc::clone(&observer) as Arc<dyn Observer>,
            stand: Arc::default(),
        };
        let folder = tempfile::tempdir().unwrap();
        let mut config = IntakeConfig::with_token(Token::new("s3cret"));
        let mut quarantine = QuarantineConfig::in_dir(folder.path().join("quarantine"));
        change(&mut config, &mut quarantine);
        let quarantine = Arc::new(Quarantine::new(quarantine));
        let routes = router(IntakeParts { site, inbox, quarantine, config });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, routes, stop.clone()));
        Self { address, log, memory, topic, store, observer, folder, _stop: stop.drop_guard() }
    }

    async fn send(&self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Said {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let authorization = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: intake\r\nconnection: close\r\n{authorization}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // A refused body may be cut off before it was read.
        let _ = stream.write_all(body).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Said { status, head: head.to_ascii_lowercase(), text: text.to_owned() }
    }

    async fn post(&self, path: &str, body: &[u8]) -> Said {
        self.send("POST", path, Some("s3cret"), body).await
    }

    fn records(&self) -> Vec<Fetched> {
        let partition = |partition| TopicPartition { topic: self.topic.clone(), partition };
        (0..PARTITIONS).flat_map(|n| self.memory.records(&partition(n))).collect()
    }

    fn quarantined(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("quarantine")).map_or(0, Iterator::count)
    }
}

fn bucket() -> BucketName {
    "capture".parse().unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rustfs").join(name)).unwrap()
}

#[tokio::test]
async fn stores_probes_are_answered_without_a_token() {
    let served = Served::new(|_, _| ()).await;
    for (method, path) in [("HEAD", "/"), ("GET", "/"), ("HEAD", "/notices/east"), ("HEAD", "/audit/east")] {
        assert_eq!(served.send(method, path, None, b"").await.status, 200, "{method} {path}");
    }
}

#[tokio::test]
async fn a_notice_stands_in_the_log_when_it_is_answered() {
    let served = Served::new(|_, _| ()).await;
    assert_eq!(served.post("/notices/east", &fixture("put.json")).await.status, 200);
    assert_eq!(served.post("/notices/east?door=fast", &fixture("put.json")).await.status, 200);
    let records = served.records();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].key.as_deref(), Some(&b"capture/put"[..]));
    assert_eq!(records[0].position.partition.partition, partition_of("capture", "put", PARTITIONS));
    assert_eq!(records[0].value.as_deref(), Some(fixture("put.json").trim_ascii()));
    assert_eq!(records.iter().map(|r| Door::of(&r.headers)).collect::<Vec<_>>(), [Some(Door::Sure), Some(Door::Fast)]);
    assert!(crate::notice::received_at_us(&records[0].headers).is_some());
    assert_eq!((served.observer.of("received sure"), served.observer.of("received fast")), (1, 1));
}

#[tokio::test]
async fn several_notices_of_one_body_are_a_record_each() {
    let served = Served::new(|_, _| ()).await;
    let body = [fixture("put.json"), fixture("copy.json"), fixture("delete.json")].concat();
    assert_eq!(served.post("/notices/east", &body).await.status, 200);
    assert_eq!(served.records().len(), 3);
}

#[tokio::test]
async fn of_audit_only_lock_changes_are_kept() {
    let served = Served::new(|_, _| ()).await;
    for name in ["put.audit.json", "put-legal-hold.audit.json", "multi-delete-two.audit.json", "delete.audit.json"] {
        assert_eq!(served.post("/audit/east", &fixture(name)).await.status, 200, "{name}");
    }
    assert_eq!(served.records().len(), 1);
    assert_eq!(served.records()[0].key.as_deref(), Some(&b"capture/hold"[..]));
    assert_eq!(served.observer.of("irrelevant"), 3);
}

#[tokio::test]
async fn buckets_that_are_not_replicated_are_acknowledged_and_dropped() {
    let served = Served::new(|_, _| ()).await;
    let body = String::from_utf8(fixture("put.json")).unwrap().replace("\"name\":\"capture\"", "\"name\":\"other\"");
    assert_eq!(served.post("/notices/east", body.as_bytes()).await.status, 200);
    assert!(served.records().is_empty());
    assert_eq!(served.observer.of("not_selected"), 1);
}

/// The audit log tells of every bucket, so a bucket that was disabled is left out here; what intake took before stands
/// in the log and is captured.
#[tokio::test]
async fn lock_changes_of_a_disabled_bucket_are_dropped_and_counted() {
    let served = Served::new(|_, _| ()).await;
    let hold = fixture("put-legal-hold.audit.json");
    assert_eq!(served.post("/audit/east", &hold).await.status, 200);
    assert_eq!(served.records().len(), 1);
    served.store.unsubscribe(&bucket()).await.unwrap();
    let soon = std::time::Instant::now() + Duration::from_secs(30);
    while served.observer.of("disabled") == 0 {
        assert!(std::time::Instant::now() < soon, "still taken long after the bucket was disabled");
        assert_eq!(served.post("/audit/east", &hold).await.status, 200, "the store need not keep it");
    }
    let before = served.records().len();
    assert_eq!(served.post("/audit/east", &hold).await.status, 200);
    // Written before the bucket was disabled, and brought by the store's queue only now.
    assert_eq!(served.post("/notices/east", &fixture("put.json")).await.status, 200);
    assert_eq!((served.records().len(), served.observer.of("disabled")), (before + 1, 2));
    served.store.subscribe(&bucket()).await.unwrap();
    assert_eq!(served.post("/audit/east", &hold).await.status, 200);
    assert_eq!(served.records().len(), before + 2, "taken again at once");
}

/// Guarantees: what stands in the log by the fast door makes no second record by the sure one, and is counted by both; the
/// audit log has an order of its own, and is taken as it comes.
#[tokio::test]
async fn the_sure_doors_copy_of_what_stands_makes_no_record() {
    let served = Served::new(|_, _| ()).await;
    let (put, hold) = (fixture("put.json"), fixture("put-legal-hold.audit.json"));
    assert_eq!(served.post("/notices/east?door=fast", &put).await.status, 200);
    for _ in 0..2 {
        assert_eq!(served.post("/notices/east", &put).await.status, 200);
    }
    assert_eq!(served.records().len(), 1);
    assert_eq!((served.observer.of("received fast"), served.observer.of("received sure")), (1, 2));
    for _ in 0..2 {
        assert_eq!(served.post("/audit/east", &hold).await.status, 200);
    }
    assert_eq!(served.records().len(), 3);
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_told_what_to_do() {
    let served = Served::new(|_, _| ()).await;
    for token in [Some("wr0ng"), None] {
        let said = served.send("POST", "/notices/east", token, &fixture("put.json")).await;
        assert_eq!(said.status, 401);
        assert!(said.text.contains("must be `Bearer <token>` with the intake token of site east"), "{}", said.text);
        assert!(said.text.contains("set the auth token of the store's webhook target"), "{}", said.text);
        assert!(!said.text.contains("wr0ng") && !said.text.contains("s3cret"), "{}", said.text);
    }
    assert!(served.records().is_empty());
    assert_eq!(served.observer.of("unauthorised"), 2);
    // Nothing is lost: the store keeps what is not taken, and is taken once the token is right.
    assert_eq!(served.post("/notices/east", &fixture("put.json")).await.status, 200);
    assert_eq!(served.records().len(), 1);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_told_and_quarantined() {
    let served = Served::new(|_, _| ()).await;
    for _ in 0..2 {
        let said = served.post("/notices/east", b"hello, this is no JSON").await;
        assert_eq!(said.status, 400);
        assert!(said.text.contains("the body is not JSON: expected value at line 1 column 1"), "{}", said.text);
        assert!(said.text.contains("kept in quarantine as sha256 "), "{}", said.text);
    }
    assert_eq!((served.quarantined(), served.observer.of("malformed")), (1, 2), "the same body is kept once");
    let kept = std::fs::read_dir(served.folder.path().join("quarantine")).unwrap().next().unwrap().unwrap();
    assert_eq!(std::fs::read(kept.path()).unwrap(), b"hello, this is no JSON");
    assert!(served.records().is_empty());
}

#[tokio::test]
async fn a_quarantine_that_cannot_be_written_leaves_the_notice_with_the_store() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let served = Served::new(|_, quarantine| quarantine.dir = file.path().join("below")).await;
    let said = served.post("/notices/east", b"{").await;
    assert_eq!(said.status, 503);
    assert!(said.text.contains("the quarantine folder cannot be written"), "{}", said.text);
}

#[tokio::test]
async fn while_the_log_is_away_the_store_keeps_the_notice() {
    let served = Served::new(|_, _| ()).await;
    served.log.inject(None, Fault::Reject(LogErrorKind::Transient));
    let said = served.post("/notices/east", &fixture("put.json")).await;
    assert_eq!(said.status, 503);
    assert!(said.head.contains("retry-after: 1"), "{}", said.head);
    assert!(said.text.contains("the log is away, send it again"), "{}", said.text);
    assert_eq!(served.post("/notices/east", &fixture("put.json")).await.status, 200);
    assert_eq!((served.records().len(), served.observer.of("refused")), (1, 1));
}

#[tokio::test]
async fn an_answer_never_waits_longer_for_the_log_than_it_may() {
    let served = Served::new(|config, _| config.answer_within = Duration::from_millis(50)).await;
    served.log.inject(None, Fault::HoldResponse);
    let said = served.post("/notices/east", &fixture("put.json")).await;
    assert_eq!(said.status, 503);
    assert!(said.text.contains("did not acknowledge in time"), "{}", said.text);
}

#[tokio::test]
async fn while_the_log_is_silent_bodies_are_refused_at_once_until_it_is_back() {
    let served = Served::new(|config, _| {
        (config.patience, config.answer_within) = (Duration::from_millis(100), Duration::from_secs(60));
    })
    .await;
    let put = fixture("put.json");
    for _ in 0..2 {
        served.log.inject(None, Fault::HoldResponse);
    }
    for what in ["waited for", "the probe"] {
        let said = served.post("/notices/east", &put).await;
        assert_eq!(said.status, 503, "{what}");
    }
    let began = std::time::Instant::now();
    for _ in 0..20 {
        let said = served.post("/notices/east", &put).await;
        assert_eq!(said.status, 503);
        assert!(said.head.contains("retry-after: 1"), "{}", said.head);
        assert!(said.text.contains("the log is away, send it again: it acknowledges nothing"), "{}", said.text);
    }
    // Each alone would have waited for a minute.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(served.records().len(), 2, "what is refused is not appended");
    served.log.release_held();
    while served.post("/notices/east", &put).await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(30), "the log is back and nothing is taken");
    }
}

#[tokio::test]
async fn beyond_the_bound_of_what_is_in_flight_the_store_is_asked_to_wait() {
    let served = Served::new(|config, _| config.max_in_flight = 1).await;
    served.log.inject(None, Fault::HoldResponse);
    let put = fixture("put.json");
    let first = served.post("/notices/east", &put);
    let second = async {
        while served.records().is_empty() {
            tokio::task::yield_now().await;
        }
        let said = served.post("/notices/east", &put).await;
        served.log.release_held();
        said
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.status, second.status), (200, 503));
    assert!(second.text.contains("1 bodies are in flight already"), "{}", second.text);
}

#[tokio::test]
async fn another_sites_path_and_too_large_a_body_are_refused() {
    let served = Served::new(|config, _| config.max_body_bytes = 100).await;
    let said = served.post("/notices/west", b"{}").await;
    assert_eq!(said.status, 404);
    assert!(said.text.contains("this intake is for site east, not for \"west\""), "{}", said.text);
    let said = served.post("/notices/east", &fixture("put.json")).await;
    assert_eq!(said.status, 413);
    assert!(said.text.contains("at most 100 bytes are taken"), "{}", said.text);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let served = Served::new(|config, _| config.body_within = Duration::from_millis(50)).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = "POST /notices/east HTTP/1.1\r\nhost: i\r\nauthorization: Bearer s3cret\r\ncontent-length: 9\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}
