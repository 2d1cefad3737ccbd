//! The in-memory site against the conformance suite, the captured notices of real stores, and late requests.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use twinlog_schemas::{BucketName, ObjectKey, Retention, RetentionMode, SiteName, VersionId, VersionRef};

use super::*;
use crate::conformance::{self, Bench};
use crate::reading::Reading;
use crate::{Site, SiteErrorKind, Versioning};

const START_NS: i64 = 1_795_393_500_000_000_000;
const EXPIRY: Duration = Duration::from_millis(5);

struct Lab {
    site: MemorySite,
    client: MemoryClient,
    clock_ns: Arc<AtomicI64>,
    bucket: BucketName,
}

/// A store whose clock moves a microsecond whenever it is read.
fn lab(quirks: Quirks) -> Lab {
    let clock_ns = Arc::new(AtomicI64::new(START_NS));
    let ticking = Arc::clone(&clock_ns);
    let clock: SiteClock = Arc::new(move || ticking.fetch_add(1_000, Ordering::Relaxed));
    let mut options = MemorySiteOptions::new(SiteName::new("east").unwrap(), quirks, clock, 7);
    options.write_expiry = EXPIRY;
    let site = MemorySite::new(options);
    let bucket = BucketName::new("capture").unwrap();
    site.create_bucket(&bucket, BucketSetup::REPLICATED);
    Lab { client: site.client("clientroot"), site, clock_ns, bucket }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(name).unwrap()
}

async fn conforms(quirks: Quirks) {
    let Lab { site, client, clock_ns, .. } = lab(quirks.clone());
    let late = site.with_transit(Arc::new(|_| Transit { delay: EXPIRY * 2, ..Transit::default() }));
    let now_ms = Arc::new(move || clock_ns.load(Ordering::Relaxed) / 1_000_000);
    let mut bench = Bench::new(Arc::new(site), Arc::new(client), quirks, now_ms, "suite");
    bench.late_site = Some(Arc::new(late));
    let failures = conformance::run(&bench).await;
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test]
async fn the_rustfs_profile_conforms() {
    conforms(Quirks::rustfs()).await;
}

#[tokio::test]
async fn the_minio_profile_conforms() {
    conforms(Quirks::minio()).await;
}

/// A request whose sender gave up acts when it arrives, and not before.
#[tokio::test]
async fn a_late_request_still_acts() {
    let Lab { site, clock_ns, bucket, .. } = lab(Quirks::rustfs());
    let impatient = Some(Duration::ZERO);
    let slow = site.with_transit(Arc::new(move |_| Transit { delay: EXPIRY / 2, patience: impatient, twice: false }));
    let version_id = VersionId::new("7e57c0de-0000-4000-8000-000000000001").unwrap();
    let version = VersionRef { bucket, key: key("late"), version_id };
    let error = slow.put_marker(&version, START_NS).await.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown), (SiteErrorKind::TimedOut, true));
    assert_eq!(site.look(&version).await.unwrap(), Reading::Absent);
    clock_ns.fetch_add(EXPIRY.as_nanos() as i64, Ordering::Relaxed);
    assert!(matches!(site.look(&version).await.unwrap(), Reading::Marker { .. }));
    let hopeless =
        site.with_transit(Arc::new(move |_| Transit { delay: EXPIRY * 2, patience: impatient, twice: false }));
    assert!(hopeless.put_marker(&version, START_NS).await.unwrap_err().outcome_unknown);
    clock_ns.fetch_add(EXPIRY.as_nanos() as i64 * 9, Ordering::Relaxed);
    assert!(matches!(site.look(&version).await.unwrap(), Reading::Marker { .. }), "an expired request acted");
}

/// A marker that is sent a second time on the way removes itself, and the answer does not tell.
#[tokio::test]
async fn a_request_sent_twice_acts_twice() {
    let Lab { site, bucket, .. } = lab(Quirks::minio());
    let version_id = VersionId::new("7e57c0de-0000-4000-8000-000000000002").unwrap();
    let version = VersionRef { bucket, key: key("twice"), version_id };
    let doubling = site.with_transit(Arc::new(|_| Transit { twice: true, ..Transit::default() }));
    doubling.put_marker(&version, START_NS).await.unwrap();
    assert_eq!(site.look(&version).await.unwrap(), Reading::Absent);
}

/// The same seed and the same calls give the same bytes.
#[tokio::test]
async fn the_same_seed_gives_the_same_notices() {
    let run = async |quirks: Quirks| {
        let lab = lab(quirks);
        lab.site.subscribe(&lab.bucket).await.unwrap();
        act_all(&lab);
        lab.site.take_notices()
    };
    assert_eq!(run(Quirks::minio()).await, run(Quirks::minio()).await);
    assert_ne!(run(Quirks::minio()).await, run(Quirks::rustfs()).await);
}

