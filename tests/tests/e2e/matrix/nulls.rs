//! Null versions: of keys written before versioning was switched on, and of keys that end in a slash.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    primitives::{ByteStream, DateTime},
    types::{BucketVersioningStatus, ObjectLockRetentionMode::Governance},
};
use twinlog_tests::{
    bucket::{Lock, versioning},
    compare::{Bucket, list},
    lab::{Own, Stage, StageOptions},
    server::StoreKind,
    site::Site,
    until::until,
};

use super::{
    bodies::PART,
    case::{Body, Case, case},
    deed::{Deed, Subject},
    retention::days,
    tags::tags,
    upload::write,
};
use crate::scenario::{Outcome, scenarios};

const UNVERSIONED: StageOptions = StageOptions { lock: Lock::Unversioned, own: Own::Nothing, proxies: false };

mod from_before_versioning {
    use super::*;
    scenarios!(prepared: null_versions(UNVERSIONED), filled_alike(UNVERSIONED));
}

mod locked {
    use super::*;
    scenarios!(running: locks_are_waited_for);
}

const CROSSED: Duration = Duration::from_secs(120);
/// What is written before versioning; each is done something else to.
const PAST: [&str; 5] = ["tagged", "overwritten", "marked", "removed", "copied"];

async fn put(at: &Bucket, key: &str, body: &'static str) -> Outcome {
    let put = at.client.put_object().bucket(&at.name).key(key).tagging("born=1").metadata("m", "1");
    put.body(ByteStream::from_static(body.as_bytes())).send().await?;
    Ok(())
}

