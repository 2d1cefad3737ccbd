#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use twinlog_log::{Log, MemoryLog};
use twinlog_schemas::SiteName;
use twinlog_site::memory::{BucketSetup, ClientPut, MemorySite, MemorySiteOptions, Quirks};
use twinlog_site::{DefaultRetention, Site, Versioning};

use super::*;
use crate::config::EXAMPLE;
use crate::finding::{Finding, Level};

struct World {
    deployment: Deployment,
    east: MemorySite,
    west: MemorySite,
    log: MemoryLog,
    bucket: BucketName,
}

fn site(name: &str) -> MemorySite {
    let options = MemorySiteOptions::new(SiteName::new(name).unwrap(), Quirks::rustfs(), Arc::new(|| 1_000_000_000), 1);
    MemorySite::new(options)
}

fn world(east_setup: Option<BucketSetup>, west_setup: Option<BucketSetup>) -> World {
    let config = Arc::new(Config::parse(EXAMPLE, &BTreeMap::new()).unwrap());
    let (east, west, log) = (site("east"), site("west"), MemoryLog::new());
    let bucket = BucketName::new("photos").unwrap();
    for (site, setup) in [(&east, east_setup), (&west, west_setup)] {
        if let Some(setup) = setup {
            site.create_bucket(&bucket, setup);
        }
    }
    let clusters: BTreeMap<String, Arc<dyn Log>> = BTreeMap::from([("main".to_owned(), Arc::new(log.clone()) as _)]);
    let sites: BTreeMap<SiteName, Arc<dyn Site>> =
        [&east, &west].map(|site| (site.name().clone(), Arc::new(site.clone()) as Arc<dyn Site>)).into();
    World { deployment: Deployment { config, clusters, sites }, east, west, log, bucket }
}

impl World {
    async fn enable(&self) -> Vec<Finding> {
        super::enable::enable(&self.deployment, &self.bucket).await.unwrap()
    }

    async fn topics(&self) -> usize {
        self.log.topics().await.unwrap().len()
    }
}