/// Does every operation that was captured on the real stores, each on the key that the capture used.
fn act_all(lab: &Lab) {
    let Lab { client, bucket, .. } = lab;
    let put = ClientPut { body: Bytes::from_static(b"hello"), ..ClientPut::default() };
    let hour = |mode| Some(Retention { mode, until_ms: START_NS / 1_000_000 + 3_600_000 });
    let born = |name: &str| client.put(bucket, &key(name), &put).unwrap().version_id;
    let at = |name: &str, version_id: VersionId| VersionRef { bucket: bucket.clone(), key: key(name), version_id };
    born("put");
    client.put(bucket, &key("put-empty"), &ClientPut::default()).unwrap();
    born("dir/a b+c%25\"'😀é");
    client.put(bucket, &key("folder/"), &ClientPut::default()).unwrap();
    born("copy-src");
    client.copy(bucket, (&key("copy-src"), None), &key("copy-dst"), None).unwrap();
    client.multipart(bucket, &key("multipart"), &put, &[(7, Bytes::from_static(b"x"))]).unwrap();
    born("delete");
    client.delete(bucket, &key("delete")).unwrap();
    client.delete(bucket, &key("delete-absent-key")).unwrap();
    born("null-delete/");
    client.delete(bucket, &key("null-delete/")).unwrap();
    client.delete_version(&at("delete-version", born("delete-version")), false).unwrap();
    client.delete_version(&at("delete-absent-version", VersionId::new("99999999").unwrap()), false).unwrap();
    born("delete-marker-version");
    let marker = client.delete(bucket, &key("delete-marker-version")).unwrap().version_id.unwrap();
    client.delete_version(&at("delete-marker-version", marker), false).unwrap();
    born("multi-delete-plain");
    let id = born("multi-delete-id");
    for deleted in client.delete_many(bucket, &[(key("multi-delete-plain"), None), (key("multi-delete-id"), Some(id))])
    {
        deleted.unwrap();
    }
    let tags = [("k".to_owned(), "v".to_owned())].into();
    client.tag(bucket, &key("tag"), Some(&born("tag")), &tags).unwrap();
    client.tag(bucket, &key("untag"), Some(&born("untag")), &Default::default()).unwrap();
    client.retain(bucket, &key("retain"), Some(&born("retain")), hour(RetentionMode::Governance), false).unwrap();
    client.legal_hold(bucket, &key("hold"), Some(&born("hold")), true).unwrap();
    let locked = ClientPut { retention: hour(RetentionMode::Compliance), ..put.clone() };
    client.put(bucket, &key("put-tagged-locked"), &locked).unwrap();
    let refused = client.retain(bucket, &key("put-tagged-locked"), None, None, true).unwrap_err();
    assert_eq!(refused.kind, SiteErrorKind::Locked);
}

/// Captured operations: the fixture's name, and the key it used where that is another name.
const CAPTURED: &[(&str, &str)] = &[
    ("put", "put"),
    ("put-empty", "put-empty"),
    ("put-odd-key", "dir/a b+c%25\"'😀é"),
    ("put-trailing-slash", "folder/"),
    ("copy", "copy-dst"),
    ("multipart-complete", "multipart"),
    ("delete", "delete"),
    ("delete-absent-key", "delete-absent-key"),
    ("delete-trailing-slash", "null-delete/"),
    ("delete-version", "delete-version"),
    ("delete-absent-version", "delete-absent-version"),
    ("delete-marker-version", "delete-marker-version"),
    ("multi-delete-plain", "multi-delete-plain"),
    ("multi-delete-id", "multi-delete-id"),
    ("put-tagging", "tag"),
    ("delete-tagging", "untag"),
    ("put-retention", "retain"),
    ("put-legal-hold", "hold"),
    ("put-retention-refused", "put-tagged-locked"),
];

fn names(value: &Value) -> BTreeSet<String> {
    value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
}

