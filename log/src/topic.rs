//! Topic names and what Twinlog wants of each topic.

use std::fmt;
use std::sync::Arc;

use twinlog_schemas::{BucketName, SiteName};

/// A topic name, checked against Kafka's rules (1 to 249 characters of `a-zA-Z0-9._-`, not `.` or `..`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// Why a topic name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("topic name {name:?} is not allowed: {why}")]
pub struct TopicNameError {
    /// The name.
    pub name: String,
    /// The rule it breaks.
    pub why: &'static str,
}

impl TopicName {
    /// Checks and wraps a name.
    pub fn new(name: impl Into<String>) -> Result<Self, TopicNameError> {
        let name = name.into();
        let refuse = |why| Err(TopicNameError { name: name.clone(), why });
        if name.is_empty() || name.len() > 249 {
            return refuse("Kafka allows 1 to 249 characters");
        }
        if name == "." || name == ".." {
            return refuse("'.' and '..' are reserved");
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            return refuse("Kafka allows a-z, A-Z, 0-9, '.', '_' and '-'");
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// The partition, from 0.
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// Names of Twinlog's topics under one prefix; the only place where they are spelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    prefix: String,
}

impl Topics {
    /// Topic names under `prefix` (default `twinlog`). The prefix and the longest names are checked here.
    pub fn new(prefix: impl Into<String>) -> Result<Self, TopicNameError> {
        let prefix = prefix.into();
        TopicName::new(prefix.clone())?;
        if prefix.len() > 100 {
            return Err(TopicNameError { name: prefix, why: "a prefix may have at most 100 characters" });
        }
        Ok(Self { prefix })
    }

    fn of_site(&self, kind: &str, site: &SiteName) -> TopicName {
        TopicName(format!("{}.{kind}.{site}", self.prefix).into())
    }

    /// Notices as received at a site.
    #[must_use]
    pub fn notices(&self, site: &SiteName) -> TopicName {
        self.of_site("notices", site)
    }

    /// A bucket's change events at a site. At most 100 + 9 + 32 + 63 characters: always within Kafka's limit.
    #[must_use]
    pub fn changes(&self, site: &SiteName, bucket: &BucketName) -> TopicName {
        TopicName(format!("{}.changes.{site}.{bucket}", self.prefix).into())
    }

    /// The bucket whose change topic at `site` this is, if it is one: the inverse of [`Topics::changes`].
    #[must_use]
    pub fn bucket_of_changes(&self, site: &SiteName, topic: &TopicName) -> Option<BucketName> {
        let rest = topic.as_str().strip_prefix(&self.prefix)?.strip_prefix(".changes.")?;
        let bucket = rest.strip_prefix(site.as_str())?.strip_prefix('.')?;
        BucketName::new(bucket).ok()
    }

    /// Whose facts or change events a topic holds, and of which bucket; `None` for topics of other kinds.
    #[must_use]
    pub fn source_of(&self, topic: &TopicName) -> Option<(SiteName, Option<BucketName>)> {
        let rest = topic.as_str().strip_prefix(&self.prefix)?;
        if let Some(site) = rest.strip_prefix(".facts.") {
            return Some((SiteName::new(site).ok()?, None));
        }
        // No site's name has a dot in it.
        let (site, bucket) = rest.strip_prefix(".changes.")?.split_once('.')?;
        Some((SiteName::new(site).ok()?, Some(BucketName::new(bucket).ok()?)))
    }

    /// The site of whose notices this is the topic.
    #[must_use]
    pub fn notified(&self, topic: &TopicName) -> Option<SiteName> {
        SiteName::new(topic.as_str().strip_prefix(&self.prefix)?.strip_prefix(".notices.")?).ok()
    }

    /// A site's facts.
    #[must_use]
    pub fn facts(&self, site: &SiteName) -> TopicName {
        self.of_site("facts", site)
    }

    /// Receipts of what was written into a site.
    #[must_use]
    pub fn receipts(&self, site: &SiteName) -> TopicName {
        self.of_site("receipts", site)
    }

    /// Dead letters of the writes into a site.
    #[must_use]
    pub fn dead(&self, site: &SiteName) -> TopicName {
        self.of_site("dead", site)
    }

    /// The dead letters' states.
    #[must_use]
    pub fn dead_state(&self, site: &SiteName) -> TopicName {
        self.of_site("dead-state", site)
    }

    /// The lanes of the consumers beside a site.
    #[must_use]
    pub fn lanes(&self, site: &SiteName) -> TopicName {
        self.of_site("lanes", site)
    }

    /// What operators are told.
    #[must_use]
    pub fn events(&self, site: &SiteName) -> TopicName {
        self.of_site("events", site)
    }

    /// Holds, dirty buckets, checkpoints, schemas of a site.
    #[must_use]
    pub fn control(&self, site: &SiteName) -> TopicName {
        self.of_site("control", site)
    }

    /// A consumer group's id: the prefix, the site and the purpose, e.g. `twinlog.west.apply`.
    #[must_use]
    pub fn group(&self, site: &SiteName, purpose: &str) -> String {
        format!("{}.{site}.{purpose}", self.prefix)
    }
}

/// How a topic sheds old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// By age and size.
    Delete,
    /// The last record of each key stays.
    Compact,
    /// Both.
    CompactDelete,
}

/// What a topic is created with, and verified against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// The name.
    pub name: TopicName,
    /// The number of partitions.
    pub partitions: i32,
    /// The replication factor.
    pub replication_factor: i32,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `cleanup.policy`.
    pub cleanup: Cleanup,
    /// `retention.ms`; -1 keeps for ever.
    pub retention_ms: i64,
    /// `retention.bytes` per partition; -1 is unlimited. Always set, so that the broker's default never decides.
    pub retention_bytes: i64,
    /// `max.message.bytes`.
    pub max_message_bytes: i32,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// The number of partitions.
    pub partitions: i32,
    /// The replication factor of the first partition.
    pub replication_factor: i32,
}

/// Which topic it is, beyond its name: one that was deleted and made anew under the same name is another one. The
/// cluster's own id of it (KIP-516).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub u128);

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::str::FromStr for TopicId {
    type Err = std::num::ParseIntError;

    fn from_str(hex: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(hex, 16).map(Self)
    }
}

/// What a topic keeps, as the cluster has it now. `None` is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Milliseconds by age.
    pub ms: Option<i64>,
    /// Bytes of one partition.
    pub bytes: Option<i64>,
}
