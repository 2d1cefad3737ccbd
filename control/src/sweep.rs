//! The request to sweep a bucket: something that the log should have told of it is gone, and only a comparison of the two
//! sites finds what that was.

use serde::{Deserialize, Serialize};

/// Why a bucket has to be swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The log deleted records that nobody had read.
    RecordsLost,
    /// A topic was deleted and made anew.
    TopicRecreated,
    /// A reason of a newer release.
    #[serde(other)]
    Unknown,
}

impl Why {
    /// Every reason that this release gives.
    pub const ALL: &[Self] = &[Self::RecordsLost, Self::TopicRecreated];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RecordsLost => "records-lost",
            Self::TopicRecreated => "topic-recreated",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A bucket has to be swept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Why, as it was last found.
    pub why: Why,
    /// What was found last, in words.
    pub message: String,
    /// Since when, microseconds since the Unix epoch.
    pub since_us: i64,
    /// When something was found last, likewise: a sweep that began later has found what is gone.
    #[serde(default)]
    pub last_us: i64,
    /// How many records are gone unread, at least; 0 where that is not known. They may be of other buckets, where the
    /// topic is not of one bucket.
    pub records: i64,
}

impl Sweep {
    /// What a person does about it.
    pub const REMEDY: &'static str =
        "it is swept by itself, or at once by `twinlog sweep --bucket <bucket>`, which lists what vanished";
}
