//! The stamps that capture gives. Pure.

use twinlog_index::{Said, VersionState};
use twinlog_schemas::{Basis, Category, FactBody, Retention, SiteName, Stamp, StampRef, Tags};
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
/// one site at one time only one can be kept; the same as before where nothing new is told. `over` is the stamp that
/// had reached the site.
#[must_use]
pub fn next<T: PartialEq + Clone>(
    before: Option<&Stamp<T>>,
    value: T,
    grounds: Grounds,
    over: Option<StampRef>,
    site: &SiteName,
) -> Stamp<T> {
    let same_basis = before.filter(|before| before.basis == grounds.basis);
    if let Some(told) = same_basis.filter(|before| before.value == value && before.changed_at_ns >= grounds.at_ns) {
        return told.clone();
    }
    let after = same_basis.filter(|before| before.value != value).map(|before| before.changed_at_ns.saturating_add(1));
    let changed_at_ns = grounds.at_ns.max(after.unwrap_or(i64::MIN));
    let over = over.filter(|_| grounds.basis != Basis::Birth);
    Stamp { value, changed_at_ns, site: site.clone(), basis: grounds.basis, over }
}

/// Stamps what was read in one category, as a fact and in the event's stamps.
pub fn stamp(
    category: Category,
    object: &ObjectReading,
    grounds: Grounds,
    state: &VersionState,
    site: &SiteName,
    stamps: &mut Stamps,
) -> Option<FactBody> {
    let nothing = Said::default();
    let said = state.said_now(site).unwrap_or(&nothing);
    let over = state.reached(site, category);
    match category {
        Category::Tags => {
            let stamp: Stamp<Tags> = next(said.tags.as_ref(), object.tags.clone(), grounds, over, site);
            stamps.tags = Some(stamp.clone());
            Some(FactBody::Tags(stamp))
        }
        Category::Retention => {
            let before = said.retention.as_ref().map(|registers| &registers.latest);
            let stamp: Stamp<Option<Retention>> = next(before, object.retention, grounds, over, site);
            stamps.retention = Some(stamp.clone());
            Some(FactBody::Retention { latest: stamp, compliance: None })
        }
        Category::LegalHold => {
            let stamp = next(said.legal_hold.as_ref(), object.legal_hold, grounds, over, site);
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
                let stamp = next(held.as_ref(), value, Grounds { basis: Basis::Known, at_ns }, None, &site);
                if held.as_ref().is_none_or(|held| twinlog_index::merge::compare(&stamp, held).is_gt()) {
                    held = Some(stamp);
                }
                prop_assert_eq!(held.as_ref().unwrap().value, value);
            }
        }
    }
}
