#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use twinlog_log::TopicInfo;

use super::*;
use crate::config::EXAMPLE;
use crate::finding::Level;

fn config() -> Config {
    Config::parse(EXAMPLE, &BTreeMap::new()).unwrap()
}

#[test]
fn a_bucket_of_a_pair_needs_nine_topics_at_each_site() {
    let config = config();
    let wanted = for_bucket(&config, &BucketName::new("photos").unwrap());
    assert_eq!(wanted.len(), 18);
    let names: BTreeSet<_> = wanted.iter().map(|wanted| wanted.spec.name.as_str().to_owned()).collect();
    assert_eq!(names.len(), 18);
    assert!(names.contains("twinlog.changes.west.photos") && names.contains("twinlog.dead-state.east"));
    for Wanted { purpose, spec, .. } in &wanted {
        assert!(matches!(purpose, Purpose::Control | Purpose::Events) || spec.partitions % config.topics.lanes == 0);
        assert!(spec.retention_bytes == -1 && spec.min_insync_replicas == 2);
    }
    let facts = wanted.iter().find(|wanted| wanted.purpose == Purpose::Facts).unwrap();
    assert_eq!((facts.spec.cleanup, facts.spec.retention_ms), (Cleanup::CompactDelete, 365 * 86_400_000));
    let control = wanted.iter().find(|wanted| wanted.purpose == Purpose::Control).unwrap();
    assert_eq!((control.spec.cleanup, control.spec.retention_ms, control.spec.partitions), (Cleanup::Compact, -1, 1));
}

#[test]
fn existing_topics_are_held_to_the_lanes() {
    let config = config();
    let site = SiteName::new("east").unwrap();
    let wanted = of_bucket(&config, &site, &BucketName::new("photos").unwrap());
    let level = |partitions, replication_factor| {
        check(&wanted, Some(&TopicInfo { partitions, replication_factor }), config.topics.lanes).level
    };
    assert_eq!(level(4, 3), Level::Ok);
    assert_eq!(level(8, 3), Level::Ok, "more partitions are the owners' choice");
    assert_eq!(level(6, 3), Level::Fail);
    assert_eq!(level(4, 1), Level::Warn);
    assert_eq!(check(&wanted, None, 4).level, Level::Fail);
}

#[test]
fn the_bucket_of_a_change_topic_is_found_again() {
    let config = config();
    let (east, bucket) = (SiteName::new("east").unwrap(), BucketName::new("my.photos").unwrap());
    let topic = config.topics.names.changes(&east, &bucket);
    assert_eq!(bucket_of(&config, &east, &topic), Some(bucket));
    assert_eq!(bucket_of(&config, &SiteName::new("west").unwrap(), &topic), None);
    assert_eq!(bucket_of(&config, &east, &config.topics.names.facts(&east)), None);
}

#[test]
fn the_printed_command_has_every_setting() {
    let config = config();
    let wanted = of_bucket(&config, &SiteName::new("east").unwrap(), &BucketName::new("photos").unwrap());
    let command = kafka_command("kafka:9092", &wanted.spec);
    for piece in
        ["--topic twinlog.changes.east.photos ", "--partitions 4 ", "retention.ms=604800000", "retention.bytes=-1"]
    {
        assert!(command.contains(piece), "{piece}: {command}");
    }
}
