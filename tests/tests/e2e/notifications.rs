//! People are told: a hold is an alert in a real Alertmanager until it is mended, many failures are one signed message
//! that comes until it is taken, and lag and pauses are told with their ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_sdk_s3::types::BucketVersioningStatus;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use twinlog_tests::{
    bucket::{self, Lock},
    lab::{Own, Stage, StageOptions},
    lab_error::LabError,
    proxy::{Fault, Wanted},
    server::{Alertmanager, Life},
    site::Site,
    until::until,
};

use crate::{
    scenario::{Outcome, scenarios},
    writes::put,
};

const PROXIES: StageOptions = StageOptions { lock: Lock::On, own: Own::Nothing, proxies: true };
const VERSIONED: StageOptions = StageOptions { lock: Lock::Off, own: Own::Nothing, proxies: false };

scenarios!(
    prepared:
    a_hold_is_an_alert_until_it_is_mended(VERSIONED),
    many_failures_are_one_message_until_it_is_taken,
    lag_and_a_pause_are_told_with_their_ends,
    a_site_that_only_sends_tells_too(PROXIES),
    a_capture_that_stands_still_is_told(PROXIES),
);

const SOON: Duration = Duration::from_secs(60);
const SECRET: &str = "the secret of the tests";

/// Adds a notifier to the configuration, and to the links a lag threshold and leave for any number of dead letters, which
/// would hold the bucket otherwise.
fn configure(stage: &Stage, notifier: &str) -> std::io::Result<()> {
    let path = stage.deployment.config();
    let text = std::fs::read_to_string(path)?;
    let link = "lag_threshold = \"2s\"\ntoo_many_dead_letters = { window = \"10m\", letters = 0, share = 50 }";
    let text = text.replace("\nbuckets = [", &format!("\n{link}\nbuckets = ["));
    std::fs::write(path, format!("{text}\n[notifier]\nrunbook = \"https://runbook.example\"\n{notifier}"))
}

/// Has everything told within a second or so, to a receiver that takes it.
async fn told_soon(stage: &Stage) -> std::io::Result<Receiver> {
    let receiver = Receiver::default();
    receiver.takes.store(true, Ordering::SeqCst);
    let url = receiver.open().await?;
    configure(stage, &format!("window = \"1s\"\n{}", webhook(&url)))?;
    Ok(receiver)
}

/// The firing alert of the stage's bucket by this name, if there is one.
async fn alert(stage: &Stage, alertmanager: &Alertmanager, name: &str) -> Result<Option<Value>, LabError> {
    let page = |why| LabError::Page { url: alertmanager.origin(), why };
    let alerts = alertmanager.firing().await.map_err(page)?;
    let fits = |alert: &Value| {
        let labels = &alert["labels"];
        labels["alertname"] == name && labels["bucket"] == stage.bucket.as_str() && labels["link"] == "east>west"
    };
    Ok(alerts.into_iter().find(fits))
}

