//! The keys of control records: kind and name, by which the topic is compacted.

use std::fmt;
use std::str::FromStr;

use twinlog_log::{TopicName, TopicPartition};
use twinlog_schemas::{BucketName, SiteName};

/// A bucket of the link from this site into ours.
pub type Direction = (SiteName, BucketName);

/// What a hold stops.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything from a source.
    Link(SiteName),
    /// One bucket from a source.
    Bucket(Direction),
}

impl Scope {
    /// The source.
    #[must_use]
    pub fn source(&self) -> &SiteName {
        match self {
            Self::Link(source) | Self::Bucket((source, _)) => source,
        }
    }

    /// The bucket, where it is one.
    #[must_use]
    pub fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::Link(_) => None,
            Self::Bucket((_, bucket)) => Some(bucket),
        }
    }
}

/// What a person was told of and is not over yet: which kind, of which source, bucket and reason. Words without `/`;
/// source and bucket are empty where nothing says which.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StandingKey {
    /// The kind's word, e.g. `hold`.
    pub kind: String,
    /// The source of the link.
    pub source: String,
    /// The bucket.
    pub bucket: String,
    /// The reason's word.
    pub reason: String,
}

/// A control record's key. `/` separates its parts: no name that stands in one can contain it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A [`crate::Hold`].
    Hold(Scope),
    /// A [`crate::Pause`].
    Pause(Direction),
    /// A [`crate::Release`].
    Release(Direction),
    /// An [`crate::Away`]: of the link from the first site, the second is away.
    Away(SiteName, SiteName),
    /// An [`crate::Identity`].
    Identity(Direction),
    /// A [`crate::Skipped`].
    Skipped(TopicPartition, Direction),
    /// A [`crate::Slice`] of a guard's count.
    Guard(TopicPartition, Direction),
    /// A [`crate::DirtyBucket`].
    Dirty(BucketName),
    /// An [`crate::Unbroken`].
    Unbroken(BucketName),
    /// A [`crate::Swept`].
    Swept(Direction),
    /// A [`crate::Sweep`].
    Sweep(Direction),
    /// A [`crate::Late`].
    Late(Direction),
    /// A [`crate::TopicSeen`].
    Topic(TopicName),
    /// A [`crate::Rewind`].
    Rewind(TopicPartition),
    /// A [`crate::Stuck`].
    Stuck(TopicPartition),
    /// A published schema, by its fingerprint in hexadecimal digits.
    Schema(String),
    /// A [`crate::Standing`].
    Standing(StandingKey),
}

impl Key {
    /// The partition whose offsets the record speaks of, where it does.
    #[must_use]
    pub fn partition(&self) -> Option<&TopicPartition> {
        match self {
            Self::Skipped(partition, _)
            | Self::Guard(partition, _)
            | Self::Rewind(partition)
            | Self::Stuck(partition) => Some(partition),
            _ => None,
        }
    }
}

/// A key that is none of ours, or a newer release's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no control record of this release has the key {0:?}")]
pub struct UnknownKey(pub String);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |f: &mut fmt::Formatter<'_>, kind, partition: &TopicPartition, (source, bucket): &Direction| {
            write!(f, "{kind}/{}/{}/{source}/{bucket}", partition.topic, partition.partition)
        };
        match self {
            Self::Hold(Scope::Link(source)) => write!(f, "hold/{source}"),
            Self::Hold(Scope::Bucket((source, bucket))) => write!(f, "hold/{source}/{bucket}"),
            Self::Pause((source, bucket)) => write!(f, "pause/{source}/{bucket}"),
            Self::Release((source, bucket)) => write!(f, "release/{source}/{bucket}"),
            Self::Away(source, site) => write!(f, "away/{source}/{site}"),
            Self::Identity((source, bucket)) => write!(f, "identity/{source}/{bucket}"),
            Self::Skipped(partition, direction) => at(f, "skipped", partition, direction),
            Self::Guard(partition, direction) => at(f, "guard", partition, direction),
            Self::Dirty(bucket) => write!(f, "dirty/{bucket}"),
            Self::Unbroken(bucket) => write!(f, "unbroken/{bucket}"),
            Self::Swept((other, bucket)) => write!(f, "swept/{other}/{bucket}"),
            Self::Sweep((source, bucket)) => write!(f, "sweep/{source}/{bucket}"),
            Self::Late((source, bucket)) => write!(f, "late/{source}/{bucket}"),
            Self::Topic(topic) => write!(f, "topic/{topic}"),
            Self::Rewind(partition) => write!(f, "rewind/{partition}"),
            Self::Stuck(partition) => write!(f, "stuck/{partition}"),
            Self::Schema(fingerprint) => write!(f, "schema/{fingerprint}"),
            Self::Standing(StandingKey { kind, source, bucket, reason }) => {
                write!(f, "standing/{kind}/{source}/{bucket}/{reason}")
            }
        }
    }
}

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, UnknownKey> {
        parse(text).ok_or_else(|| UnknownKey(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Key> {
    let parts: Vec<&str> = text.split('/').collect();
    let site = |name: &str| SiteName::new(name).ok();
    let direction = |source: &str, bucket: &str| Some((site(source)?, BucketName::new(bucket).ok()?));
    let partition = |topic: &str, number: &str| {
        Some(TopicPartition { topic: TopicName::new(topic).ok()?, partition: number.parse().ok()? })
    };
    Some(match *parts.as_slice() {
        ["hold", source] => Key::Hold(Scope::Link(site(source)?)),
        ["hold", source, bucket] => Key::Hold(Scope::Bucket(direction(source, bucket)?)),
        ["pause", source, bucket] => Key::Pause(direction(source, bucket)?),
        ["release", source, bucket] => Key::Release(direction(source, bucket)?),
        ["away", source, end] => Key::Away(site(source)?, site(end)?),
        ["identity", source, bucket] => Key::Identity(direction(source, bucket)?),
        ["skipped", topic, number, source, bucket] => {
            Key::Skipped(partition(topic, number)?, direction(source, bucket)?)
        }
        ["guard", topic, number, source, bucket] => Key::Guard(partition(topic, number)?, direction(source, bucket)?),
        ["sweep", source, bucket] => Key::Sweep(direction(source, bucket)?),
        ["late", source, bucket] => Key::Late(direction(source, bucket)?),
        ["topic", topic] => Key::Topic(TopicName::new(topic).ok()?),
        ["rewind", topic, number] => Key::Rewind(partition(topic, number)?),
        ["stuck", topic, number] => Key::Stuck(partition(topic, number)?),
        ["dirty", bucket] => Key::Dirty(BucketName::new(bucket).ok()?),
        ["unbroken", bucket] => Key::Unbroken(BucketName::new(bucket).ok()?),
        ["swept", other, bucket] => Key::Swept(direction(other, bucket)?),
        ["schema", fingerprint] => Key::Schema(fingerprint.to_owned()),
        ["standing", kind, source, bucket, reason] => Key::Standing(StandingKey {
            kind: kind.to_owned(),
            source: source.to_owned(),
            bucket: bucket.to_owned(),
            reason: reason.to_owned(),
        }),
        _ => return None,
    })
}
