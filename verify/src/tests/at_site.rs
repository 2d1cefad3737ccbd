//! What reading through a site notices: every attribute that a version has.

use std::sync::Arc;

use bytes::Bytes;
use twinlog_schemas::{
    BucketName, Checksum, ChecksumType, Encryption, ObjectKey, Retention, RetentionMode, SiteName, VersionId,
    VersionRef,
};
use twinlog_site::memory::{BucketSetup, MemorySite, MemorySiteOptions, Quirks};
use twinlog_site::{Body, Precondition, Replica, Site};

use super::scripted::ALL;
use crate::at_site::AtSite;
use crate::compare::{Scope, compare};
use crate::report::Report;
use crate::side::Depth;

const NOW_NS: i64 = 1_795_393_500_000_000_000;
const NOW_MS: i64 = NOW_NS / 1_000_000;

fn store(name: &str) -> Arc<dyn Site> {
    let clock = Arc::new(|| NOW_NS);
    let name = SiteName::new(name).unwrap();
    let site = MemorySite::new(MemorySiteOptions::new(name, Quirks::rustfs(), clock, 1));
    site.create_bucket(&bucket(), BucketSetup::REPLICATED);
    Arc::new(site)
}

fn bucket() -> BucketName {
    BucketName::new("photos").unwrap()
}

fn replica() -> Replica {
    let version_id = VersionId::new("8e4d8e36-77ac-4d5a-8b42-0c3f4a5c9e01").unwrap();
    let version = VersionRef { bucket: bucket(), key: ObjectKey::new("k").unwrap(), version_id };
    Replica {
        version,
        modified_at_ns: NOW_NS - 5_000_000_000,
        etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        send_etag: true,
        headers: Default::default(),
        user_metadata: Default::default(),
        tags: Default::default(),
        retention: None,
        legal_hold: false,
        tags_at_ns: NOW_NS,
        retention_at_ns: NOW_NS,
        legal_hold_at_ns: NOW_NS,
        storage_class: None,
        encryption: Encryption::None,
        checksums: Vec::new(),
    }
}

/// Compares one version with itself written otherwise.
async fn written(change: impl FnOnce(&mut Replica), body: &'static [u8], depth: Depth) -> Report {
    let mut other = replica();
    change(&mut other);
    let sides = futures::future::join_all([("east", replica(), &b"body"[..]), ("west", other, body)].map(
        async |(name, replica, body)| {
            let site = store(name);
            site.put_object(&replica, Body::Bytes(Bytes::from_static(body)), &Precondition::Absent).await.unwrap();
            AtSite::new(site, bucket(), Arc::new(|| NOW_MS))
        },
    ))
    .await;
    compare([&sides[0], &sides[1]], &Scope { prefix: String::new(), depth }).await.unwrap()
}

fn names(report: &Report) -> Vec<&str> {
    report.differences.iter().map(|difference| difference.what.as_str()).collect()
}

#[tokio::test]
async fn a_version_equals_itself() {
    let report = written(|_| {}, b"body", ALL).await;
    assert!(report.equal(), "{report:?}");
    assert_eq!((report.versions, report.bytes), (1, 4));
}

#[tokio::test]
async fn each_attribute_is_noticed() {
    let retained = |mode, ms| Some(Retention { mode, until_ms: NOW_MS + ms });
    type Plant = (&'static str, Box<dyn FnOnce(&mut Replica)>);
    let text = || Some("x".to_owned());
    let plants: Vec<Plant> = vec![
        ("Content-Type", Box::new(move |of| of.headers.content_type = text())),
        ("Cache-Control", Box::new(move |of| of.headers.cache_control = text())),
        ("Content-Disposition", Box::new(move |of| of.headers.content_disposition = text())),
        ("Content-Encoding", Box::new(move |of| of.headers.content_encoding = text())),
        ("Content-Language", Box::new(move |of| of.headers.content_language = text())),
        ("Expires", Box::new(move |of| of.headers.expires = text())),
        ("website redirect", Box::new(move |of| of.headers.website_redirect = text())),
        ("metadata m", Box::new(|of| drop(of.user_metadata.insert("m".to_owned(), "1".to_owned())))),
        ("tag t", Box::new(|of| drop(of.tags.insert("t".to_owned(), String::new())))),
        ("retention", Box::new(move |of| of.retention = retained(RetentionMode::Governance, 60_000))),
        ("legal hold", Box::new(|of| of.legal_hold = true)),
        ("storage class", Box::new(|of| of.storage_class = Some("REDUCED_REDUNDANCY".to_owned()))),
        ("encryption", Box::new(|of| of.encryption = Encryption::SseS3)),
        (
            "SHA256",
            Box::new(|of| {
                let (algorithm, value) = ("SHA256".to_owned(), "AAAA".to_owned());
                of.checksums = vec![Checksum { algorithm, value, kind: ChecksumType::FullObject }];
            }),
        ),
    ];
    for (name, plant) in plants {
        assert_eq!(names(&written(plant, b"body", Depth::Attributes).await), [name]);
    }
}

#[tokio::test]
async fn a_body_under_a_false_etag_is_noticed_by_its_digest_alone() {
    assert_eq!(names(&written(|_| {}, b"BODY", ALL).await), ["body"]);
    assert!(written(|_| {}, b"BODY", Depth::Attributes).await.equal());
}

#[tokio::test]
async fn retention_that_has_run_out_equals_none() {
    let retention = Retention { mode: RetentionMode::Governance, until_ms: NOW_MS - 1 };
    let mut described = twinlog_site::ObjectReading {
        size: 0,
        etag: String::new(),
        modified_s_ms: 0,
        headers: Default::default(),
        user_metadata: Default::default(),
        tags: Default::default(),
        retention: Some(retention),
        legal_hold: false,
        storage_class: None,
        encryption: Encryption::None,
        checksums: Vec::new(),
        parts: Vec::new(),
        replication_status: None,
        body: None,
    };
    assert!(!crate::at_site::describe(&described, NOW_MS).attributes.contains_key("retention"));
    described.retention = Some(Retention { until_ms: NOW_MS + 1, ..retention });
    assert!(crate::at_site::describe(&described, NOW_MS).attributes.contains_key("retention"));
}
