//! The values of control records, one type for each kind, and their codec.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use twinlog_log::{TopicName, TopicPartition};
use twinlog_schemas::{BucketName, ObjectKey, PublishedSchema, SiteName};

use crate::key::{Direction, Key, Scope, StandingKey, UnknownKey};
use crate::reason::Reason;
use crate::sweep::Sweep;

/// Something is held. Its record going away is what lets it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Why.
    pub reason: Reason,
    /// What was seen, in words.
    pub message: String,
    /// Since when, microseconds since the Unix epoch.
    pub since_us: i64,
    /// The schema that could not be read, in hexadecimal digits, where that is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

/// A person has paused a bucket of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who.
    pub by: String,
    /// Since when, microseconds since the Unix epoch.
    pub since_us: i64,
}

/// A person has let a bucket of a link go on: the buckets as they are now count as the right ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Who.
    pub by: String,
    /// When, microseconds since the Unix epoch.
    pub at_us: i64,
    /// What clients removed up to then counts as wanted, microseconds since the Unix epoch: when a storm of removals was
    /// let go on last. Whoever lets a bucket go on that is held for another reason says nothing of removals.
    #[serde(default)]
    pub removals_to_us: Option<i64>,
}

/// An end of a link does not answer (its breaker is open), or answers and lets nothing succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// What the site does or does not, with a failure: `does not answer: …`.
    pub message: String,
    /// Since when, microseconds since the Unix epoch.
    pub since_us: i64,
    /// When a process last found it so, microseconds since the Unix epoch.
    #[serde(default)]
    pub seen_us: i64,
}

/// Which buckets the two ends were when they were first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// When the bucket at the source was created, milliseconds since the Unix epoch, where that is known.
    pub source_ms: Option<i64>,
    /// Likewise at the target.
    pub target_ms: Option<i64>,
}

/// Facts of a held bucket were merged and not acted upon, from this offset of a facts partition on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The offset of the first.
    pub from: i64,
}

/// What one partition contributes to a bucket's guard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Everything before this offset is counted.
    pub counted_to: i64,
    /// By stretch of event time, oldest first.
    pub stretches: Vec<Stretch>,
}

/// The counts of one stretch of event time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Which: event time divided by the stretch's length.
    pub number: i64,
    /// Removals by clients.
    pub removed: u64,
    /// Everything else.
    pub other: u64,
}

/// This bucket of the site has changes that no change event tells of; a sweep ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirtyBucket {
    /// The bucket.
    pub bucket: BucketName,
    /// Since when, microseconds since the Unix epoch.
    pub since_us: i64,
    /// The error that came first.
    pub reason: String,
}

impl DirtyBucket {
    /// The word for it, where reasons of holds are told.
    pub const REASON: &'static str = "dirty";
    /// What a person does about it.
    pub const REMEDY: &'static str =
        "mend what was seen (`twinlog doctor` tries it); the bucket is swept by itself then";
}

/// How far back what the site has told of a bucket is known to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbroken {
    /// Since when no notice of the bucket is known to be lost, microseconds since the Unix epoch; `None` while it is not
    /// enabled.
    pub since_us: Option<i64>,
    /// When it was enabled for the first time: what is older was there before anything was replicated.
    pub first_us: i64,
}

/// The last sweep of a bucket between this site and another, or the one under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// When it began, microseconds since the Unix epoch.
    pub begun_us: i64,
    /// When it ended; `None` while it is under way, or was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_us: Option<i64>,
    /// The last key that is done with, while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_to: Option<ObjectKey>,
    /// What was asked of it: one that was asked for the same goes on where this one was interrupted.
    pub how: String,
    /// Versions compared.
    pub compared: u64,
    /// Versions that a site was asked to look at.
    pub asked: u64,
    /// Versions that vanished, by the only site that has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vanished: BTreeMap<SiteName, u64>,
    /// Whether this sweep or one before it has filled the bucket for the first time.
    #[serde(default)]
    pub filled: bool,
}

/// The notifier has told of something that is not over yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The id of the last notification of it.
    pub id: String,
    /// Since when, microseconds since the Unix epoch.
    pub since_us: i64,
    /// When it was last told of, milliseconds since the Unix epoch.
    pub told_ms: i64,
    /// How many events or dead letters there were so far.
    pub count: u64,
    /// What was seen, in words.
    pub message: String,
    /// What a person can do.
    pub remedy: String,
}

