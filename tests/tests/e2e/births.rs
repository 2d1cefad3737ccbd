//! Births of small objects: read once where that shows all, and never less than whole.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::{ByteStream, DateTime},
    types::{ObjectLockLegalHoldStatus, ObjectLockMode},
};
use twinlog_tests::{
    bucket::Lock,
    lab::{Own, Stage, StageOptions},
    site::Site,
};

use crate::scenario::{Outcome, scenarios};

const PROXIED: StageOptions = StageOptions { own: Own::Nothing, lock: Lock::On, proxies: true };

scenarios!(running: each_attribute_crosses_alone, a_plain_object_costs_one_read_and_one_write(PROXIED));

const SOON: Duration = Duration::from_secs(60);

/// Scenario: objects that have one attribute each, so that nothing but that one could give it away. Guarantees: each
/// crosses. (RustFS's GET leaves out the last six.)
async fn each_attribute_crosses_alone(stage: &mut Stage) -> Outcome {
    type Put = PutObjectFluentBuilder;
    type Named = (&'static str, fn(Put) -> Put);
    let with: [Named; 12] = [
        ("nothing", |put| put),
        ("type", |put| put.content_type("text/x-own")),
        ("cache", |put| put.cache_control("max-age=60")),
        ("disposition", |put| put.content_disposition("attachment; filename=\"a b.txt\"")),
        ("encoding", |put| put.content_encoding("gzip")),
        ("metadata", |put| put.metadata("color", "blue")),
        ("language", |put| put.content_language("de-AT")),
        ("expires", |put| put.expires(DateTime::from_secs(2_016_979_200))),
        ("redirect", |put| put.website_redirect_location("/elsewhere")),
        ("tags", |put| put.tagging("a=1")),
        ("hold", |put| put.object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On)),
        ("retention", |put| {
            let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
            put.object_lock_mode(ObjectLockMode::Governance).object_lock_retain_until_date(tomorrow.into())
        }),
    ];
    let east = stage.at(Site::East);
    for (key, with) in with {
        let put = east.client.put_object().bucket(&east.name).key(key);
        with(put.body(ByteStream::from_static(b"alone"))).send().await?;
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    assert_eq!(compared.versions, with.len());
    Ok(())
}

/// Scenario: small untagged objects, one after the other, with both stores behind proxies that count. Guarantees: each
/// costs about one request at either end; what is asked of the bucket itself now and then does not make it two.
async fn a_plain_object_costs_one_read_and_one_write(stage: &mut Stage) -> Outcome {
    const OBJECTS: u64 = 40;
    let put = async |stage: &Stage, key: String| {
        let east = stage.at(Site::East);
        east.client.put_object().bucket(&east.name).key(key).body(ByteStream::from_static(b"small")).send().await
    };
    put(stage, "first".to_owned()).await?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    let requests = |stage: &Stage| stage.proxies.as_ref().map(|proxies| [0, 1].map(|at| proxies[at].requests()));
    let before = requests(stage).ok_or("no proxies")?;
    for number in 0..OBJECTS {
        put(stage, format!("k{number}")).await?;
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    let after = requests(stage).ok_or("no proxies")?;
    for (site, (before, after)) in Site::BOTH.iter().zip(before.into_iter().zip(after)) {
        let asked = after - before;
        println!("{asked} requests at {site} for {OBJECTS} objects");
        assert!((OBJECTS..OBJECTS * 3 / 2).contains(&asked), "{asked} requests at {site} for {OBJECTS} objects");
    }
    Ok(())
}
