//! Every metric: name as it is exported, unit in the name, description, and the names of labels. Values of labels are
//! sites, links, buckets and fixed words; never object keys.

/// A metric's name and description.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// As exported.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// Whether it has series for each bucket or topic.
    pub many: bool,
}

const fn name(name: &'static str, help: &'static str) -> Name {
    Name { name, help, many: false }
}

/// A metric with series for each bucket or topic.
const fn many(name: &'static str, help: &'static str) -> Name {
    Name { name, help, many: true }
}

/// Label: the site that the process runs beside.
pub const SITE: &str = "site";
/// Label: a link, `source>target`.
pub const LINK: &str = "link";
/// Label: a bucket.
pub const BUCKET: &str = "bucket";
/// Label: the door by which a notice came: `listen`, `fast`, `sure`, `audit`.
pub const DOOR: &str = "door";
/// Label: how something ended.
pub const OUTCOME: &str = "outcome";
/// Label: why.
pub const REASON: &str = "reason";
/// Label: what a notice told, what kind of fact, what was written.
pub const KIND: &str = "kind";
/// Label: which call.
pub const OPERATION: &str = "operation";
/// Label: which rule of the plan decided.
pub const RULE: &str = "rule";
/// Label: a topic.
pub const TOPIC: &str = "topic";

/// Counter by site, door, bucket.
pub const NOTICES_RECEIVED: Name =
    many("twinlog_notices_received_total", "Notices taken and acknowledged by Kafka, by door.");
/// Counter by site, door, reason (`irrelevant`, `not_selected`, `disabled`).
pub const NOTICES_DROPPED: Name =
    name("twinlog_notices_dropped_total", "Notices taken and dropped, because nothing follows from them.");
/// Counter by site, door.
pub const NOTICES_MALFORMED: Name =
    name("twinlog_notices_malformed_total", "Bodies that could not be read as notices; they are in quarantine.");
/// Counter by site, door.
pub const NOTICES_REFUSED: Name =
    name("twinlog_notices_refused_total", "Bodies answered 503: the store keeps them and sends them again.");
/// Counter by site.
pub const INTAKE_UNAUTHORISED: Name =
    name("twinlog_intake_unauthorised_total", "Requests with a wrong token, or none.");
/// Counter by site.
pub const QUARANTINE_DROPPED: Name =
    name("twinlog_quarantine_dropped_total", "Malformed bodies dropped to keep the quarantine's bound.");
/// Gauge by site: 1 or 0.
pub const LISTEN_CONNECTED: Name = name("twinlog_listen_connected", "Whether the store's listen stream is connected.");
/// Counter by site.
pub const LISTEN_DEAF_SECONDS: Name = name(
    "twinlog_listen_deaf_seconds_total",
    "Seconds for which the listen stream was not connected; other doors cover them.",
);
/// Counter by site, bucket.
pub const NOTICES_CAPTURED: Name =
    many("twinlog_notices_captured_total", "Notices done with: everything they caused is in Kafka.");
/// Counter by site, bucket, outcome (`copy`, `merged`, `superseded`, …).
pub const NOTICES_SETTLED: Name =
    many("twinlog_notices_settled_total", "Notices that led to no change event of their own, by how they ended.");
/// Counter by site, topic: records lost to retention.
pub const NOTICES_LOST: Name =
    many("twinlog_notices_lost_total", "Notices deleted by retention before they were read.");
/// Counter by site, bucket, kind.
pub const CHANGES_PRODUCED: Name = many("twinlog_changes_produced_total", "Change events produced, by what was told.");
/// Histogram by site, bucket.
pub const CAPTURE_SECONDS: Name =
    many("twinlog_capture_seconds", "From the receipt of a notice to its change event's acknowledgement.");
/// Histogram by site, bucket.
pub const CAPTURE_READ_SECONDS: Name = many("twinlog_capture_read_seconds", "A read of the store for capture.");
/// Counter by site, bucket, kind.
pub const FACTS_PRODUCED: Name = many("twinlog_facts_produced_total", "Facts produced, by kind.");
/// Counter by site, operation.
pub const CAPTURE_RETRIES: Name =
    name("twinlog_capture_retries_total", "Failed calls of capture that are tried again.");
/// Gauge by site, bucket: 1 or 0.
pub const BUCKET_DIRTY: Name =
    many("twinlog_bucket_dirty", "1 while a bucket cannot be captured; what its notices told has to be swept.");
/// Gauge by site, bucket.
pub const VANISHED: Name = many(
    "twinlog_vanished_versions",
    "Versions that the last sweep found at one site only, of which nothing says why: `twinlog sweep` lists them.",
);
/// Gauge by site.
pub const NOTICES_IN_FLIGHT: Name = name("twinlog_notices_in_flight", "Notices that are being captured now.");
/// Gauge by site.
pub const NOTICES_BACKLOG: Name = name("twinlog_notices_backlog", "Notices in Kafka that are not captured yet.");
/// Gauge by site.
pub const NOTICES_OLDEST_SECONDS: Name =
    name("twinlog_notices_oldest_seconds", "Age of the oldest notice that is not captured yet; 0 where there is none.");

/// Counter by link, bucket, outcome.
pub const EVENTS_DONE: Name = many("twinlog_events_done_total", "Change events done with, by outcome.");
/// Counter by link, bucket, outcome.
pub const FACTS_DONE: Name = many("twinlog_facts_done_total", "Facts done with, by outcome.");
/// Counter by link, rule.
pub const RULES: Name = name("twinlog_plan_rules_total", "Change events by the rule of the plan that decided them.");
/// Histogram by link, bucket.
pub const REPLICATION_LAG_SECONDS: Name =
    many("twinlog_replication_lag_seconds", "From a version's birth at the source to its birth at the target.");
