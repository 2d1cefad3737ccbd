//! What a writer was told by its store: which versions it made, and which of them it removed again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::compare::Listing;

/// A version by its key and id.
type Version = (String, String);

/// The acknowledged births and removals of one writer, or of several together. Every version of the bucket has to be
/// accounted for in it once all writers' ledgers are together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Whether each is a marker.
    made: BTreeMap<Version, bool>,
    removed: BTreeSet<Version>,
}

/// Where a listing and a ledger differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unaccounted {
    /// Listed, and made by nobody.
    Stray(String),
    /// Listed, though its removal was acknowledged.
    Back(String),
    /// Made and not removed, and not listed.
    Lost(String),
    /// Listed twice, or as a marker though it was made as an object, or the other way round.
    Odd(String),
}

impl Ledger {
    pub(super) fn made(&mut self, key: &str, id: &str, marker: bool) {
        self.made.insert((key.to_owned(), id.to_owned()), marker);
    }

    pub(super) fn removed(&mut self, key: &str, id: &str) {
        self.removed.insert((key.to_owned(), id.to_owned()));
    }

    /// Adds what another writer did.
    pub fn absorb(&mut self, other: Self) {
        self.made.extend(other.made);
        self.removed.extend(other.removed);
    }

    /// How many versions and markers were made.
    #[must_use]
    pub fn births(&self) -> usize {
        self.made.len()
    }

    /// Whether this version was made as a marker; `None`: nobody made it.
    #[must_use]
    pub fn marker(&self, key: &str, id: &str) -> Option<bool> {
        self.made.get(&(key.to_owned(), id.to_owned())).copied()
    }

    /// Whether the removal of this version was acknowledged.
    #[must_use]
    pub fn is_removed(&self, key: &str, id: &str) -> bool {
        self.removed.contains(&(key.to_owned(), id.to_owned()))
    }

    /// Where a whole listing differs from what was acknowledged.
    #[must_use]
    pub fn unaccounted(&self, listing: &Listing) -> Vec<Unaccounted> {
        let mut listed = BTreeSet::new();
        let mut unaccounted = Vec::new();
        for line in listing.values().flatten() {
            let version = (line.key.clone(), line.id.clone());
            let told = told(&version);
            match self.made.get(&version) {
                None => unaccounted.push(Unaccounted::Stray(told.clone())),
                Some(_) if self.removed.contains(&version) => unaccounted.push(Unaccounted::Back(told.clone())),
                Some(marker) if *marker != line.marker => unaccounted.push(Unaccounted::Odd(told.clone())),
                Some(_) => {}
            }
            if !listed.insert(version) {
                unaccounted.push(Unaccounted::Odd(told));
            }
        }
        let left = self.made.keys().filter(|version| !self.removed.contains(*version) && !listed.contains(*version));
        unaccounted.extend(left.map(|version| Unaccounted::Lost(told(version))));
        unaccounted
    }
}

fn told((key, id): &Version) -> String {
    format!("{key:?} version {id}")
}

impl fmt::Display for Unaccounted {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stray(version) => write!(to, "{version} was made by no client"),
            Self::Back(version) => write!(to, "{version} is there although it was removed"),
            Self::Lost(version) => write!(to, "{version} is missing"),
            Self::Odd(version) => write!(to, "{version} is listed twice, or is not what was made"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Listed;

    fn line(id: &str, marker: bool) -> Listed {
        let (key, id) = ("k".to_owned(), id.to_owned());
        Listed { key, id, marker, modified_ms: 0, latest: false, etag: None, size: None }
    }

    #[test]
    fn whatever_is_not_as_acknowledged_is_told() {
        let mut ledger = Ledger::default();
        for (id, marker) in [("a", false), ("b", true), ("c", false), ("d", false), ("e", false)] {
            ledger.made("k", id, marker);
        }
        ledger.removed("k", "c");
        ledger.removed("k", "e");
        let as_told = Listing::from([("k".to_owned(), vec![line("a", false), line("b", true), line("d", false)])]);
        assert_eq!(ledger.unaccounted(&as_told), []);
        let lines = vec![line("a", true), line("b", true), line("b", true), line("c", false), line("x", true)];
        let told = |id: &str| format!("\"k\" version {id}");
        let expected = [
            Unaccounted::Odd(told("a")),
            Unaccounted::Odd(told("b")),
            Unaccounted::Back(told("c")),
            Unaccounted::Stray(told("x")),
            Unaccounted::Lost(told("d")),
        ];
        assert_eq!(ledger.unaccounted(&Listing::from([("k".to_owned(), lines)])), expected);
    }
}