/// What a reader of a notice can depend on, without what differs from call to call.
fn shape(notice: &Value) -> Vec<(&'static str, String)> {
    let record = &notice["Records"][0];
    let object = &record["s3"]["object"];
    let id =
        object["versionId"].as_str().map(|id| if id.len() == 36 && !id.starts_with("0000") { "an id" } else { id });
    let id = id.map(|id| if id.starts_with("9999") { "an id" } else { id });
    vec![
        ("envelope", format!("{:?}", names(notice))),
        ("EventName", notice["EventName"].to_string()),
        ("Key", notice["Key"].to_string()),
        ("record", format!("{:?}", names(record))),
        ("eventName", record["eventName"].to_string()),
        ("event", record["event"].to_string()),
        ("trigger", record["trigger"].to_string()),
        ("eventVersion", record["eventVersion"].to_string()),
        ("eventSource", record["eventSource"].to_string()),
        ("eventTime", record["eventTime"].as_str().map_or(0, str::len).to_string()),
        ("principal", record["userIdentity"].to_string()),
        ("accessKey", record["accessKey"].to_string()),
        ("api", format!("{:?} {} {}", names(&record["api"]), record["api"]["object"], record["api"]["status"])),
        ("s3", format!("{:?}", names(&record["s3"]))),
        ("bucket", record["s3"]["bucket"].to_string()),
        ("object", format!("{:?}", names(object))),
        ("key", object["key"].to_string()),
        ("version", format!("{id:?}")),
        ("sequencer", object["sequencer"].as_str().map_or(0, str::len).to_string()),
    ]
}

fn fixture(store: &str, name: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../producer/fixtures").join(store);
    let text = std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{store}/{name}: {error}"));
    serde_json::from_slice(&text).unwrap()
}

async fn worded_as_captured(quirks: Quirks, store: &str) {
    let lab = lab(quirks);
    lab.site.subscribe(&lab.bucket).await.unwrap();
    let mut lines = lab.site.listen(std::slice::from_ref(&lab.bucket)).await.unwrap();
    act_all(&lab);
    lab.site.disconnect_listeners();
    let mut told: Vec<(&str, Value)> = Vec::new();
    for notice in lab.site.take_notices() {
        let door = if notice.door == Door::Audit { ".audit" } else { "" };
        told.push((door, serde_json::from_slice(&notice.json).unwrap()));
    }
    while let Some(line) = match &mut lines {
        Some(lines) => futures::StreamExt::next(lines).await,
        None => None,
    } {
        told.push((".listen", serde_json::from_slice(&line.unwrap()).unwrap()));
    }
    for (name, key) in CAPTURED {
        for door in doors(store, name) {
            let captured = fixture(store, &format!("{name}{door}.json"));
            let ours = told.iter().rfind(|(of, notice)| {
                let record = &notice["Records"][0];
                of == door && (record["api"]["object"] == *key || record["s3"]["object"]["key"] == encoded(key))
            });
            let (_, ours) = ours.unwrap_or_else(|| panic!("no notice like {store}/{name}{door}"));
            for (ours, captured) in shape(ours).into_iter().zip(shape(&captured)) {
                assert_eq!(ours, captured, "{store}/{name}{door}");
            }
        }
    }
}

/// By which doors (as the fixtures are named) an operation is told. RustFS tells of lock changes only by audit records,
/// of refused ones too; MinIO's listen stream is not flushed, and not offered here.
fn doors(store: &str, name: &str) -> &'static [&'static str] {
    let of_lock = name.starts_with("put-retention") || name == "put-legal-hold";
    match (store, of_lock) {
        ("rustfs", true) => &[".audit"],
        ("rustfs", false) => &["", ".listen"],
        _ if name == "put-retention-refused" => &[],
        _ => &[""],
    }
}

fn encoded(key: &str) -> String {
    key.replace('%', "%25")
        .replace('/', "%2F")
        .replace('+', "%2B")
        .replace(' ', "+")
        .replace('"', "%22")
        .replace('\'', "%27")
        .replace('😀', "%F0%9F%98%80")
        .replace('é', "%C3%A9")
}

#[tokio::test]
async fn notices_are_worded_as_rustfs_words_them() {
    worded_as_captured(Quirks::rustfs(), "rustfs").await;
}

#[tokio::test]
async fn notices_are_worded_as_minio_words_them() {
    worded_as_captured(Quirks::minio(), "minio").await;
}

/// Suspended versioning: a client's writes go into the null version.
#[tokio::test]
async fn suspended_buckets_keep_one_null_version() {
    let Lab { site, client, bucket, .. } = lab(Quirks::rustfs());
    site.set_versioning(&bucket, Versioning::Suspended).unwrap();
    let put = ClientPut { body: Bytes::from_static(b"1"), ..ClientPut::default() };
    assert!(client.put(&bucket, &key("k"), &put).unwrap().version_id.is_null());
    assert!(client.delete(&bucket, &key("k")).unwrap().marker);
    let listed = site.versions_of(&bucket, &key("k")).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].kind, twinlog_schemas::VersionKind::DeleteMarker);
}
