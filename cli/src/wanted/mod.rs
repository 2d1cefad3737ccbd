//! Which topics a deployment needs, with what settings. Pure.

mod check;

use std::time::Duration;

use serde::Serialize;
use twinlog_log::{Cleanup, TopicName, TopicSpec};
use twinlog_schemas::{BucketName, SiteName};

pub use check::{check, raised};

use crate::config::{Config, TopicConfig};

/// A topic that is needed, and on which cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The cluster.
    pub cluster: String,
    /// What it is for.
    pub purpose: Purpose,
    /// What it is created with.
    pub spec: TopicSpec,
}

/// What a topic is for, which decides what may differ in one that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    Notices,
    Changes,
    Facts,
    Receipts,
    Dead,
    DeadState,
    Lanes,
    Events,
    Control,
}

impl Purpose {
    /// What its number of partitions must be a multiple of, or be.
    fn partitions_rule(self, lanes: i32) -> PartitionsRule {
        match self {
            Purpose::Lanes => PartitionsRule::Exactly(lanes),
            Purpose::Control => PartitionsRule::Exactly(1),
            Purpose::Events => PartitionsRule::MultipleOf(1),
            _ => PartitionsRule::MultipleOf(lanes),
        }
    }
}

/// What a number of partitions must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartitionsRule {
    Exactly(i32),
    MultipleOf(i32),
}

/// What a dead letter has besides the record that caused it: its headers.
const DEAD_LETTER_ROOM: i32 = 65_536;

/// The topics of a site.
pub fn of_site(config: &Config, site: &SiteName) -> Vec<Wanted> {
    let topics = &config.topics;
    let names = &topics.names;
    let of = |purpose, name, settings: TopicConfig, cleanup| wanted(config, site, purpose, name, settings, cleanup);
    // Nothing is kept in the lanes topic; control is one partition that never expires.
    let lanes = TopicConfig { partitions: topics.lanes, retention: Duration::from_secs(86_400), retention_bytes: -1 };
    let control = TopicConfig { partitions: 1, retention: Duration::MAX, retention_bytes: -1 };
    let mut dead = of(Purpose::Dead, names.dead(site), topics.dead, Cleanup::Delete);
    dead.spec.max_message_bytes = topics.max_message_bytes.saturating_add(DEAD_LETTER_ROOM);
    vec![
        of(Purpose::Notices, names.notices(site), topics.notices, Cleanup::Delete),
        of(Purpose::Facts, names.facts(site), topics.facts, Cleanup::CompactDelete),
        of(Purpose::Receipts, names.receipts(site), topics.receipts, Cleanup::Delete),
        dead,
        of(Purpose::DeadState, names.dead_state(site), topics.dead_state, Cleanup::CompactDelete),
        of(Purpose::Lanes, names.lanes(site), lanes, Cleanup::Delete),
        of(Purpose::Events, names.events(site), topics.events, Cleanup::Delete),
        of(Purpose::Control, names.control(site), control, Cleanup::Compact),
    ]
}

/// The change topic of a bucket at a site.
pub fn of_bucket(config: &Config, site: &SiteName, bucket: &BucketName) -> Wanted {
    let settings = TopicConfig { partitions: config.change_partitions(bucket), ..config.topics.changes };
    let name = config.topics.names.changes(site, bucket);
    wanted(config, site, Purpose::Changes, name, settings, Cleanup::Delete)
}

/// Everything that enabling a bucket needs: the topics of every site that its links join, and the change topics of
/// those that are a source.
pub fn for_bucket(config: &Config, bucket: &BucketName) -> Vec<Wanted> {
    let mut all = Vec::new();
    for site in config.sites_of(bucket) {
        all.extend(of_site(config, &site));
        if config.links_of(bucket).any(|link| link.source == site) {
            all.push(of_bucket(config, &site, bucket));
        }
    }
    all
}

/// The bucket whose change topic of this site `topic` is, if it is one.
pub fn bucket_of(config: &Config, site: &SiteName, topic: &TopicName) -> Option<BucketName> {
    config.topics.names.bucket_of_changes(site, topic)
}

fn wanted(
    config: &Config,
    site: &SiteName,
    purpose: Purpose,
    name: TopicName,
    settings: TopicConfig,
    cleanup: Cleanup,
) -> Wanted {
    let cluster = config.sites.get(site).map(|site| site.cluster.clone()).unwrap_or_default();
    let retention_ms = if settings.retention == Duration::MAX {
        -1
    } else {
        i64::try_from(settings.retention.as_millis()).unwrap_or(-1)
    };
    let topics = &config.topics;
    let spec = TopicSpec {
        name,
        partitions: settings.partitions,
        replication_factor: topics.replication_factor,
        min_insync_replicas: topics.min_insync_replicas,
        cleanup,
        retention_ms,
        retention_bytes: settings.retention_bytes,
        max_message_bytes: topics.max_message_bytes,
    };
    Wanted { cluster, purpose, spec }
}

/// The command of Kafka's own tool that creates a topic so.
pub fn kafka_command(brokers: &str, spec: &TopicSpec) -> String {
    let cleanup = match spec.cleanup {
        Cleanup::Delete => "delete",
        Cleanup::Compact => "compact",
        Cleanup::CompactDelete => "compact,delete",
    };
    format!(
        "kafka-topics.sh --bootstrap-server {brokers} --create --topic {} --partitions {} --replication-factor {} \
         --config cleanup.policy={cleanup} --config retention.ms={} --config retention.bytes={} \
         --config min.insync.replicas={} --config max.message.bytes={}",
        spec.name,
        spec.partitions,
        spec.replication_factor,
        spec.retention_ms,
        spec.retention_bytes,
        spec.min_insync_replicas,
        spec.max_message_bytes,
    )
}

#[cfg(test)]
mod tests;
