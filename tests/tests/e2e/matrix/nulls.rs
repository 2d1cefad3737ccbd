//! Null versions: of keys written before versioning was switched on, and of keys that end in a slash.

use std::time::Duration;

use aws_sdk_s3::{primitives::ByteStream, types::BucketVersioningStatus};
use twinlog_tests::{
    bucket::{Lock, versioning},
    compare::{Bucket, list},
    lab::{Alone, Stage, StageOptions},
    site::Site,
};

use super::{
    deed::{Deed, Subject},
    tags::tags,
};
use crate::scenario::{Outcome, scenarios};

const UNVERSIONED: StageOptions = StageOptions { lock: Lock::Unversioned, alone: Alone::Nothing, proxies: false };

scenarios!(prepared: null_versions(UNVERSIONED));

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
