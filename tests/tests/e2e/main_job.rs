//! The main job: whatever a client does at one site is so at the other, version by version.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    primitives::{ByteStream, DateTime},
    types::{
        CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier, ObjectLockLegalHoldStatus, ObjectLockMode,
    },
};
use rand::{SeedableRng, rngs::SmallRng};
use twinlog_tests::{
    compare::{Bucket, list},
    lab::Stage,
    site::Site,
    workload::{Mix, Writer, body},
};

use crate::scenario::{Outcome, scenarios};

scenarios!(running: births, large_and_multipart, removals, odd_keys, everything_at_once);

const SOON: Duration = Duration::from_secs(60);
const MIB: usize = 1024 * 1024;

/// Scenario: objects of every attribute are born at each site. Guarantees: the other site has the same versions.
async fn births(stage: &mut Stage) -> Outcome {
    for site in Site::BOTH {
        let Bucket { client, name, .. } = stage.at(site);
        let put = |key: &str, body: &'static [u8]| {
            client.put_object().bucket(&name).key(format!("{site}/{key}")).body(ByteStream::from_static(body))
        };
        let tomorrow = DateTime::from_secs(DateTime::from(std::time::SystemTime::now()).secs() + 86_400);
        put("empty", b"").send().await?;
        put("one byte", b"1").send().await?;
        put("headers", b"h")
            .content_type("text/plain; charset=utf-8")
            .cache_control("no-store, max-age=0")
            .content_disposition("attachment; filename=\"x y.txt\"")
            .content_encoding("gzip")
            .content_language("de-CH, en")
            .expires(tomorrow)
            .send()
            .await?;
        put("metadata", b"m").metadata("colour", "light blue").metadata("x-y", "1").send().await?;
        put("tags", b"t").tagging("a=1&b=two+words&empty=").send().await?;
        put("retained", b"r")
            .object_lock_mode(ObjectLockMode::Governance)
            .object_lock_retain_until_date(tomorrow)
            .send()
            .await?;
        put("complied", b"c")
            .object_lock_mode(ObjectLockMode::Compliance)
            .object_lock_retain_until_date(tomorrow)
            .send()
            .await?;
        put("held", b"h").object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On).send().await?;
        put("all", b"a")
            .metadata("m", "1")
            .tagging("t=1")
            .object_lock_mode(ObjectLockMode::Governance)
            .object_lock_retain_until_date(tomorrow)
            .object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On)
            .send()
            .await?;
        for body in [&b"first"[..], b"second", b"third"] {
            put("overwritten", body).send().await?;
        }
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    assert_eq!(compared.versions, 24);
    Ok(())
}

/// Scenario: bodies around the inline limit, streamed ones, and multipart uploads of odd parts with gaps in their
/// numbers. Guarantees: bytes, ETag and part layout are the same.
async fn large_and_multipart(stage: &mut Stage) -> Outcome {
    const INLINE: usize = 16 * 1024;
    let mut rng = SmallRng::seed_from_u64(3);
    for site in Site::BOTH {
        let Bucket { client, name, .. } = stage.at(site);
        for size in [INLINE, INLINE + 1, 3 * MIB + 17, 24 * MIB] {
            let put = client.put_object().bucket(&name).key(format!("{site}/{size}"));
            put.body(ByteStream::from(body(&mut rng, size))).metadata("size", size.to_string()).send().await?;
        }
        let layouts: [&[(i32, usize)]; 3] =
            [&[(1, 1000)], &[(1, 5 * MIB), (2, 7 * MIB + 1), (3, 9)], &[(2, 5 * MIB), (7, 5 * MIB), (9, MIB)]];
        for (number, layout) in layouts.into_iter().enumerate() {
            upload(&client, &name, &format!("{site}/parts{number}"), layout, &mut rng).await?;
        }
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, Duration::from_secs(120)).await?;
    assert_eq!(compared.versions, 14);
    Ok(())
}

async fn upload(client: &Client, bucket: &str, key: &str, layout: &[(i32, usize)], rng: &mut SmallRng) -> Outcome {
    let create = client.create_multipart_upload().bucket(bucket).key(key).content_type("x/parts").tagging("in=parts");
    let upload = create.metadata("m", "1").send().await?;
    let id = upload.upload_id().unwrap_or_default();
    let mut completed = CompletedMultipartUpload::builder();
    for (number, size) in layout {
        let part = client.upload_part().bucket(bucket).key(key).upload_id(id).part_number(*number);
        let part = part.body(ByteStream::from(body(rng, *size))).send().await?;
        completed = completed.parts(CompletedPart::builder().part_number(*number).set_e_tag(part.e_tag).build());
    }
    let complete = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(id);
    complete.multipart_upload(completed.build()).send().await?;
    Ok(())
}