/// Scenario: objects from before versioning, at each site; then versioning and replication begin, and clients tag,
/// overwrite, mark, copy and remove them, and write keys that end in a slash at both sites. Guarantees: a null version
/// crosses with the first change of it, its removal is a removal at both, and of two null versions of one key the later
/// is at both.
async fn null_versions(stage: &mut Stage) -> Outcome {
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    for bucket in [&east, &west] {
        for key in PAST {
            put(bucket, &format!("{}/{key}", bucket.label), "from before versioning").await?;
        }
    }
    for bucket in [&east, &west] {
        versioning(&bucket.client, &bucket.name, BucketVersioningStatus::Enabled).await?;
    }
    stage.deployment.enable(&stage.bucket).await?;
    stage.deployment.start_both().await?;
    for bucket in [&east, &west] {
        let of = |key: &str| Subject { key: format!("{}/{key}", bucket.label), id: "null".to_owned() };
        for key in PAST {
            Deed::Tag(tags(&[("later", key)])).perform(bucket, &of(key)).await?;
        }
        put(bucket, &of("overwritten").key, "with an id").await?;
        Deed::Mark.perform(bucket, &of("marked")).await?;
        Deed::Copy(" copy").perform(bucket, &of("copied")).await?;
        put(bucket, &of("folder/").key, "").await?;
        put(bucket, "shared folder/", "").await?;
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    for (home, away) in [(&east, &west), (&west, &east)] {
        let of = |key: &str| Subject { key: format!("{}/{key}", home.label), id: "null".to_owned() };
        let listing = list(away).await?;
        let ids = |key: &str| -> Vec<bool> {
            listing.get(&of(key).key).into_iter().flatten().map(|listed| listed.id == "null").collect()
        };
        assert_eq!(ids("tagged"), [true], "at {}", away.label);
        assert_eq!(ids("overwritten"), [false, true], "at {}", away.label);
        assert_eq!(ids("marked"), [false, true], "at {}", away.label);
        assert_eq!(ids("copied"), [true], "at {}", away.label);
        assert_eq!(ids("copied copy"), [false], "at {}", away.label);
        assert_eq!(ids("folder/"), [true], "at {}", away.label);
        // At the replica's site.
        Deed::Remove.perform(away, &of("removed")).await?;
        Deed::Tag(tags(&[("away", "yes")])).perform(away, &of("tagged")).await?;
        Deed::Remove.perform(away, &of("overwritten")).await?;
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    for (home, reader) in [(&east, &west), (&west, &east), (&east, &east), (&west, &west)] {
        let listing = list(reader).await?;
        let there = |key: &str| listing.get(&format!("{}/{key}", home.label)).map_or(0, Vec::len);
        assert_eq!((there("removed"), there("overwritten"), there("tagged")), (0, 1, 1), "at {}", reader.label);
    }
    for site in Site::BOTH {
        assert_eq!(stage.deployment.progress().written_to(&format!("dead.{site}")).await?, 0, "dead letters of {site}");
    }
    Ok(())
}

/// Scenario: both sites were filled with the same objects before versioning, by other means and at different times, also
/// in parts and encrypted, and east with one in parts besides; then each is tagged at one site. Guarantees: each is the
/// same version at both sites in the end. (MinIO takes a null object of the same ETag for the same version, whatever its
/// time.) On RustFS no upload becomes a null version of a versioned bucket by a replica write: that is a dead letter, and
/// nothing else comes to be there.
async fn filled_alike(stage: &mut Stage) -> Outcome {
    let of = |name: &str, body| case("filled alike", name).body(body);
    let encrypted = |case: Case| case.sends("x-amz-server-side-encryption", "AES256");
    let parts = || Body::Parts(vec![(1, PART), (2, 9)]);
    let mut cases = vec![of("whole", Body::Whole(100)), encrypted(of("whole, encrypted", Body::Whole(100)))];
    let holds_parts = stage.kind() == StoreKind::MinIo;
    if holds_parts {
        cases.extend([of("parts", parts()), encrypted(of("parts, encrypted", parts()))]);
    }
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    for bucket in [&east, &west] {
        for case in &cases {
            assert_eq!(write(bucket, &case.key, case).await?.id, "null", "{}", case.name);
        }
    }
    let alone = of("parts at east", parts());
    write(&east, &alone.key, &alone).await?;
    for bucket in [&east, &west] {
        versioning(&bucket.client, &bucket.name, BucketVersioningStatus::Enabled).await?;
    }
    stage.deployment.enable(&stage.bucket).await?;
    stage.deployment.start_both().await?;
    let alone = Subject { key: alone.key, id: "null".to_owned() };
    Deed::Tag(tags(&[("filled", "at east")])).perform(&east, &alone).await?;
    if !holds_parts {
        until("no dead letter of the parts", CROSSED, async || {
            let letters = stage.deployment.progress().letters(Site::West).await?;
            let told = letters
                .iter()
                .any(|letter| letter.is_of(&stage.bucket, &alone.key, "null") && letter.reason == "refused");
            Ok(if told { Ok(()) } else { Err(format!("{letters:?}")) })
        })
        .await?;
        assert!(!list(&west).await?.contains_key(&alone.key), "something was written at west");
        Deed::Remove.perform(&east, &alone).await?;
    }
    for (case, bucket) in cases.iter().zip([&east, &west].into_iter().cycle()) {
        let subject = Subject { key: case.key.clone(), id: "null".to_owned() };
        Deed::Tag(tags(&[("filled", "alike")])).perform(bucket, &subject).await?;
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    assert_eq!(compared.versions, cases.len() + usize::from(holds_parts));
    let letters = stage.deployment.progress().written_to("dead.east").await?;
    assert_eq!(letters, 0, "dead letters of east");
    Ok(())
}

/// Scenario: null versions that clients at west retain and hold, and clients at east, whom the locks have not reached,
/// replace. Guarantees: west keeps its own while it is locked, and the change is a dead letter with that reason; when the
/// retention has run out, or the hold is lifted, west is brought to the change by itself.
async fn locks_are_waited_for(stage: &mut Stage) -> Outcome {
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let of = |key: &str| Subject { key: key.to_owned(), id: "null".to_owned() };
    let keys = ["retained/", "held/"];
    for key in keys {
        put(&east, key, "first").await?;
    }
    stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    stage.deployment.stop(Site::East).await?;
    Deed::Retain(Governance, days(1)).perform(&west, &of("retained/")).await?;
    Deed::Hold(true).perform(&west, &of("held/")).await?;
    for key in keys {
        put(&east, key, "second").await?;
    }
    stage.deployment.start(Site::East)?;
    stage.deployment.ready(Site::East).await?;
    until("no dead letters of both", CROSSED, async || {
        let letters = stage.deployment.progress().letters(Site::West).await?;
        let locked = |key: &&str| {
            let of_key = letters.iter().filter(|letter| letter.is_of(&stage.bucket, key, "null"));
            of_key.clone().count() > 0 && of_key.clone().all(|letter| letter.reason == "locked-at-target")
        };
        Ok(if keys.iter().all(locked) { Ok(()) } else { Err(format!("{letters:?}")) })
    })
    .await?;
    for key in keys {
        let get = west.client.get_object().bucket(&west.name).key(key).send().await?;
        assert_eq!(get.body.collect().await?.into_bytes(), "first", "{key} was replaced in spite of its lock");
    }
    let soon = DateTime::from_secs(DateTime::from(SystemTime::now() + Duration::from_secs(4)).secs());
    Deed::Retain(Governance, soon).perform(&west, &of("retained/")).await?;
    Deed::Hold(false).perform(&west, &of("held/")).await?;
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, CROSSED).await?;
    assert_eq!(compared.versions, keys.len());
    let get = west.client.get_object().bucket(&west.name).key("retained/").send().await?;
    assert_eq!(get.body.collect().await?.into_bytes(), "second");
    Ok(())
}
