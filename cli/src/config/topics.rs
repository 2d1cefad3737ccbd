//! `[topics]`: how Twinlog's topics are named and created.

use std::collections::BTreeMap;
use std::time::Duration;

use twinlog_log::Topics;

use super::duration::show_duration;
use super::fault::Fault;
use super::section::Section;

const DAY: Duration = Duration::from_secs(86_400);

/// `[topics]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicsConfig {
    /// `prefix`: what all topic and group names begin with. Default `twinlog`.
    pub names: Topics,
    /// `create`: whether `bucket enable` creates what is missing; if not, it only verifies, for clusters whose owners
    /// create topics themselves (`bucket enable --print-topics` prints what is needed). Default true.
    pub create: bool,
    /// `lanes`: in how many shares the consumers beside a site divide the keys. Fixed when a site is set up; every
    /// partition count is a multiple of it. Default 4.
    pub lanes: i32,
    /// `replication_factor` of every topic. Default 3.
    pub replication_factor: i32,
    /// `min_insync_replicas` of every topic. Default 2, or the replication factor where that is lower.
    pub min_insync_replicas: i32,
    /// `max_message_bytes` of every topic. Default 1,048,576; an inline body must fit with room to spare.
    pub max_message_bytes: i32,
    /// `[topics.notices]`: notices as received. Default 12 partitions, 7 days.
    pub notices: TopicConfig,
    /// `[topics.changes]`: change events, one topic per bucket. Default 4 partitions, 7 days. How long a target may be
    /// away before changes are lost to it.
    pub changes: TopicConfig,
    /// `[topics.facts]`: facts, compacted. Default 12 partitions, 365 days.
    pub facts: TopicConfig,
    /// `[topics.receipts]`: what was written into a site. Default 12 partitions, 7 days.
    pub receipts: TopicConfig,
    /// `[topics.dead]`: dead letters. Default 4 partitions, 30 days.
    pub dead: TopicConfig,
    /// `[topics.dead-state]`: the dead letters' states, compacted. Default 4 partitions, kept as long as the letters; no
    /// shorter, since a letter whose state is gone is open again.
    pub dead_state: TopicConfig,
    /// `[topics.events]`: what operators are told. Default 3 partitions, 7 days; not bound to the lanes.
    pub events: TopicConfig,
}

/// One kind of topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicConfig {
    /// `partitions`; a multiple of `lanes`.
    pub partitions: i32,
    /// `retention`, e.g. `"7d"`.
    pub retention: Duration,
    /// `retention_bytes` per partition; -1 is unlimited. Default -1, which is set on the topic explicitly, so that the
    /// broker's default never deletes what was not read.
    pub retention_bytes: i64,
}

impl TopicsConfig {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let prefix_origin = section.origin_of("prefix");
        let prefix = section.text("prefix").unwrap_or_else(|| "twinlog".to_owned());
        let names =
            Topics::new(prefix).map_err(|error| section.fault_at(prefix_origin, "prefix", error.to_string())).ok();
        let create = section.boolean_or("create", true);
        let lanes = section.number_or("lanes", 1, 256, 4);
        let replication_factor = section.number_or("replication_factor", 1, 15, 3);
        let min_origin = section.origin_of("min_insync_replicas");
        let min_insync_replicas = section.number_or("min_insync_replicas", 1, 15, 2.min(replication_factor));
        if min_insync_replicas > replication_factor {
            let message = format!(
                "{min_insync_replicas} is more than replication_factor, {replication_factor}: nothing could be written"
            );
            section.fault_at(min_origin, "min_insync_replicas", message);
        }
        let max_message_bytes = section.number_or("max_message_bytes", 131_072, 1 << 30, 1_048_576);
        let mut kind = |key: &str, partitions: i32, days: u32| {
            TopicConfig::read(section.section(key), lanes, partitions, DAY * days)
        };
        let (notices, changes, facts, receipts) =
            (kind("notices", 12, 7), kind("changes", 4, 7), kind("facts", 12, 365), kind("receipts", 12, 7));
        let dead = kind("dead", 4, 30);
        let config = Self {
            create,
            lanes,
            replication_factor,
            min_insync_replicas,
            max_message_bytes,
            notices,
            changes,
            facts,
            receipts,
            dead,
            dead_state: read_dead_state(section.section("dead-state"), lanes, dead.retention),
            events: TopicConfig::read(section.section("events"), 1, 3, DAY * 7),
            names: names.clone().or_else(|| Topics::new("twinlog").ok())?,
        };
        section.end();
        names.map(|_| config)
    }
}

impl TopicConfig {
    fn read(mut section: Section<'_>, lanes: i32, default_partitions: i32, kept: Duration) -> Self {
        let origin = section.origin_of("partitions");
        // A default that the lanes do not divide is rounded up; what was written is refused.
        let default = default_partitions.div_ceil_to(lanes);
        let partitions = section.number_or("partitions", 1, 10_000, default);
        if partitions % lanes != 0 {
            let message = format!(
                "{partitions} is not a multiple of the {lanes} lanes: a key's lane is its partition modulo the lanes"
            );
            section.fault_at(origin, "partitions", message);
        }
        let retention = section.duration_or("retention", kept);
        let retention_bytes = section.number_or("retention_bytes", -1, i64::MAX, -1);
        section.end();
        Self { partitions, retention, retention_bytes }
    }
}

/// The states are kept at least as long as the letters.
fn read_dead_state(section: Section<'_>, lanes: i32, letters: Duration) -> TopicConfig {
    let (path, origin, sink) = (section.path_of("retention"), section.origin_of("retention"), section.sink());
    let config = TopicConfig::read(section, lanes, 4, letters);
    if config.retention < letters {
        let (kept, letters) = (show_duration(config.retention), show_duration(letters));
        let message = format!("{kept} is shorter than topics.dead.retention, {letters}: letters would be open again");
        sink.borrow_mut().push(Fault::new(origin, path, message));
    }
    config
}

trait DivCeilTo {
    fn div_ceil_to(self, step: Self) -> Self;
}

impl DivCeilTo for i32 {
    fn div_ceil_to(self, step: i32) -> i32 {
        (self + step - 1) / step * step
    }
}

/// `[buckets.<name>]`: what differs for one bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BucketConfig {
    /// `partitions` of the bucket's change topics, at every site. Default: `topics.changes.partitions`.
    pub partitions: Option<i32>,
    /// `inline_max_bytes` of the bucket, over the links' own.
    pub inline_max_bytes: Option<u64>,
}

impl BucketConfig {
    pub(super) fn read_all(
        root: &mut Section<'_>,
        lanes: i32,
        max: i64,
    ) -> BTreeMap<twinlog_schemas::BucketName, Self> {
        let mut buckets = BTreeMap::new();
        for (name, mut section) in root.named("buckets") {
            let origin = section.origin_of("partitions");
            let partitions: Option<i32> = section.number("partitions", 1, 10_000).and_then(|n| n.try_into().ok());
            if partitions.is_some_and(|partitions| partitions % lanes != 0) {
                section.fault_at(origin, "partitions", format!("it must be a multiple of the {lanes} lanes"));
            }
            let inline = section.number("inline_max_bytes", 0, max).and_then(|n| n.try_into().ok());
            match twinlog_schemas::BucketName::new(name) {
                Ok(name) => drop(buckets.insert(name, Self { partitions, inline_max_bytes: inline })),
                Err(error) => section.fault(error.to_string()),
            }
            section.end();
        }
        buckets
    }
}
