//! The servers under test are what the other tests take them for: they start, answer, send notices, go away and come
//! back with their data, and know Twinlog apart from its clients.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{NotificationConfiguration, QueueConfiguration},
};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use serde_json::Value;
use tokio::sync::mpsc;
use twinlog_tests::server::{
    Credentials, Intake, Kafka, Life, Port, Process, ServerError, Store, StoreKind, StoreOptions,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A notice or audit record as it came: path, Authorization header, body.
type Heard = (String, String, Value);

/// An endpoint that takes everything it is sent.
async fn listen(port: &Port) -> mpsc::UnboundedReceiver<Heard> {
    async fn hear(
        State(told): State<mpsc::UnboundedSender<Heard>>,
        uri: Uri,
        headers: HeaderMap,
        body: String,
    ) -> StatusCode {
        let token = headers.get("authorization").map(|token| token.to_str().unwrap().to_owned());
        if let Ok(body) = serde_json::from_str(&body) {
            told.send((uri.path().to_owned(), token.unwrap_or_default(), body)).unwrap();
        }
        StatusCode::OK
    }
    let (told, heard) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).await.unwrap();
    let endpoint = Router::new().fallback(hear).with_state(told);
    tokio::spawn(async move { axum::serve(listener, endpoint).await.unwrap() });
    heard
}

/// Waits until each of `kinds` has accepted a record of its own, in whatever order they come, and returns those.
async fn hear<const N: usize>(
    heard: &mut mpsc::UnboundedReceiver<Heard>,
    kinds: [&dyn Fn(&Heard) -> bool; N],
) -> [Heard; N] {
    let mut found = [const { None }; N];
    let wait = async {
        while found.iter().any(Option::is_none) {
            let record = heard.recv().await.unwrap();
            let wanted = (0..N).find(|&kind| found[kind].is_none() && kinds[kind](&record));
            if let Some(kind) = wanted {
                found[kind] = Some(record);
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    found.map(Option::unwrap)
}

fn options(folder: &Path, intake: &Port) -> StoreOptions {
    StoreOptions {
        site: "east".to_owned(),
        folder: folder.to_owned(),
        root: Credentials::new("client", "client-secret"),
        intake: Some(Intake {
            origin: format!("http://{}", intake.address()),
            notices_token: "notices-token".to_owned(),
            audit_token: "audit-token".to_owned(),
        }),
        life: Life::Bound,
    }
}

async fn subscribe(store: &Store, bucket: &str) {
    let arns = store.arns();
    let queues = [Some(arns.sure), arns.fast].into_iter().flatten().map(|arn| {
        let events = ["s3:ObjectCreated:*".into(), "s3:ObjectRemoved:*".into()];
        QueueConfiguration::builder().queue_arn(arn).set_events(Some(events.into())).build().unwrap()
    });
    let configuration = NotificationConfiguration::builder().set_queue_configurations(Some(queues.collect())).build();
    let request = store.root_client().put_bucket_notification_configuration().bucket(bucket);
    request.notification_configuration(configuration).send().await.unwrap();
}

async fn put(store: &Store, who: &Credentials, key: &str) -> Result<(), aws_sdk_s3::Error> {
    let body = ByteStream::from_static(b"body");
    store.client(who).put_object().bucket("bucket").key(key).body(body).send().await?;
    Ok(())
}

/// Scenario: a store starts before its intake, notices are asked for, then the intake comes up.
/// Guarantees: every door that the store has brings the notice, with the token of that door.
async fn sends_notices(kind: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    let port = Port::free().unwrap();
    let store = Store::start(kind, options(folder.path(), &port)).await.unwrap();
    let root = store.options().root.clone();
    let client = store.root_client();
    client.create_bucket().bucket("bucket").object_lock_enabled_for_bucket(true).send().await.unwrap();
    let mut heard = listen(&port).await;
    subscribe(&store, "bucket").await;
    put(&store, &root, "a key").await.unwrap();

    let notice = |record: &Heard| record.0 == "/notices/east" && record.2["Key"] == "bucket/a key";
    let audit = |record: &Heard| record.0 == "/audit/east" && record.2["Key"] == "bucket/s3:PutObject";
    let [first, second] = match kind {
        StoreKind::RustFs => hear(&mut heard, [&notice, &audit]).await,
        StoreKind::MinIo => hear(&mut heard, [&notice, &notice]).await,
    };
    assert_eq!(first.1, "Bearer notices-token");
    assert_eq!(first.2["Records"][0]["s3"]["object"]["key"], "a+key");
    assert_eq!(second.1, if kind == StoreKind::RustFs { "Bearer audit-token" } else { "Bearer notices-token" });
}

/// Scenario: a store is stopped, killed, and made to stand still, and comes back each time.
/// Guarantees: same endpoint, same data; while it stands still it takes connections and answers nothing.
async fn comes_back(kind: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path(), &Port::free().unwrap());
    options.intake = None;
    let mut store = Store::start(kind, options).await.unwrap();
    let (endpoint, client) = (store.endpoint(), store.root_client());
    client.create_bucket().bucket("bucket").send().await.unwrap();
    client.put_object().bucket("bucket").key("k").body(ByteStream::from_static(b"body")).send().await.unwrap();

    store.stop().await.unwrap();
    client.head_object().bucket("bucket").key("k").send().await.unwrap_err();
    store.start_again().await.unwrap();
    assert_eq!(store.endpoint(), endpoint);
    client.head_object().bucket("bucket").key("k").send().await.unwrap();

    store.process().unwrap().kill().unwrap();
    store.start_again().await.unwrap();
    client.head_object().bucket("bucket").key("k").send().await.unwrap();

    store.process().unwrap().pause().unwrap();
    let asked = tokio::spawn(client.head_object().bucket("bucket").key("k").send());
    tokio::net::TcpStream::connect(endpoint.trim_start_matches("http://")).await.unwrap();
    assert!(!asked.is_finished());
    store.process().unwrap().resume().unwrap();
    tokio::time::timeout(PATIENCE, asked).await.unwrap().unwrap().unwrap();
}

/// Scenario: Twinlog has a user of its own with the policy that operators are given.
/// Guarantees: the store takes the policy; it allows writing replicas and reading, not making buckets; a wrong secret
/// is refused.
async fn knows_twinlog(kind: StoreKind) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path(), &Port::free().unwrap());
    options.intake = None;
    let store = Store::start(kind, options).await.unwrap();
    let client = store.root_client();
    client.create_bucket().bucket("bucket").object_lock_enabled_for_bucket(true).send().await.unwrap();
    let twinlog = Credentials::new("twinlog", "twinlog-secret");
    store.add_twinlog(&twinlog).await.unwrap();

    let version = "11111111-2222-4333-8444-555555555555";
    let written = store.client(&twinlog).put_object().bucket("bucket").key("k").body(ByteStream::from_static(b"body"));
    let written = written.customize().mutate_request(move |request| {
        let uri = format!("{}&versionId={version}", request.uri());
        request.set_uri(uri).unwrap();
        for spelling in ["rustfs", "minio"] {
            request.headers_mut().insert(format!("x-{spelling}-source-replication-request"), "true");
            request.headers_mut().insert(format!("x-{spelling}-source-version-id"), version);
            request.headers_mut().insert(format!("x-{spelling}-source-mtime"), "2026-01-02T03:04:05.123456789Z");
        }
        request.headers_mut().insert("x-amz-replication-status", "REPLICA");
    });
    assert_eq!(written.send().await.unwrap().version_id(), Some(version));
    let twin = store.client(&twinlog);
    assert_eq!(twin.list_object_versions().bucket("bucket").send().await.unwrap().versions().len(), 1);
    twin.get_object_lock_configuration().bucket("bucket").send().await.unwrap();
    // Allowed to ask, and there is none: a refusal would be another code.
    let encryption = twin.get_bucket_encryption().bucket("bucket").send().await.unwrap_err().into_service_error();
    assert_eq!(encryption.meta().code(), Some("ServerSideEncryptionConfigurationNotFoundError"));
    twin.get_bucket_versioning().bucket("bucket").send().await.unwrap();
    twin.get_bucket_notification_configuration().bucket("bucket").send().await.unwrap();
    twin.create_bucket().bucket("another").send().await.unwrap_err();
    put(&store, &Credentials::new("twinlog", "wrong-secret"), "k").await.unwrap_err();
}