/// Scenario: markers, removed markers, removed versions and multi-deletes, at the site of the birth and at the other.
/// Guarantees: both sites end with the same versions, and what was removed stays so.
async fn removals(stage: &mut Stage) -> Outcome {
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    for bucket in [&east, &west] {
        for key in ["marked", "unmarked", "removed", "multi-plain", "multi-id", "across"] {
            for body in [&b"1"[..], b"2"] {
                let put = bucket.client.put_object().bucket(&bucket.name).key(format!("{}/{key}", bucket.label));
                put.body(ByteStream::from_static(body)).send().await?;
            }
        }
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    for (bucket, other) in [(&east, &west), (&west, &east)] {
        let key = |key: &str| format!("{}/{key}", bucket.label);
        let delete = |key: String| bucket.client.delete_object().bucket(&bucket.name).key(key);
        delete(key("marked")).send().await?;
        let marker = delete(key("unmarked")).send().await?;
        delete(key("unmarked")).set_version_id(marker.version_id).send().await?;
        delete(key("removed")).version_id(first_id(bucket, &key("removed")).await?).send().await?;
        let across = first_id(bucket, &key("across")).await?;
        other.client.delete_object().bucket(&other.name).key(key("across")).version_id(across).send().await?;
        other.client.delete_object().bucket(&other.name).key(key("across")).send().await?;
        let by_id =
            ObjectIdentifier::builder().key(key("multi-id")).version_id(first_id(bucket, &key("multi-id")).await?);
        let plain = ObjectIdentifier::builder().key(key("multi-plain"));
        let delete = Delete::builder().objects(by_id.build()?).objects(plain.build()?).build()?;
        bucket.client.delete_objects().bucket(&bucket.name).delete(delete).send().await?;
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    // Of each site: two versions of six keys, less three removed by id, and a marker on three.
    assert_eq!(compared.versions, 24);
    Ok(())
}

/// The oldest version of a key.
async fn first_id(bucket: &Bucket, key: &str) -> Result<String, crate::scenario::Failure> {
    let listing = list(bucket).await?;
    let versions = listing.get(key).ok_or("the key is not listed")?;
    Ok(versions.last().ok_or("the key has no versions")?.id.clone())
}

/// Scenario: keys that need care in URLs, XML and notices. Guarantees: each crosses under its own name.
async fn odd_keys(stage: &mut Stage) -> Outcome {
    let long = "long/".to_owned() + &"x".repeat(250) + "/" + &"y".repeat(250);
    let keys = [
        "a b",
        "plus+and%percent",
        "100%25",
        "quote'\"back`tick",
        "amp&lt;<xml>",
        "question?hash#",
        "emoji 😀",
        "composed é",
        "decomposed e\u{301}",
        "CASE",
        "case",
        "semi;colon:comma,=@$!*()[]{}|~^",
        "folder/",
        "..dots../a..b",
        &long,
    ];
    for site in Site::BOTH {
        let Bucket { client, name, .. } = stage.at(site);
        for key in keys {
            client
                .put_object()
                .bucket(&name)
                .key(format!("{site} {key}"))
                .body(ByteStream::from_static(b"odd"))
                .send()
                .await?;
        }
        client.delete_object().bucket(&name).key(format!("{site} a b")).send().await?;
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    assert_eq!(compared.versions, 2 * (keys.len() + 1));
    Ok(())
}

/// Scenario: a seeded client at each site does everything but later changes of locks, on shared keys, at once.
/// Guarantees: the sites agree once the log is done, and nothing became a dead letter.
async fn everything_at_once(stage: &mut Stage) -> Outcome {
    const STEPS: usize = 150;
    let writer = |site: Site, seed: u64| {
        let Bucket { client, name, .. } = stage.at(site);
        Writer::new(client, name, Writer::keys("shared", 20), Mix::tags(), seed)
    };
    let run = async |mut writer: Writer| {
        for _ in 0..STEPS {
            writer.step().await?;
        }
        Ok::<_, twinlog_tests::refused::Refused>(writer.changes())
    };
    let (east, west) = futures::try_join!(run(writer(Site::East, 11)), run(writer(Site::West, 12)))?;
    assert!(east.min(west) > 100, "{east} and {west} changes");
    stage.deployment.equal(&stage.bucket, u64::MAX, Duration::from_secs(120)).await?;
    for site in Site::BOTH {
        assert_eq!(stage.deployment.progress().written_to(&format!("dead.{site}")).await?, 0);
    }
    Ok(())
}