/// Counter by link, bucket.
pub const REPLICATED_BYTES: Name = many("twinlog_replicated_bytes_total", "Bytes of bodies written as replicas.");
/// Counter by link, bucket.
pub const UNPROVED: Name = many(
    "twinlog_unproved_objects_total",
    "Objects written whose bytes nothing proves to be the source's: the ETag is no digest and there is no checksum.",
);
/// Counter by link, bucket, kind.
pub const REPLICA_WRITES: Name = many("twinlog_replica_writes_total", "Requests that wrote into the target.");
/// Counter by link, bucket, reason.
pub const RETRIES: Name = many("twinlog_retries_total", "Failed calls of the consumer that are tried again.");
/// Counter by link, bucket, reason.
pub const DEAD_LETTERS: Name = many("twinlog_dead_letters_total", "Dead letters written, by reason.");
/// Gauge by link, bucket, reason, at the process that owns lane 0.
pub const DEAD_LETTERS_OPEN: Name =
    many("twinlog_dead_letters_open", "Dead letters that were neither replayed, healed nor discarded, by reason.");
/// Gauge by link, bucket, reason: 1 or 0.
pub const HOLD: Name = many("twinlog_hold", "1 while a bucket of a link is held, by reason.");
/// Gauge by link, reason: 1 or 0.
pub const LINK_HOLD: Name = name("twinlog_link_hold", "1 while a whole link is held, by reason.");
/// Gauge by link, site: 1 or 0.
pub const BREAKER: Name =
    name("twinlog_breaker_open", "1 while an end of a link does not answer and everything for it waits.");
/// Counter by link, bucket.
pub const DOUBTS: Name =
    many("twinlog_doubts_total", "Values at the target that nothing explained and its site was asked about.");
/// Counter by link (winner to loser), bucket, category, tied.
pub const CONFLICTS: Name = many(
    "twinlog_conflicts_decided_total",
    "Changes of clients that lost against one made at another site without knowledge of it, by what was changed.",
);
/// Label: what was changed: `tags`, `retention`, `legal-hold`, `null-version`.
pub const CATEGORY: &str = "category";
/// Label: whether both changes bear the same time, so that the sites' names decided.
pub const TIED: &str = "tied";
/// Counter by site, topic.
pub const RECORDS_LOST: Name =
    many("twinlog_records_lost_total", "Change events or facts deleted by retention before they were read.");
/// Gauge by link, bucket, reason: 1 or 0. The link of what a site's own capture missed ends in `*`.
pub const SWEEP_NEEDED: Name = many(
    "twinlog_sweep_needed",
    "1 while a bucket has to be swept, because the log lost what would have told of its changes.",
);
/// Gauge by link, bucket (empty where it is a topic of facts or notices): 1 or 0.
pub const TOPIC_GONE: Name = many("twinlog_topic_gone", "1 while a topic that was read is not there any more.");
/// Gauge by link.
pub const EVENTS_IN_FLIGHT: Name =
    name("twinlog_events_in_flight", "Change events that are being applied now, those that wait for a retry included.");
/// Gauge by link, bucket.
pub const BACKLOG_EVENTS: Name =
    many("twinlog_backlog_events", "Change events in Kafka that are not committed as done yet.");
/// Gauge by link, bucket.
pub const BACKLOG_OLDEST_SECONDS: Name = many(
    "twinlog_backlog_oldest_seconds",
    "Age of the oldest change event that is not done yet; 0 where there is none.",
);
/// Gauge by link, bucket: 0 to 1 and above.
pub const RETENTION_USED_RATIO: Name = many(
    "twinlog_retention_used_ratio",
    "Share of its topic's retention that the oldest change event which is not done has used up; at 1 the log deletes it.",
);
/// Gauge by link.
pub const LAG_THRESHOLD_SECONDS: Name =
    name("twinlog_lag_threshold_seconds", "The configured age of the oldest change event from which on to alarm.");

/// Label: a webhook or Alertmanager, by its name in the configuration.
pub const RECEIVER: &str = "receiver";
/// Counter by site, kind.
pub const NOTIFICATIONS: Name =
    name("twinlog_notifications_total", "Notifications put together, by what they are about.");
/// Counter by site, receiver, outcome (`delivered`, `again`, `given-up`).
pub const NOTIFICATIONS_SENT: Name = name(
    "twinlog_notifications_sent_total",
    "Attempts to tell a receiver, by how they ended; what is given up is not tried again.",
);
/// Gauge by site, receiver.
pub const NOTIFICATIONS_BACKLOG: Name =
    name("twinlog_notifications_backlog", "Records of the events topic that a webhook is not past yet.");
/// Gauge by site, receiver.
pub const NOTIFICATIONS_OLDEST_SECONDS: Name = name(
    "twinlog_notifications_oldest_seconds",
    "Age of the oldest record of the events topic that a webhook is not past yet; 0 where there is none.",
);
/// Counter by site, topic.
pub const NOTIFICATIONS_LOST: Name = many(
    "twinlog_notifications_lost_total",
    "Events or dead letters deleted by retention before the notifier or a webhook was past them.",
);

/// Gauge by name of the dependency: 1 or 0.
pub const READY: Name = name("twinlog_ready", "Whether a dependency is ready.");
/// Label: a dependency.
pub const DEPENDENCY: &str = "dependency";
/// Gauge, always 1, by version, commit, profile.
pub const BUILD_INFO: Name = name("twinlog_build_info", "Which build this is.");
/// Label: the version.
pub const VERSION: &str = "version";
/// Label: the commit.
pub const COMMIT: &str = "commit";
/// Label: the profile.
pub const PROFILE: &str = "profile";

/// Bounds in seconds of histograms of calls and lags.
pub const SECONDS: [f64; 17] =
    [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0];
