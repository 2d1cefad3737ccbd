//! The stamps that capture gives. Pure.

use twinlog_index::{Said, VersionState};
use twinlog_schemas::{Basis, Category, FactBody, Retention, SiteName, Stamp, Tags};
use twinlog_site::ObjectReading;

use super::found::Stamps;

/// On what, and of when, a category is to be stamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grounds {
    /// The basis.
    pub basis: Basis,
    /// When it changed, nanoseconds since the Unix epoch.
    pub at_ns: i64,
}

/// One site's next stamp after what it has said: strictly later wherever the value is another, since of two stamps of
/// one site at one time only one can be kept.
#[must_use]
pub fn next<T: PartialEq>(before: Option<&Stamp<T>>, value: T, grounds: Grounds, site: &SiteName) -> Stamp<T> {
    let same_basis = before.filter(|before| before.basis == grounds.basis && before.value != value);
    let after = same_basis.map_or(i64::MIN, |before| before.changed_at_ns.saturating_add(1));
    Stamp { value, changed_at_ns: grounds.at_ns.max(after), site: site.clone(), basis: grounds.basis }
}

/// Stamps what was read in one category, as a fact and in the event's stamps.
pub fn stamp(
    category: Category,
    object: &ObjectReading,
    grounds: Grounds,
    said: &Said,
    site: &SiteName,
    stamps: &mut Stamps,
) -> Option<FactBody> {
    match category {
        Category::Tags => {
            let stamp: Stamp<Tags> = next(said.tags.as_ref(), object.tags.clone(), grounds, site);
            stamps.tags = Some(stamp.clone());
            Some(FactBody::Tags(stamp))
        }
        Category::Retention => {
            let before = said.retention.as_ref().map(|registers| &registers.latest);
            let stamp: Stamp<Option<Retention>> = next(before, object.retention, grounds, site);
            stamps.retention = Some(stamp.clone());
            Some(FactBody::Retention { latest: stamp, compliance: None })
        }
        Category::LegalHold => {
            let stamp = next(said.legal_hold.as_ref(), object.legal_hold, grounds, site);
            stamps.legal_hold = Some(stamp.clone());
            Some(FactBody::LegalHold(stamp))
        }
        Category::Unknown => None,
    }
}

/// The three categories, in the order in which their facts are written.
pub const CATEGORIES: [Category; 3] = [Category::Tags, Category::Retention, Category::LegalHold];

/// Whether a category of an object is empty: no tags, no retention in force, no legal hold.
#[must_use]
pub fn is_empty(category: Category, object: &ObjectReading, now_ns: i64) -> bool {
    match category {
        Category::Tags => object.tags.is_empty(),
        Category::Retention => !object.retention.is_some_and(|retention| retention.in_force(now_ns / 1_000_000)),
        Category::LegalHold => !object.legal_hold,
        Category::Unknown => true,
    }
}

/// Whether what was read in a category is explained by what is known.
#[must_use]
pub fn is_explained(
    category: Category,
    object: &ObjectReading,
    state: &VersionState,
    site: &SiteName,
    now_ns: i64,
) -> bool {
    match category {
        Category::Tags => state.explains_tags(&object.tags, site),
        Category::Retention => state.explains_retention(object.retention, site, now_ns / 1_000_000),
        Category::LegalHold => state.explains_legal_hold(object.legal_hold, site),
        Category::Unknown => true,
    }
}

/// Whether any site has said anything of a category.
#[must_use]
pub fn is_said(category: Category, state: &VersionState) -> bool {
    match category {
        Category::Tags => state.tags().is_some(),
        Category::Retention => state.retention().is_some(),
        Category::LegalHold => state.legal_hold().is_some(),
        Category::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Scenario: one site stamps one category again and again, with times as notices bring them.
        /// Guarantees: joined, its last reading holds.
        #[test]
        fn the_last_reading_of_a_site_is_what_its_facts_say(readings in prop::collection::vec((any::<bool>(), 0..20_i64), 1..10)) {
            let site: SiteName = "east".parse().unwrap();
            let mut held: Option<Stamp<bool>> = None;
            for (value, at_ns) in readings {
                let stamp = next(held.as_ref(), value, Grounds { basis: Basis::Known, at_ns }, &site);
                if held.as_ref().is_none_or(|held| twinlog_index::merge::compare(&stamp, held).is_gt()) {
                    held = Some(stamp);
                }
                prop_assert_eq!(held.as_ref().unwrap().value, value);
            }
        }
    }
}