fn failed(findings: &[Finding]) -> String {
    let failed = findings.iter().filter(|finding| finding.level == Level::Fail);
    failed.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const GOOD: Option<BucketSetup> = Some(BucketSetup::REPLICATED);

#[tokio::test]
async fn a_bucket_is_enabled_once_and_the_second_run_changes_nothing() {
    let world = world(GOOD, GOOD);
    let first = world.enable().await;
    assert_eq!(failed(&first), "");
    assert_eq!(first.iter().filter(|finding| finding.level == Level::Done).count(), 18 + 2, "{first:#?}");
    assert_eq!(world.topics().await, 18);
    let second = world.enable().await;
    assert!(second.iter().all(|finding| finding.level == Level::Ok), "{second:#?}");
    let verdict = super::enable::verdict(&world.deployment.config, &world.bucket, &second);
    assert_eq!(verdict, "bucket photos is enabled: east>west, west>east; nothing had to be changed");
    let rows = super::list::list(&world.deployment).await.unwrap();
    let shown = super::list::table(&rows);
    assert_eq!(shown, "BUCKET  LINK       STATE\nphotos  east>west  enabled\nphotos  west>east  enabled\n");
}

/// Scenario: a change topic is deleted and the bucket enabled again, whose subscription stands. Guarantee: running processes
/// hear by the control topic that there may be a new topic, and since when the bucket is whole stays as it was.
#[tokio::test]
async fn running_processes_hear_of_topics_that_were_created_again() {
    let world = world(GOOD, GOOD);
    let heard = async || {
        let control = control(&world.deployment, world.east.name()).await.unwrap();
        (control.enabled_at().remove(&world.bucket).unwrap(), control.unbroken(&world.bucket).unwrap())
    };
    world.enable().await;
    let (first, unbroken) = heard().await;
    let topic = world.deployment.config.topics.names.changes(world.east.name(), &world.bucket);
    world.log.delete_topic(&topic);
    world.enable().await;
    let (again, still) = heard().await;
    assert!(again > first && still == unbroken, "{again} {still:?}");
}

#[tokio::test]
async fn a_bucket_without_versioning_is_refused_and_nothing_is_changed() {
    let never = BucketSetup { versioning: Versioning::Never, object_lock: false, default_retention: None };
    let world = world(Some(BucketSetup { object_lock: false, ..BucketSetup::REPLICATED }), Some(never));
    let told = failed(&world.enable().await);
    assert!(
        told.contains("bucket photos east>west: it has no versioning at west - enable versioning of photos at west"),
        "{told}"
    );
    assert_eq!(world.topics().await, 0);
}

#[tokio::test]
async fn object_lock_on_one_side_only_is_refused() {
    let world = world(GOOD, Some(BucketSetup { object_lock: false, ..BucketSetup::REPLICATED }));
    let told = failed(&world.enable().await);
    assert!(
        told.contains("object lock is on at east and off at west - locked versions cannot be kept at west"),
        "{told}"
    );
    assert_eq!(world.topics().await, 0);
}

#[tokio::test]
async fn unequal_default_retention_is_refused() {
    let days = DefaultRetention { mode: twinlog_schemas::RetentionMode::Governance, days: 3 };
    let world = world(GOOD, Some(BucketSetup { default_retention: Some(days), ..BucketSetup::REPLICATED }));
    let told = failed(&world.enable().await);
    assert!(told.contains("default retention is none at east and GOVERNANCE 3 days at west"), "{told}");
}

#[tokio::test]
async fn a_bucket_that_is_missing_at_one_end_is_named_with_what_to_create() {
    let world = world(GOOD, None);
    let told = failed(&world.enable().await);
    assert!(told.contains("it does not exist at west - create it at west, with versioning and object lock"), "{told}");
}

#[tokio::test]
async fn what_is_in_the_bucket_already_is_said_not_to_be_replicated() {
    let world = world(GOOD, GOOD);
    let key = twinlog_schemas::ObjectKey::new("old").unwrap();
    world.east.client("somebody").put(&world.bucket, &key, &ClientPut::default()).unwrap();
    let findings = world.enable().await;
    let warned: Vec<_> = findings.iter().filter(|finding| finding.level == Level::Warn).collect();
    assert_eq!(warned.len(), 1);
    assert!(warned[0].to_string().contains("notices of photos at east: the bucket is not empty"), "{}", warned[0]);
}

#[tokio::test]
async fn disabling_takes_the_subscription_and_leaves_the_topics() {
    let world = world(GOOD, GOOD);
    world.enable().await;
    let findings = super::disable::disable(&world.deployment, &world.bucket).await.unwrap();
    let told = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(told.contains("notices of photos at west: unsubscribed"), "{told}");
    assert!(told.contains("--delete --topic twinlog.changes.east.photos"), "{told}");
    assert!(world.west.subscription(&world.bucket).await.unwrap().present.is_empty());
    assert_eq!(world.topics().await, 18);
    let rows = super::list::list(&world.deployment).await.unwrap();
    assert!(rows.iter().all(|row| row.state == super::list::State::Off), "{rows:?}");
}

#[tokio::test]
async fn doctor_finds_what_enable_would_refuse_and_what_is_fine() {
    let world = world(GOOD, GOOD);
    world.enable().await;
    let findings = crate::doctor::examine(&world.deployment, None).await.unwrap();
    assert_eq!(failed(&findings), "");
    world.west.set_versioning(&world.bucket, Versioning::Suspended).ok();
    world.east.unsubscribe(&world.bucket).await.unwrap();
    let told = failed(&crate::doctor::examine(&world.deployment, None).await.unwrap());
    assert!(told.contains("notices of photos at east: not subscribed"), "{told}");
}