/// Scenario: versioning is suspended at the target; Twinlog there is started anew; versioning is enabled again.
/// Guarantees: a real Alertmanager has the alert with reason, remedy and runbook, has the same one after the restart, and
/// hears of its end long before what is not repeated would end by itself.
async fn a_hold_is_an_alert_until_it_is_mended(stage: &mut Stage) -> Outcome {
    const NAME: &str = "TwinlogHold";
    let folder = stage.deployment.parts().folder.join("alertmanager");
    let alertmanager = Alertmanager::start(&folder, Life::Bound).await?;
    let url = alertmanager.origin();
    // Repeated seldom: what ends within the test was told to end.
    configure(stage, &format!("window = \"1s\"\n[notifier.alertmanagers.main]\nurl = {url:?}\nrepeat = \"10m\"\n"))?;
    stage.deployment.enable(&stage.bucket).await?;
    let west = stage.at(Site::West).client;
    bucket::versioning(&west, &stage.bucket, BucketVersioningStatus::Suspended).await?;
    stage.deployment.start_both().await?;
    put(stage, "while suspended").await?;
    let firing = until("no alert of the hold", SOON, async || {
        Ok(alert(stage, &alertmanager, NAME).await?.ok_or_else(|| "none".to_owned()))
    });
    let firing = firing.await?;
    let (labels, annotations) = (&firing["labels"], &firing["annotations"]);
    assert_eq!((&labels["reason"], &labels["site"]), (&Value::from("target-versioning-off"), &Value::from("west")));
    assert_eq!(labels["severity"], "critical");
    assert_eq!(annotations["runbook_url"], "https://runbook.example#target-versioning-off");
    assert!(annotations["remedy"].as_str().is_some_and(|remedy| remedy.contains("versioning")), "{firing}");

    stage.deployment.stop(Site::West).await?;
    stage.deployment.start(Site::West)?;
    stage.deployment.ready(Site::West).await?;
    let again = alert(stage, &alertmanager, NAME).await?.unwrap_or_default();
    assert_eq!((&again["fingerprint"], &again["startsAt"]), (&firing["fingerprint"], &firing["startsAt"]));

    bucket::versioning(&west, &stage.bucket, BucketVersioningStatus::Enabled).await?;
    until("the alert did not end", SOON, async || {
        let firing = alert(stage, &alertmanager, NAME).await?;
        Ok(firing.map_or(Ok(()), |alert| Err(format!("{alert}"))))
    })
    .await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    Ok(())
}

/// What one delivery brought: signature, id, body.
type Delivery = (String, String, Bytes);

/// A receiver that takes nothing until it is told to.
#[derive(Clone, Default)]
struct Receiver {
    takes: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<(bool, Delivery)>>>,
}

impl Receiver {
    async fn open(&self) -> std::io::Result<String> {
        async fn hear(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
            let header =
                |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            let takes = receiver.takes.load(Ordering::SeqCst);
            let delivery =
                (header("twinlog-signature").unwrap_or_default(), header("webhook-id").unwrap_or_default(), body);
            receiver.heard.lock().unwrap().push((takes, delivery));
            if takes { StatusCode::NO_CONTENT } else { StatusCode::INTERNAL_SERVER_ERROR }
        }
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let router = Router::new().fallback(hear).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(url)
    }

    /// Everything that was tried.
    fn tried(&self) -> Vec<Delivery> {
        self.heard.lock().unwrap().iter().map(|(_, delivery)| delivery.clone()).collect()
    }

    /// What was taken, once each, by id.
    fn taken(&self) -> BTreeMap<String, Value> {
        let heard = self.heard.lock().unwrap();
        let taken = heard.iter().filter(|(taken, _)| *taken);
        taken.map(|(_, (_, id, body))| (id.clone(), serde_json::from_slice(body).unwrap())).collect()
    }

    /// Waits until messages of all these types, about the east-west link, were taken.
    async fn has(&self, types: &[&str]) -> Result<(), LabError> {
        until("not everything was told", SOON, async || {
            let taken: BTreeSet<String> = self.taken().values().map(|event| text(event, "type")).collect();
            let missing = types.iter().find(|kind| !taken.contains(**kind));
            Ok(missing.map_or(Ok(()), |missing| Err(format!("{missing} is missing among {taken:?}"))))
        })
        .await
    }
}

fn text(event: &Value, name: &str) -> String {
    event[name].as_str().unwrap_or_default().to_owned()
}

fn webhook(url: &str) -> String {
    format!("[notifier.webhooks.pager]\nurl = {url:?}\nsecret = {SECRET:?}\n")
}