/// The oldest change event of a direction that waits has used up half of its topic's retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// Since when, microseconds since the Unix epoch.
    pub since_us: i64,
}

/// A topic as it was when it was first read beside this site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicSeen {
    /// Its id, in hexadecimal digits, where the cluster has ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many partitions it had; a person accepts another number by `twinlog bucket enable`.
    pub partitions: i32,
    /// How many it was last seen to have.
    pub now: i32,
    /// A person has disabled its bucket: that it goes is no loss.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
    /// It is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<TopicGone>,
}

/// A topic that was read is not there any more, and nobody said that this is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicGone {
    /// Since when, microseconds since the Unix epoch.
    pub since_us: i64,
    /// The site whose changes, facts or notices it held.
    pub source: SiteName,
    /// The bucket, if it was that of one.
    pub bucket: Option<BucketName>,
}

impl TopicGone {
    /// The word for it, where reasons of holds are told.
    pub const REASON: &'static str = "topic-gone";

    /// What a person does about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        if self.bucket.is_some() {
            "nothing of it is replicated: `twinlog bucket enable` makes it anew, and the bucket is swept by itself; \
             `twinlog bucket disable` says that it is not wanted any more"
        } else {
            "`twinlog bucket enable` of any bucket of the site makes it anew; what it told of is swept by itself"
        }
    }

    /// The bucket's name, for labels; empty where it was not that of one.
    #[must_use]
    pub fn bucket_label(&self) -> String {
        self.bucket.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// What was seen, in words.
    #[must_use]
    pub fn message(topic: &TopicName) -> String {
        format!("topic {topic} was deleted, or is not to be seen any more")
    }
}

/// A person wants a partition to be read once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewind {
    /// From this offset on.
    pub to: i64,
    /// Who.
    pub by: String,
    /// When it was asked for, microseconds since the Unix epoch.
    pub at_us: i64,
}

/// A partition stands at a record over which the planning itself breaks: a bug.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// The record's offset.
    pub offset: i64,
    /// What broke, in words.
    pub message: String,
    /// Since when, microseconds since the Unix epoch.
    pub since_us: i64,
    /// The site whose record it is.
    pub source: SiteName,
    /// The bucket, if the topic is that of one.
    pub bucket: Option<BucketName>,
}

impl Stuck {
    /// The word for it, where reasons of holds are told.
    pub const REASON: &'static str = "stuck";
    /// What a person does about it.
    pub const REMEDY: &'static str = "report it with the record that stands there (any Kafka tool shows it); the partition goes on by itself under a \
         release that can plan the record";
}

/// A control record.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A hold.
    Hold(Scope, Hold),
    /// A pause.
    Pause(Direction, Pause),
    /// A release.
    Release(Direction, Release),
    /// An open breaker, of the link from the first site at the second.
    Away(SiteName, SiteName, Away),
    /// An identity.
    Identity(Direction, Identity),
    /// What was skipped of a facts partition.
    Skipped(TopicPartition, Direction, Skipped),
    /// A partition's part of a guard.
    Guard(TopicPartition, Direction, Slice),
    /// A dirty bucket.
    Dirty(DirtyBucket),
    /// Since when what a bucket tells is whole.
    Unbroken(BucketName, Unbroken),
    /// A sweep, by the other site and the bucket.
    Swept(Direction, Swept),
    /// What comes from a site has to be swept.
    Sweep(Direction, Sweep),
    /// A direction that is late.
    Late(Direction, Late),
    /// A topic that is read.
    Topic(TopicName, TopicSeen),
    /// A partition to be read once more.
    Rewind(TopicPartition, Rewind),
    /// A partition that stands at a record.
    Stuck(TopicPartition, Stuck),
    /// A published schema.
    Schema(PublishedSchema),
    /// What a person was told of and is not over yet.
    Standing(StandingKey, Standing),
}

/// Why a record is not understood.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Its key is none of ours.
    #[error(transparent)]
    Key(#[from] UnknownKey),
    /// Its value is not what its key promises.
    #[error("the control record {key:?} is not understood: {error}")]
    Value {
        /// The key.
        key: String,
        /// The fault.
        error: serde_json::Error,
    },
}

