//! What operators and other systems are told: CloudEvents 1.0 in structured JSON, the records of a site's events topic.
//!
//! The envelope is the same for every kind of event; what happened is in `data`, whose shape goes by the type. A reader
//! that meets a type it does not know passes it on or leaves it.
//!
//! What bears the source `/twinlog/<site>` is one event. What bears `/twinlog/<site>/notifier` is a notification: many
//! events or dead letters of one group in one, under the type of what it tells, with [`NotificationTold`] as data.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::event_id::EventId;
use crate::name::SiteName;

/// What an event tells; the word is the CloudEvents `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// A hold has begun; data: [`HoldTold`].
    HoldBegun,
    /// A hold has ended; data: [`HoldTold`].
    HoldEnded,
    /// A link's breaker has opened, or nothing succeeds at an end that answers; data: [`BreakerTold`].
    BreakerOpened,
    /// That is over; data: [`BreakerTold`].
    BreakerClosed,
    /// Two sites changed the same thing and a rule decided; data: [`ConflictTold`].
    ConflictDecided,
    /// Changes have become dead letters; sent by the notifier alone, data: [`NotificationTold`].
    ReplicationFailed,
    /// The oldest change of a bucket that waits is older than its link's threshold; data: [`ThresholdTold`].
    ThresholdMissed,
    /// It is young enough again; data: [`ThresholdTold`].
    ThresholdRegained,
    /// Versions are on one side only, and nothing says whether they were removed or never came; data: [`VanishedTold`].
    Vanished,
    /// For a while nothing more of a kind that has no end of its own has come; sent by the notifier alone, data:
    /// [`NotificationTold`].
    Recovered,
    /// The log deleted records that nobody had read; data: [`LogTold`].
    RecordsLost,
    /// A topic was deleted and made anew; data: [`LogTold`].
    TopicRecreated,
    /// A topic was deleted while it was read; data: [`LogTold`].
    TopicGone,
    /// A topic does not have the partitions that it was set up with; data: [`LogTold`].
    PartitionsChanged,
    /// The oldest change event that waits has used up half of its topic's retention; data: [`RetentionTold`].
    RetentionBegun,
    /// It has not any more; data: [`RetentionTold`].
    RetentionEnded,
}

impl EventType {
    /// Every type.
    pub const ALL: [Self; 16] = [
        Self::HoldBegun,
        Self::HoldEnded,
        Self::BreakerOpened,
        Self::BreakerClosed,
        Self::ConflictDecided,
        Self::ReplicationFailed,
        Self::ThresholdMissed,
        Self::ThresholdRegained,
        Self::Vanished,
        Self::Recovered,
        Self::RecordsLost,
        Self::TopicRecreated,
        Self::TopicGone,
        Self::PartitionsChanged,
        Self::RetentionBegun,
        Self::RetentionEnded,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HoldBegun => "io.twinlog.hold.begun",
            Self::HoldEnded => "io.twinlog.hold.ended",
            Self::BreakerOpened => "io.twinlog.breaker.opened",
            Self::BreakerClosed => "io.twinlog.breaker.closed",
            Self::ConflictDecided => "io.twinlog.conflict.decided",
            // S3's own names of replication events, so that what understands those understands these.
            Self::ReplicationFailed => "s3:Replication:OperationFailedReplication",
            Self::ThresholdMissed => "s3:Replication:OperationMissedThreshold",
            Self::ThresholdRegained => "s3:Replication:OperationReplicatedAfterThreshold",
            Self::Vanished => "io.twinlog.versions.vanished",
            Self::Recovered => "io.twinlog.recovered",
            Self::RecordsLost => "io.twinlog.log.records-lost",
            Self::TopicRecreated => "io.twinlog.log.topic-recreated",
            Self::TopicGone => "io.twinlog.log.topic-gone",
            Self::PartitionsChanged => "io.twinlog.log.partitions-changed",
            Self::RetentionBegun => "io.twinlog.retention.half-used",
            Self::RetentionEnded => "io.twinlog.retention.regained",
        }
    }

    /// The type of a word, if it is one of ours.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One event. Delivered at least once: `id` tells copies apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// Unique; the same for every delivery of the event.
    pub id: String,
    /// `/twinlog/<site>`: the site beside which it was told; `/twinlog/<site>/notifier` for notifications.
    pub source: String,
    /// One of [`EventType`]'s words.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about, without object keys: `east>west/bucket`, or a link.
    pub subject: String,
    /// When it happened, RFC 3339.
    pub time: String,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// What happened, by type.
    pub data: serde_json::Value,
}

