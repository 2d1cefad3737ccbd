//! What a comparison found.

use std::collections::BTreeSet;

use twinlog_schemas::ObjectKey;

use crate::difference::Difference;
use crate::tie::Tie;

/// The differences that are kept; the others are counted.
const KEPT: usize = 10_000;
/// The ties that are kept; the others are counted.
const TIES: usize = 1_000;
/// The differing keys that are kept, to be looked at again.
const KEYS: usize = 100_000;

/// What was looked at, and what differs. Its size is bounded whatever the buckets hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Versions and markers that at least one of the two has.
    pub versions: u64,
    /// Bytes of bodies that were read and compared, at one end.
    pub bytes: u64,
    /// Objects whose bodies were not read though bodies were wished: larger than wished.
    pub unread: u64,
    /// Groups of versions in another order only because their times tie across the sites.
    pub ties: u64,
    /// The first of them.
    pub tied: Vec<Tie>,
    /// How many differences there are.
    pub differing: u64,
    /// The first of them, by key.
    pub differences: Vec<Difference>,
    /// The keys that differ, as far as they are kept.
    pub(crate) keys: BTreeSet<ObjectKey>,
    /// Whether there are more than are kept.
    pub(crate) keys_left_off: bool,
}

impl Report {
    /// Whether nothing differs.
    #[must_use]
    pub fn equal(&self) -> bool {
        self.differing == 0
    }

    /// The differing keys; none where there are too many to be kept.
    pub(crate) fn again(&self) -> Option<&BTreeSet<ObjectKey>> {
        (!self.keys_left_off).then_some(&self.keys)
    }

    pub(crate) fn differs(&mut self, difference: Difference) {
        self.differing += 1;
        if self.keys.len() < KEYS {
            self.keys.insert(difference.key.clone());
        } else {
            self.keys_left_off |= !self.keys.contains(&difference.key);
        }
        if self.differences.len() < KEPT {
            self.differences.push(difference);
        }
    }

    /// Adds what was found elsewhere, or later in the same bucket.
    pub fn absorb(&mut self, other: Report) {
        self.versions += other.versions;
        self.bytes += other.bytes;
        self.unread += other.unread;
        self.ties += other.ties;
        self.tied.extend(other.tied);
        self.tied.truncate(TIES);
        let left_off = other.differing - other.differences.len() as u64;
        self.differing += left_off;
        self.keys_left_off |= other.keys_left_off;
        for difference in other.differences {
            self.differs(difference);
        }
        for key in other.keys {
            if self.keys.len() < KEYS {
                self.keys.insert(key);
            } else {
                self.keys_left_off |= !self.keys.contains(&key);
            }
        }
    }

    /// What is now found of the keys that differed takes the place of what was.
    pub(crate) fn replace(&mut self, again: Report) {
        let Report { differing, differences, keys, keys_left_off, .. } = again;
        *self = Report { differing, differences, keys, keys_left_off, ..std::mem::take(self) };
    }
}
