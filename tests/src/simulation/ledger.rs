//! What clients did, and what they were told of it: what the end is judged by.

use std::collections::{BTreeMap, BTreeSet};

use twinlog_schemas::{Category, ObjectKey, Tags, VersionRef};

/// Kept while clients act.
#[derive(Default)]
pub(super) struct Ledger {
    /// One line for each operation.
    pub operations: Vec<String>,
    /// Where each version with an id was born.
    pub born: BTreeMap<VersionRef, usize>,
    /// Versions with an id of whose removal a client was told.
    pub removed: BTreeSet<VersionRef>,
    /// Which categories of which version a client changed at which site, after birth.
    pub changed: BTreeSet<(VersionRef, Category, usize)>,
    /// What clients last made of the tags of a version.
    pub tags: BTreeMap<VersionRef, Tags>,
    /// What clients last made of the legal hold of a version.
    pub holds: BTreeMap<VersionRef, bool>,
    /// The ETag of what clients last wrote as the null version of a key.
    pub nulls: BTreeMap<ObjectKey, String>,
    /// Versions that an operator was to remove and that a lock keeps.
    pub kept: BTreeSet<VersionRef>,
}