/// One test per store and scenario; where the program is missing the test passes, and the run's last line says so.
macro_rules! on_both_stores {
    ($($scenario:ident),*) => {
        mod rustfs {
            $(#[tokio::test] async fn $scenario() { super::on(super::StoreKind::RustFs, super::$scenario).await; })*
        }
        mod minio {
            $(#[tokio::test] async fn $scenario() { super::on(super::StoreKind::MinIo, super::$scenario).await; })*
        }
    };
}

async fn on(kind: StoreKind, scenario: impl AsyncFnOnce(StoreKind)) {
    match kind.found() {
        Ok(_) => scenario(kind).await,
        Err(missing) => eprintln!("{missing}"),
    }
}

on_both_stores!(sends_notices, comes_back, knows_twinlog);

/// Scenario: a broker starts, makes a topic, is stopped and comes back.
/// Guarantees: it answers when `start` returns; same address and topics afterwards; unknown topics are not made.
#[tokio::test]
async fn kafka_comes_back() {
    use rdkafka::{
        ClientConfig,
        admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
        client::DefaultClientContext,
        consumer::{BaseConsumer, Consumer},
    };
    let folder = tempfile::tempdir().unwrap();
    let mut kafka = Kafka::start(folder.path(), Life::Bound).await.unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers());
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let topic = NewTopic::new("topic", 2, TopicReplication::Fixed(1));
    admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();

    kafka.stop().await.unwrap();
    kafka.start_again().await.unwrap();
    let partitions = tokio::task::spawn_blocking(move || {
        let client: BaseConsumer = config.create().unwrap();
        let known = client.fetch_metadata(Some("topic"), PATIENCE).unwrap().topics()[0].partitions().len();
        let unknown = client.fetch_metadata(Some("unknown"), PATIENCE).unwrap().topics()[0].partitions().len();
        (known, unknown)
    });
    assert_eq!(partitions.await.unwrap(), (2, 0));
}

/// Scenario: a program that ends at once. Guarantees: the error has its name, how it ended and what it said.
#[tokio::test]
async fn a_failed_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "echo no such luck; exit 3"]);
    let mut process = Process::spawn("luckless", command, &folder.path().join("log"), Life::Bound).unwrap();
    let never = async || Err("not yet".to_owned());
    let error = twinlog_tests::server::ready::ready(&mut process, PATIENCE, never).await.unwrap_err();
    assert!(matches!(error, ServerError::Exited { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("luckless") && said.contains("exit status: 3") && said.contains("no such luck"), "{said}");
}

/// Scenario: the thread that started a child ends, then the child is dropped.
/// Guarantees: it lives until then and no longer.
#[test]
fn a_child_lives_as_long_as_its_guard() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = std::process::Command::new("sleep");
    command.arg("600");
    let starter = std::thread::spawn(move || Process::spawn("sleeper", command, &log, Life::Bound).unwrap());
    let mut process = starter.join().unwrap();
    assert_eq!(process.ended().unwrap(), None);
    let state = format!("/proc/{}", process.pid());
    assert!(Path::new(&state).exists());
    drop(process);
    assert!(!Path::new(&state).exists());
}