impl Entry {
    /// The record's key.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Hold(scope, _) => Key::Hold(scope.clone()),
            Self::Pause(direction, _) => Key::Pause(direction.clone()),
            Self::Release(direction, _) => Key::Release(direction.clone()),
            Self::Away(source, site, _) => Key::Away(source.clone(), site.clone()),
            Self::Identity(direction, _) => Key::Identity(direction.clone()),
            Self::Skipped(partition, direction, _) => Key::Skipped(partition.clone(), direction.clone()),
            Self::Guard(partition, direction, _) => Key::Guard(partition.clone(), direction.clone()),
            Self::Dirty(dirty) => Key::Dirty(dirty.bucket.clone()),
            Self::Unbroken(bucket, _) => Key::Unbroken(bucket.clone()),
            Self::Swept(direction, _) => Key::Swept(direction.clone()),
            Self::Sweep(direction, _) => Key::Sweep(direction.clone()),
            Self::Late(direction, _) => Key::Late(direction.clone()),
            Self::Topic(topic, _) => Key::Topic(topic.clone()),
            Self::Rewind(partition, _) => Key::Rewind(partition.clone()),
            Self::Stuck(partition, _) => Key::Stuck(partition.clone()),
            Self::Schema(schema) => Key::Schema(schema.fingerprint.clone()),
            Self::Standing(key, _) => Key::Standing(key.clone()),
        }
    }

    /// The record's value.
    ///
    /// # Errors
    /// None of these types lacks a form in JSON; the error is the library's.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Self::Hold(_, value) => serde_json::to_vec(value),
            Self::Pause(_, value) => serde_json::to_vec(value),
            Self::Release(_, value) => serde_json::to_vec(value),
            Self::Away(_, _, value) => serde_json::to_vec(value),
            Self::Identity(_, value) => serde_json::to_vec(value),
            Self::Skipped(_, _, value) => serde_json::to_vec(value),
            Self::Guard(_, _, value) => serde_json::to_vec(value),
            Self::Dirty(value) => serde_json::to_vec(value),
            Self::Unbroken(_, value) => serde_json::to_vec(value),
            Self::Swept(_, value) => serde_json::to_vec(value),
            Self::Sweep(_, value) => serde_json::to_vec(value),
            Self::Late(_, value) => serde_json::to_vec(value),
            Self::Topic(_, value) => serde_json::to_vec(value),
            Self::Rewind(_, value) => serde_json::to_vec(value),
            Self::Stuck(_, value) => serde_json::to_vec(value),
            Self::Schema(value) => value.to_json(),
            Self::Standing(_, value) => serde_json::to_vec(value),
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`EntryError::Key`] for what is not ours, which is no fault of the record's.
    pub fn read(key: &str, value: &[u8]) -> Result<Self, EntryError> {
        fn json<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, EntryError> {
            serde_json::from_slice(value).map_err(|error| EntryError::Value { key: key.to_owned(), error })
        }
        Ok(match key.parse()? {
            Key::Hold(scope) => Self::Hold(scope, json(key, value)?),
            Key::Pause(direction) => Self::Pause(direction, json(key, value)?),
            Key::Release(direction) => Self::Release(direction, json(key, value)?),
            Key::Away(source, site) => Self::Away(source, site, json(key, value)?),
            Key::Identity(direction) => Self::Identity(direction, json(key, value)?),
            Key::Skipped(partition, direction) => Self::Skipped(partition, direction, json(key, value)?),
            Key::Guard(partition, direction) => Self::Guard(partition, direction, json(key, value)?),
            Key::Dirty(_) => Self::Dirty(json(key, value)?),
            Key::Unbroken(bucket) => Self::Unbroken(bucket, json(key, value)?),
            Key::Swept(direction) => Self::Swept(direction, json(key, value)?),
            Key::Sweep(direction) => Self::Sweep(direction, json(key, value)?),
            Key::Late(direction) => Self::Late(direction, json(key, value)?),
            Key::Topic(topic) => Self::Topic(topic, json(key, value)?),
            Key::Rewind(partition) => Self::Rewind(partition, json(key, value)?),
            Key::Stuck(partition) => Self::Stuck(partition, json(key, value)?),
            Key::Schema(_) => Self::Schema(json(key, value)?),
            Key::Standing(standing) => Self::Standing(standing, json(key, value)?),
        })
    }
}
