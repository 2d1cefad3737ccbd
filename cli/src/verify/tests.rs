#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use twinlog_schemas::{BucketName, ObjectKey, SiteName, VersionId};
use twinlog_site::Site;
use twinlog_site::memory::{BucketSetup, ClientPut, MemorySite, MemorySiteOptions, Quirks};
use twinlog_verify::Tie;

use super::*;
use crate::config::EXAMPLE;

struct World {
    deployment: Deployment,
    east: MemorySite,
    bucket: BucketName,
}

fn site(name: &str) -> MemorySite {
    let options = MemorySiteOptions::new(SiteName::new(name).unwrap(), Quirks::rustfs(), Arc::new(|| 1_000_000_000), 1);
    MemorySite::new(options)
}

/// Two sites with the same buckets, none of them enabled.
fn world() -> World {
    let config = Arc::new(Config::parse(EXAMPLE, &BTreeMap::new()).unwrap());
    let (east, west) = (site("east"), site("west"));
    for name in ["photos", "others"] {
        for site in [&east, &west] {
            site.create_bucket(&BucketName::new(name).unwrap(), BucketSetup::REPLICATED);
        }
    }
    let sites: BTreeMap<SiteName, Arc<dyn Site>> =
        [&east, &west].map(|site| (site.name().clone(), Arc::new(site.clone()) as Arc<dyn Site>)).into();
    let deployment = Deployment { config, clusters: BTreeMap::new(), sites };
    World { deployment, east, bucket: BucketName::new("photos").unwrap() }
}

fn options() -> VerifyOptions {
    VerifyOptions { at: None, bucket: None, prefix: String::new(), bodies: true, wait: None, json: false }
}

#[tokio::test]
async fn enabled_buckets_are_compared_once_per_pair_of_sites() {
    let world = world();
    let none = pairs(&world.deployment, None, None).await.unwrap_err();
    assert_eq!(none.to_string(), "no bucket is enabled on any link: enable one, or name one with --bucket");
    world.east.subscribe(&world.bucket).await.unwrap();
    let found = pairs(&world.deployment, None, None).await.unwrap();
    let pair = |name: &str| Pair {
        bucket: BucketName::new(name).unwrap(),
        left: SiteName::new("east").unwrap(),
        right: SiteName::new("west").unwrap(),
    };
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [pair("photos")]);
    let named = pairs(&world.deployment, None, Some(&world.bucket)).await.unwrap();
    assert_eq!(named.into_iter().collect::<Vec<_>>(), [pair("photos")]);
}

#[tokio::test]
async fn a_site_or_bucket_that_no_link_knows_is_named() {
    let world = world();
    let nowhere = SiteName::new("nowhere").unwrap();
    let told = pairs(&world.deployment, Some(&nowhere), None).await.unwrap_err();
    assert_eq!(told.exit, Exit::Config);
    assert!(told.to_string().contains("there is no [sites.nowhere]"), "{told}");
}

#[tokio::test]
async fn what_differs_is_shown_as_a_table_and_as_json() {
    let world = world();
    let key = ObjectKey::new("odd\nkey").unwrap();
    let put = world.east.client("somebody").put(&world.bucket, &key, &ClientPut::default()).unwrap();
    let pairs = pairs(&world.deployment, None, Some(&world.bucket)).await.unwrap();
    let pair = pairs.first().unwrap();
    let report = compared(&world.deployment, pair, &options(), None).await.unwrap();
    let verdict = Verdict::new(pair, &report);
    let id = put.version_id;
    let width = id.as_str().len();
    let expected = format!(
        "bucket photos: east and west are DIFFERENT: 1 versions compared, 1 differences\n\
         KEY       {:width$}  WHAT         AT EAST               AT WEST\n\
         odd\\nkey  {id}  the version  an object of 1000 ms  -\n",
        "VERSION"
    );
    assert_eq!(verdict.text(), expected);
    let json: serde_json::Value = serde_json::from_str(&verdict.json().unwrap()).unwrap();
    assert_eq!(json["equal"], false);
    assert_eq!(json["differences"][0]["key"], "odd\nkey");
    assert_eq!(json["differences"][0]["values"]["east"], "an object of 1000 ms");
    assert!(json["differences"][0]["values"]["west"].is_null());
}

#[tokio::test]
async fn versions_whose_times_tie_are_named() {
    let world = world();
    let pairs = pairs(&world.deployment, None, Some(&world.bucket)).await.unwrap();
    let ids = ["one", "two"].map(|id| VersionId::new(id).unwrap());
    let key = ObjectKey::new("k").unwrap();
    let tie = Tie { key, modified_ms: 1_000, left: ids.to_vec(), right: ids.iter().rev().cloned().collect() };
    let mut report = Report::default();
    (report.versions, report.ties, report.tied) = (2, 1, vec![tie]);
    let verdict = Verdict::new(pairs.first().unwrap(), &report);
    let text = verdict.text();
    assert!(text.ends_with("\ntie at 1000 ms of k: one, two at east; two, one at west\n"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&verdict.json().unwrap()).unwrap();
    assert_eq!(json["tied"][0]["orders"]["west"], serde_json::json!(["two", "one"]));
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_time_and_a_bucket_that_is_missing_is_a_failure() {
    let world = world();
    let key = ObjectKey::new("k").unwrap();
    world.east.client("somebody").put(&world.bucket, &key, &ClientPut::default()).unwrap();
    let pair = pairs(&world.deployment, None, Some(&world.bucket)).await.unwrap().pop_first().unwrap();
    let begun = Instant::now();
    let deadline = Some(begun + Duration::from_secs(10));
    let report = compared(&world.deployment, &pair, &options(), deadline).await.unwrap();
    assert_eq!(report.differing, 1);
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
    world.east.delete_bucket(&world.bucket);
    let failed = compared(&world.deployment, &pair, &options(), None).await.unwrap_err();
    assert_eq!(failed.exit, Exit::Unavailable);
    assert!(failed.to_string().contains("photos at site east"), "{failed}");
}
