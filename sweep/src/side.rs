//! What one site lists of one key.

use std::collections::BTreeMap;

use twinlog_schemas::{Retention, SiteName, Tags, VersionId, VersionKind};

/// One site's versions of one key.
#[derive(Debug, Clone)]
pub struct Side<'a> {
    /// The site.
    pub site: &'a SiteName,
    /// What it lists, by version id.
    pub lines: BTreeMap<VersionId, Line>,
    /// Since when no notice of this site can have been lost, nanoseconds since the Unix epoch; `None` where that is not
    /// known of any time.
    pub unbroken_since_ns: Option<i64>,
    /// Versions born before this, nanoseconds since the Unix epoch, were there before anything was replicated into this
    /// site: `None` once the bucket was filled for the first time.
    pub filling_before_ns: Option<i64>,
}

/// How far back what a site told of the bucket is whole, as known at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Whole {
    /// As [`Side::unbroken_since_ns`].
    pub unbroken_since_ns: Option<i64>,
    /// As [`Side::filling_before_ns`].
    pub filling_before_ns: Option<i64>,
}

impl Side<'_> {
    /// Whether a removal here of a version born at `born_ms` would have been told: the millisecond itself is too late.
    pub(crate) fn would_have_told(&self, born_ms: i64) -> bool {
        self.unbroken_since_ns.is_some_and(|since| i128::from(since) < i128::from(born_ms) * 1_000_000)
    }

    /// Whether a version born at `born_ms` cannot have come here yet: the first back-fill is still to come.
    pub(crate) fn never_filled(&self, born_ms: i64) -> bool {
        self.filling_before_ns.is_some_and(|before| (i128::from(born_ms) + 1) * 1_000_000 <= i128::from(before))
    }
}

/// One version of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// OBJECT or DELETE_MARKER.
    pub kind: VersionKind,
    /// The modification time in milliseconds since the Unix epoch.
    pub modified_ms: i64,
    /// The ETag of an object.
    pub etag: Option<String>,
    /// What the listing shows of the attributes; what it does not show is not compared.
    pub attributes: Attributes,
}

/// The three categories, as far as they were listed or looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The tags.
    pub tags: Option<Tags>,
    /// The retention; one that has run out is given as none.
    pub retention: Option<Option<Retention>>,
    /// The legal hold.
    pub legal_hold: Option<bool>,
}

impl Attributes {
    /// Whether they agree in every category that both sides show.
    #[must_use]
    pub fn agree(&self, other: &Self) -> bool {
        fn same<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
            one.is_none() || other.is_none() || one == other
        }
        same(&self.tags, &other.tags)
            && same(&self.retention, &other.retention)
            && same(&self.legal_hold, &other.legal_hold)
    }
}
