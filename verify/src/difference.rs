//! What differs.

use std::fmt;

use serde::Serialize;
use twinlog_schemas::{ObjectKey, VersionId};

/// One thing that is not the same at both ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The key.
    pub key: ObjectKey,
    /// The version; none where it is about the key's versions together.
    pub version_id: Option<VersionId>,
    /// What differs, e.g. `legal hold`.
    pub what: String,
    /// Its value at the left end; none where there is none.
    pub left: Option<String>,
    /// Its value at the right end.
    pub right: Option<String>,
}

impl Difference {
    /// The difference in words.
    #[must_use]
    pub fn told<'a>(&'a self, left: &'a str, right: &'a str) -> impl fmt::Display + 'a {
        Told { difference: self, left, right }
    }
}

struct Told<'a> {
    difference: &'a Difference,
    left: &'a str,
    right: &'a str,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { key, version_id, what, left, right } = self.difference;
        write!(f, "{:?}", key.as_str())?;
        if let Some(id) = version_id {
            write!(f, " version {id}")?;
        }
        let value = |value: &Option<String>| value.as_ref().map_or("nothing".to_owned(), |value| format!("{value:?}"));
        write!(f, ": {what} is {} at {} and {} at {}", value(left), self.left, value(right), self.right)
    }
}