impl CloudEvent {
    /// An event told beside `site`. `data` must be what the type's documentation says.
    ///
    /// # Errors
    /// Where `data` has no form in JSON, which no type of this crate has.
    pub fn new(
        kind: EventType,
        id: EventId,
        site: &SiteName,
        subject: impl Into<String>,
        at_ns: i64,
        data: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ns)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Ok(Self {
            specversion: "1.0".to_owned(),
            id: id.to_string(),
            source: format!("/twinlog/{site}"),
            kind: kind.as_str().to_owned(),
            subject: subject.into(),
            time: at.format(&Rfc3339).unwrap_or_default(),
            datacontenttype: "application/json".to_owned(),
            data: serde_json::to_value(data)?,
        })
    }

    /// The notification that the notifier beside `site` makes of events: the same with another source.
    #[must_use]
    pub fn by_notifier(self, site: &SiteName) -> Self {
        Self { source: notifier_source(site), ..self }
    }

    /// Whether the notifier beside `site` made it.
    #[must_use]
    pub fn is_by_notifier(&self, site: &SiteName) -> bool {
        self.source == notifier_source(site)
    }

    /// The type, if it is one that this release knows.
    #[must_use]
    pub fn event_type(&self) -> Option<EventType> {
        EventType::of(&self.kind)
    }

    /// The record's value.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads a record's value.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

fn notifier_source(site: &SiteName) -> String {
    format!("/twinlog/{site}/notifier")
}

/// The data of [`EventType::HoldBegun`] and [`EventType::HoldEnded`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldTold {
    /// The source of the link.
    pub source_site: String,
    /// The target of the link.
    pub target_site: String,
    /// The bucket; `None` where the whole link is held.
    pub bucket: Option<String>,
    /// The reason's word.
    pub reason: String,
    /// What was seen, in words.
    pub message: String,
    /// What a person can do.
    pub remedy: String,
    /// Since when it is, or was, held: microseconds since the Unix epoch.
    pub since_us: i64,
}

/// The data of [`EventType::BreakerOpened`] and [`EventType::BreakerClosed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerTold {
    /// The source of the link.
    pub source_site: String,
    /// The target of the link.
    pub target_site: String,
    /// Which of the two it is about.
    pub away: String,
    /// What it does or does not, in words: `does not answer: …`.
    pub message: String,
    /// Since when it is, or was, open: microseconds since the Unix epoch.
    pub since_us: i64,
}

/// The data of [`EventType::ConflictDecided`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictTold {
    /// The bucket.
    pub bucket: String,
    /// The object key.
    pub key: String,
    /// The version id.
    pub version_id: String,
    /// What was changed: `tags`, `retention`, `legal-hold`, or `null-version`.
    pub category: String,
    /// Whose change holds, at all sites.
    pub winner: ChangeTold,
    /// Whose change is gone.
    pub loser: ChangeTold,
    /// Whether both bear the same time, so that the sites' names decided.
    pub tied: bool,
}

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeTold {
    /// The site where it was made.
    pub site: String,
    /// When, nanoseconds since the Unix epoch.
    pub changed_at_ns: i64,
}

/// The data of [`EventType::ThresholdMissed`] and [`EventType::ThresholdRegained`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThresholdTold {
    /// The source of the link.
    pub source_site: String,
    /// The target of the link.
    pub target_site: String,
    /// The bucket.
    pub bucket: String,
    /// The link's threshold.
    pub threshold_seconds: u64,
    /// The age of the oldest change event that is not done; 0 where none waits.
    pub oldest_seconds: u64,
    /// How many change events wait.
    pub waiting: u64,
}

/// The data of [`EventType::Vanished`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VanishedTold {
    /// The site that has the versions.
    pub source_site: String,
    /// The site that has not.
    pub target_site: String,
    /// The bucket.
    pub bucket: String,
    /// How many versions.
    pub versions: u64,
    /// What a person can do, in words.
    pub message: String,
}

/// The data of notifications, whatever their type. It has every field of [`HoldTold`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationTold {
    /// The source of the link; empty where nothing says which it is.
    pub source_site: String,
    /// The target of the link.
    pub target_site: String,
    /// The bucket; `None` where it concerns a whole link.
    pub bucket: Option<String>,
    /// The reason's word; of a breaker, the site that does not answer.
    pub reason: String,
    /// S3's own name of the reason (`failureReason`), where one fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// How many events or dead letters this notification stands for.
    pub count: u64,
    /// How many there were since it began, these among them.
    pub total: u64,
    /// Some of them.
    pub examples: Vec<ExampleTold>,
    /// What was seen, in words.
    pub message: String,
    /// What a person can do.
    pub remedy: String,
    /// Where the runbook speaks of it.
    pub runbook: String,
    /// Since when it is, or was, so: microseconds since the Unix epoch.
    pub since_us: i64,
}