/// HMAC-SHA256 by its definition (RFC 2104), so that the signature is checked by other code than made it.
fn hmac(secret: &[u8], text: &[u8]) -> String {
    let mut key = [0; 64];
    key[..secret.len()].copy_from_slice(secret);
    let pad = |with: u8| key.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    hex::encode(Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
}

fn is_genuine((signature, _, body): &Delivery) -> bool {
    let parts: BTreeMap<&str, &str> = signature.split(',').filter_map(|part| part.split_once('=')).collect();
    let signed = [parts["t"].as_bytes(), b".", body].concat();
    hmac(SECRET.as_bytes(), &signed) == parts["v1"]
}

/// Scenario: five hundred changes become dead letters; the receiver answers 500, and Twinlog at the target is killed and
/// started anew before it takes anything. Guarantees: they are told together with their count and a few examples; every
/// attempt bears a right signature and the id of the first; once taken, the end is told too, and nothing more.
async fn many_failures_are_one_message_until_it_is_taken(stage: &mut Stage) -> Outcome {
    const LETTERS: u64 = 500;
    let receiver = Receiver::default();
    let url = receiver.open().await?;
    configure(stage, &format!("window = \"10s\"\nquiet = \"5s\"\n{}", webhook(&url)))?;
    stage.deployment.enable(&stage.bucket).await?;
    stage.deployment.start_both().await?;
    let topic = format!("{}.changes.east.{}", stage.deployment.parts().prefix, stage.bucket);
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", &stage.deployment.parts().brokers).create()?;
    let records = (0..LETTERS).map(|number| {
        let (producer, topic, key) = (producer.clone(), topic.clone(), format!("k{number}"));
        async move {
            let partition = i32::try_from(number % 2).unwrap_or(0);
            let record = FutureRecord::to(&topic).partition(partition).key(&key).payload("this is not Avro");
            producer.send(record, Duration::from_secs(10)).await.map_err(|(error, _)| error)
        }
    });
    futures::future::try_join_all(records).await?;
    // Before the kill: letters that are written after it are told in a message of their own.
    until("not all are dead letters", SOON, async || {
        let dead = stage.deployment.progress().written_to("dead.west").await?;
        Ok(if dead >= i64::try_from(LETTERS).unwrap_or(i64::MAX) {
            Ok(())
        } else {
            Err(format!("{dead} of {LETTERS}"))
        })
    })
    .await?;
    until("the receiver was not tried", SOON, async || {
        Ok(if receiver.tried().len() > 1 { Ok(()) } else { Err(format!("{:?}", receiver.tried())) })
    })
    .await?;

    stage.deployment.kill(Site::West)?;
    let before = receiver.tried().len();
    stage.deployment.start(Site::West)?;
    until("the receiver was not tried after the restart", SOON, async || {
        Ok(if receiver.tried().len() > before { Ok(()) } else { Err(format!("{before} times")) })
    })
    .await?;
    let ids: BTreeSet<String> = receiver.tried().into_iter().map(|(_, id, _)| id).collect();
    receiver.takes.store(true, Ordering::SeqCst);
    receiver.has(&["s3:Replication:OperationFailedReplication", "io.twinlog.recovered"]).await?;

    assert!(receiver.tried().iter().all(is_genuine), "{:?}", receiver.tried());
    let taken = receiver.taken();
    let failed: Vec<&Value> =
        taken.values().filter(|event| event["type"] == "s3:Replication:OperationFailedReplication").collect();
    assert!(failed.iter().any(|event| ids.contains(&text(event, "id"))), "{ids:?} {failed:?}");
    // One; two where a window ended in between.
    assert!(failed.len() <= 2, "{failed:?}");
    let count: u64 = failed.iter().filter_map(|event| event["data"]["count"].as_u64()).sum();
    assert_eq!(count, LETTERS, "{failed:?}");
    let told = &failed[0]["data"];
    assert_eq!((&told["reason"], &told["bucket"]), (&Value::from("not-avro"), &Value::from(stage.bucket.as_str())));
    assert!((1..=5).contains(&told["examples"].as_array().map_or(0, Vec::len)), "{told}");
    assert_eq!(told["runbook"], "https://runbook.example#dead-letters");
    let metrics = stage.deployment.metrics(Site::West).await?;
    let labels = [("receiver", "pager"), ("outcome", "delivered")];
    assert!(metrics.sum("twinlog_notifications_sent_total", &labels) >= 1.0);
    Ok(())
}

/// Scenario: a person pauses a bucket, changes wait longer than the link's threshold, and the bucket is resumed.
/// Guarantees: the pause and the missed threshold are told, and so is that both are over, under S3's names of events;
/// each end comes after its beginning.
async fn lag_and_a_pause_are_told_with_their_ends(stage: &mut Stage) -> Outcome {
    let receiver = told_soon(stage).await?;
    stage.deployment.enable(&stage.bucket).await?;
    stage.deployment.start_both().await?;
    stage.deployment.run(&["bucket", "pause", &stage.bucket, "--from", "east"]).await?;
    put(stage, "while paused").await?;
    let begun = ["io.twinlog.hold.begun", "s3:Replication:OperationMissedThreshold"];
    receiver.has(&begun).await?;
    stage.deployment.run(&["bucket", "resume", &stage.bucket, "--from", "east"]).await?;
    let over = ["io.twinlog.hold.ended", "s3:Replication:OperationReplicatedAfterThreshold"];
    receiver.has(&over).await?;
    let told: Vec<String> =
        receiver.tried().iter().map(|(.., body)| text(&serde_json::from_slice(body).unwrap(), "type")).collect();
    for (begun, over) in begun.into_iter().zip(over) {
        let at = |kind| told.iter().position(|told| told == kind);
        assert!(at(begun) < at(over), "{told:?}");
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    Ok(())
}

/// Scenario: the one link leads from east to west, and east refuses one key's reads for ever. Guarantees: its dead letter
/// is told from east, where nothing is applied.
async fn a_site_that_only_sends_tells_too(stage: &mut Stage) -> Outcome {
    const FAILED: &str = "s3:Replication:OperationFailedReplication";
    stage.deployment.change(|parts| parts.links = vec![Site::East])?;
    let receiver = told_soon(stage).await?;
    let text = std::fs::read_to_string(stage.deployment.config())?;
    std::fs::write(stage.deployment.config(), text.replace("[[links]]\n", "[[links]]\ngive_up_after = \"2s\"\n"))?;
    stage.deployment.enable(&stage.bucket).await?;
    stage.deployment.start(Site::East)?;
    stage.deployment.ready(Site::East).await?;
    let [east, _] = stage.proxies.as_ref().ok_or("no proxies")?;
    (0..1_000).for_each(|_| east.inject(Wanted::new("", "/unread?"), Fault::Reject));
    put(stage, "unread").await?;
    let mut others = 0;
    until("nobody was told", SOON, async || {
        // A key is given up only while others succeed.
        others += 1;
        put(stage, &format!("other {others}"))
            .await
            .map_err(|error| LabError::Page { url: "east".to_owned(), why: error.to_string() })?;
        let told = receiver.taken().into_values().find(|event| event["type"] == FAILED);
        Ok(told.map(drop).ok_or_else(|| format!("{others} other keys are written")))
    })
    .await?;
    assert_eq!(stage.deployment.progress().letters(Site::East).await?.len(), 1);
    Ok(())
}

/// Scenario: east's store refuses to show one version to capture, for as long as it likes. Guarantees: though no change event
/// waits anywhere, people are told that the site's notices do, and when they do no longer.
async fn a_capture_that_stands_still_is_told(stage: &mut Stage) -> Outcome {
    let receiver = told_soon(stage).await?;
    stage.deployment.enable(&stage.bucket).await?;
    stage.deployment.start_both().await?;
    let told = async |kind: &str| {
        until("nobody was told", SOON, async || {
            let about = |event: &Value| event["type"] == kind && event["subject"] == "east>*";
            Ok(receiver.taken().values().any(about).then_some(()).ok_or_else(|| kind.to_owned()))
        })
        .await
    };
    let [east, _] = stage.proxies.as_ref().ok_or("no proxies")?;
    (0..10_000).for_each(|_| east.inject(Wanted::new("", "/unread?"), Fault::Reject));
    put(stage, "unread").await?;
    told("s3:Replication:OperationMissedThreshold").await?;
    east.withdraw();
    told("s3:Replication:OperationReplicatedAfterThreshold").await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    Ok(())
}
