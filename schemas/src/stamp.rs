//! Stamps: what one site said of one category of a version, and when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::SiteName;

/// The tag set of a version; empty is "no tags".
pub type Tags = BTreeMap<String, String>;

/// A category of a version that can change after its birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Category {
    /// The tag set.
    Tags,
    /// Object-lock retention.
    Retention,
    /// Object-lock legal hold.
    LegalHold,
    /// A symbol that a newer release wrote.
    #[serde(other)]
    Unknown,
}

/// On what a stamp rests. The order is the order of strength: `Known` beats `Unknown` beats `Birth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Basis {
    /// The value was there when the version was born.
    Birth,
    /// The value was found and nothing explains it; when it changed is not known.
    Unknown,
    /// A notice told of the change and of its time.
    Known,
}

/// The value of one category with the time, site and basis that decide between two of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp<T> {
    /// The value as read at the site.
    pub value: T,
    /// When it changed there, in nanoseconds since the Unix epoch.
    pub changed_at_ns: i64,
    /// The site that said so.
    pub site: SiteName,
    /// On what this rests.
    pub basis: Basis,
    /// The stamp that this value took the place of at its site, as far as that site knew. A greater one of another site
    /// had not been seen there: whichever of the two wins, a conflict was decided.
    #[serde(default)]
    pub over: Option<StampRef>,
}

/// A stamp, named by what decides between two of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StampRef {
    /// When the value changed there, in nanoseconds since the Unix epoch.
    pub changed_at_ns: i64,
    /// The site that said so.
    pub site: SiteName,
    /// On what it rests.
    pub basis: Basis,
}

impl<T> Stamp<T> {
    /// The stamp by name.
    #[must_use]
    pub fn named(&self) -> StampRef {
        StampRef { changed_at_ns: self.changed_at_ns, site: self.site.clone(), basis: self.basis }
    }
}

impl StampRef {
    /// Whether whoever had seen this stamp knows of the other one: it is the same, or one that this one beats. Of two
    /// UNKNOWNs only the same, since their times say nothing.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let rank = |stamp: &Self| (stamp.basis, stamp.changed_at_ns, stamp.site.clone());
        self == other || (other.basis, self.basis) != (Basis::Unknown, Basis::Unknown) && rank(self) > rank(other)
    }

    /// The greater of two, if there are any: KNOWN over UNKNOWN over BIRTH, then the later, then the greater site name.
    #[must_use]
    pub fn greater(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let rank = |stamp: &Self| (stamp.basis, stamp.changed_at_ns, stamp.site.clone());
        one.into_iter().chain(other).max_by_key(rank)
    }
}

/// The locks that a site had when a version was removed there. Its store let the version go, so whatever they were,
/// they had been lifted, had run out, or were bypassed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LocksSeen {
    /// The greatest retention stamp that had reached the site.
    pub retention: Option<StampRef>,
    /// The greatest legal hold stamp that had reached the site.
    pub legal_hold: Option<StampRef>,
}

/// S3 object-lock retention modes; `Compliance` can only be extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RetentionMode {
    /// May be shortened or lifted with the bypass permission.
    Governance,
    /// May be extended only, by anybody.
    Compliance,
}

/// Object-lock retention: until when, and how strictly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Retention {
    /// The mode.
    pub mode: RetentionMode,
    /// Retain-until date in milliseconds since the Unix epoch.
    pub until_ms: i64,
}

impl Retention {
    /// Whether the lock is in force at `now_ms`; an expired retention equals none.
    #[must_use]
    pub fn in_force(&self, now_ms: i64) -> bool {
        self.until_ms > now_ms
    }
}