/// One of the dead letters that a notification stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExampleTold {
    /// The record that could not be applied, `topic/partition/offset`: what `twinlog dlq` calls it.
    pub at: String,
    /// The object key, unless the notifier is told to leave keys out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The error's words, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The data of [`EventType::RecordsLost`], [`EventType::TopicRecreated`], [`EventType::TopicGone`] and
/// [`EventType::PartitionsChanged`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTold {
    /// The site beside which the topic is read.
    pub site: String,
    /// The site that the topic tells of.
    pub source_site: String,
    /// The bucket; `None` where the topic tells of all of the site's.
    pub bucket: Option<String>,
    /// The topic.
    pub topic: String,
    /// The partition, where it is one.
    pub partition: Option<i32>,
    /// The first offset that may be missing.
    pub from: Option<i64>,
    /// The offset after the last.
    pub to: Option<i64>,
    /// How many of these records were not done.
    pub records: Option<i64>,
    /// What was found, in words.
    pub message: String,
}

/// The data of [`EventType::RetentionBegun`] and [`EventType::RetentionEnded`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionTold {
    /// The source of the link.
    pub source_site: String,
    /// The target of the link.
    pub target_site: String,
    /// The bucket.
    pub bucket: String,
    /// How much of the retention is used up; at 100 the log deletes what waits.
    pub used_percent: u32,
    /// How many change events wait.
    pub waiting: i64,
    /// What was seen, in words.
    pub message: String,
    /// Since when there is, or was, an alarm: microseconds since the Unix epoch.
    pub since_us: i64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_type_is_found_by_its_word() {
        for kind in EventType::ALL {
            assert_eq!(EventType::of(kind.as_str()), Some(kind));
        }
        assert_eq!(EventType::of("io.twinlog.unheard-of"), None);
    }

    #[test]
    fn the_envelope_is_what_the_specification_asks_for() {
        let told = BreakerTold {
            source_site: "east".into(),
            target_site: "west".into(),
            away: "west".into(),
            message: "refused".into(),
            since_us: 7,
        };
        let id = EventId::new(1, [2; 10]);
        let site = SiteName::new("west").unwrap();
        let event = CloudEvent::new(EventType::BreakerOpened, id, &site, "east>west", 1_500_000_000, &told).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&event.to_json().unwrap()).unwrap();
        assert_eq!(json["specversion"], "1.0");
        assert_eq!(json["type"], "io.twinlog.breaker.opened");
        assert_eq!(json["source"], "/twinlog/west");
        assert_eq!(json["time"], "1970-01-01T00:00:01.5Z");
        assert_eq!(json["data"]["away"], "west");
    }

    #[test]
    fn a_notification_reads_as_what_it_stands_for() {
        let told = NotificationTold {
            source_site: "east".into(),
            target_site: "west".into(),
            bucket: None,
            reason: "credentials".into(),
            failure_reason: None,
            count: 3,
            total: 9,
            examples: Vec::new(),
            message: "m".into(),
            remedy: "r".into(),
            runbook: "https://runbook.example#credentials".into(),
            since_us: 7,
        };
        let site = SiteName::new("west").unwrap();
        let one =
            CloudEvent::new(EventType::HoldBegun, EventId::new(1, [2; 10]), &site, "east>west", 1, &told).unwrap();
        assert!(!one.is_by_notifier(&site));
        let many = one.by_notifier(&site);
        assert!(many.is_by_notifier(&site) && !many.is_by_notifier(&SiteName::new("east").unwrap()));
        let hold: HoldTold = serde_json::from_value(many.data).unwrap();
        assert_eq!((hold.reason.as_str(), hold.since_us), ("credentials", 7));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(at_us in 0i64..4_000_000_000_000_000, words in ".*", bucket in proptest::option::of("[a-z]{3,9}")) {
            let told = HoldTold {
                source_site: "east".into(),
                target_site: "west".into(),
                bucket,
                reason: "target-versioning-off".into(),
                message: words.clone(),
                remedy: words,
                since_us: at_us,
            };
            let site = SiteName::new("west").unwrap();
            let id = EventId::new(1, [3; 10]);
            let event = CloudEvent::new(EventType::HoldBegun, id, &site, "s", at_us * 1_000, &told).unwrap();
            let read = CloudEvent::from_json(&event.to_json().unwrap()).unwrap();
            prop_assert_eq!(&read, &event);
            prop_assert_eq!(read.event_type(), Some(EventType::HoldBegun));
            prop_assert_eq!(serde_json::from_value::<HoldTold>(read.data).unwrap(), told);
        }
    }
}
