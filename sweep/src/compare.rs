//! The comparison.

use std::collections::{BTreeMap, BTreeSet};

use twinlog_index::{Said, VersionState};
use twinlog_schemas::{NullState, SiteName, VersionId};

use crate::finding::{Finding, What};
use crate::side::{Line, Side};

/// What becomes of a version that one site lacks and of which nothing says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is listed as vanished.
    Listed,
    /// It is created: an operator says that it never came.
    Created,
    /// It is removed: an operator says that it was removed where it is lacking.
    Removed,
}

/// Compares one key at two sites; `known` is what the index says of its versions. In the order of version ids.
#[must_use]
pub fn compare(
    one: &Side<'_>,
    other: &Side<'_>,
    known: &BTreeMap<VersionId, VersionState>,
    missing: Missing,
) -> Vec<Finding> {
    let ids: BTreeSet<&VersionId> = one.lines.keys().chain(other.lines.keys()).collect();
    let nothing = VersionState::default();
    let found = ids.into_iter().filter_map(|id| {
        let state = known.get(id).unwrap_or(&nothing);
        let what = match (one.lines.get(id), other.lines.get(id)) {
            (Some(here), Some(there)) => differs(here, there).then(|| What::Differs { sites: sites(one, other) }),
            (Some(line), None) => Some(absent(id, one, line, other, state, missing)),
            (None, Some(line)) => Some(absent(id, other, line, one, state, missing)),
            (None, None) => None,
        };
        what.map(|what| Finding { version_id: id.clone(), what })
    });
    found.collect()
}

fn sites(one: &Side<'_>, other: &Side<'_>) -> [SiteName; 2] {
    [one.site.clone(), other.site.clone()]
}

fn differs(one: &Line, other: &Line) -> bool {
    one.kind != other.kind
        || one.modified_ms != other.modified_ms
        || one.etag != other.etag
        || !one.attributes.agree(&other.attributes)
}

/// A version that `holder` lists and `lacking` does not.
fn absent(
    id: &VersionId,
    holder: &Side<'_>,
    line: &Line,
    lacking: &Side<'_>,
    state: &VersionState,
    missing: Missing,
) -> What {
    if id.is_null() {
        return absent_null(holder, line, lacking, state, missing);
    }
    if state.removed().is_some() {
        return What::Left { gone_at: lacking.site.clone() };
    }
    let elsewhere = was_at(lacking.site, state) || state.written.contains_key(holder.site);
    never_came(holder, line, lacking, elsewhere, missing)
}

/// Whether the version is known to have been at a site.
fn was_at(site: &SiteName, state: &VersionState) -> bool {
    let stamped = |said: &Said| said.tags.is_some() || said.retention.is_some() || said.legal_hold.is_some();
    state.written.contains_key(site) || state.said.get(site).is_some_and(stamped)
}

/// The null version is one register: whoever is older is told of the newer.
fn absent_null(holder: &Side<'_>, line: &Line, lacking: &Side<'_>, state: &VersionState, missing: Missing) -> What {
    let removed = state.null().filter(|register| register.state == NullState::Removed);
    match removed {
        Some(gone) if gone.at_ns.div_euclid(1_000_000) >= line.modified_ms => {
            What::Left { gone_at: lacking.site.clone() }
        }
        _ => never_came(holder, line, lacking, false, missing),
    }
}

/// `elsewhere`: the version is known to have been where it is lacking, or was written here by replication, so that it was
/// born elsewhere. Then its absence is a removal of which nobody was told, unless a third site has it still: that one
/// says so in a sweep of its own.
fn never_came(holder: &Side<'_>, line: &Line, lacking: &Side<'_>, elsewhere: bool, missing: Missing) -> What {
    let at = holder.site.clone();
    let told = lacking.would_have_told(line.modified_ms) || lacking.never_filled(line.modified_ms);
    match missing {
        _ if told && !elsewhere => What::Missing { at },
        Missing::Listed => What::Vanished { at },
        Missing::Created => What::Missing { at },
        Missing::Removed => What::GivenUp { gone_at: lacking.site.clone() },
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;
    use twinlog_schemas::{EventId, Fact, FactBody, NullRegister, Receipt, Removal, VersionKind, VersionRef, Wrote};

    use super::*;
    use crate::finding::Leave;
    use crate::side::Attributes;

    const BORN_MS: i64 = 1_000;

    fn name(name: &str) -> SiteName {
        name.parse().expect("a site name")
    }

    fn id(id: &str) -> VersionId {
        id.parse().expect("a version id")
    }

    fn line(modified_ms: i64, etag: &str) -> Line {
        let etag = Some(etag.to_owned());
        Line { kind: VersionKind::Object, modified_ms, etag, attributes: Attributes::default() }
    }

    fn side<'a>(site: &'a SiteName, lines: &[(&str, Line)], unbroken_since_ns: Option<i64>) -> Side<'a> {
        let lines = lines.iter().map(|(v, line)| (id(v), line.clone())).collect();
        Side { site, lines, unbroken_since_ns, filling_before_ns: None }
    }

    fn said(version: &str, body: FactBody) -> BTreeMap<VersionId, VersionState> {
        let mut state = VersionState::default();
        state.merge_fact(&Fact {
            event_id: EventId::new(1, [0; 10]),
            site: name("west"),
            bucket: "bucket".parse().expect("a bucket"),
            key: "key".parse().expect("a key"),
            version_id: id(version),
            said_at_ns: 1,
            of: None,
            body,
        });
        [(id(version), state)].into()
    }

    /// What is found of version `v`, held by east and lacking in west.
    fn lacking(
        version: &str,
        unbroken_since_ns: Option<i64>,
        known: &BTreeMap<VersionId, VersionState>,
        missing: Missing,
    ) -> What {
        let (east, west) = (name("east"), name("west"));
        let one = side(&east, &[(version, line(BORN_MS, "e"))], Some(0));
        let found = compare(&one, &side(&west, &[], unbroken_since_ns), known, missing);
        let again = compare(&side(&west, &[], unbroken_since_ns), &one, known, missing);
        assert_eq!(found, again, "whoever is named first");
        found.into_iter().next().expect("a finding").what
    }

    #[test]
    fn what_is_lacking_is_created_only_if_its_removal_would_have_been_told() {
        let nothing = BTreeMap::new();
        let missing = What::Missing { at: name("east") };
        let vanished = What::Vanished { at: name("east") };
        assert_eq!(lacking("v", Some(BORN_MS * 1_000_000 - 1), &nothing, Missing::Listed), missing);
        assert_eq!(lacking("v", Some(BORN_MS * 1_000_000), &nothing, Missing::Listed), vanished);
        assert_eq!(lacking("v", None, &nothing, Missing::Listed), vanished);
        assert_eq!(lacking("v", None, &nothing, Missing::Created), missing);
    }

    /// What receipts say was written into `site`.
    fn written(site: &str) -> BTreeMap<VersionId, VersionState> {
        let (bucket, key) = ("bucket".parse().expect("a bucket"), "key".parse().expect("a key"));
        let version = VersionRef { bucket, key, version_id: id("v") };
        let sites = [name("elsewhere"), name(site)];
        let mut state = VersionState::default();
        state.merge_receipt(&Receipt::of(Wrote::Object, version, EventId::new(1, [0; 10]), sites, 1));
        [(id("v"), state)].into()
    }

    #[test]
    fn what_has_been_at_both_sites_is_not_created_by_itself() {
        for site in ["east", "west"] {
            let known = written(site);
            assert_eq!(lacking("v", Some(0), &known, Missing::Listed), What::Vanished { at: name("east") }, "{site}");
            assert_eq!(lacking("v", Some(0), &known, Missing::Created), What::Missing { at: name("east") }, "{site}");
        }
        let given_up = lacking("v", Some(0), &written("east"), Missing::Removed);
        assert_eq!(given_up, What::GivenUp { gone_at: name("west") });
        let missing = lacking("v", Some(0), &BTreeMap::new(), Missing::Removed);
        assert_eq!(missing, What::Missing { at: name("east") }, "what never came is not given up");
    }

    #[test]
    fn a_first_back_fill_creates_what_is_older_than_the_record() {
        let (east, west) = (name("east"), name("west"));
        let one = side(&east, &[("v", line(BORN_MS, "e"))], None);
        let found = |filling_before_ns| {
            let other = Side { filling_before_ns, ..side(&west, &[], None) };
            compare(&one, &other, &BTreeMap::new(), Missing::Listed).remove(0).what
        };
        assert_eq!(found(Some(BORN_MS * 1_000_000 + 1_000_000)), What::Missing { at: east.clone() });
        assert_eq!(found(Some(BORN_MS * 1_000_000)), What::Vanished { at: east.clone() });
    }

    #[test]
    fn what_was_removed_is_told_again_whatever_an_operator_says() {
        let removal = Removal { removed_at_ns: 5, cause: String::new(), lifecycle: false, locks_seen: None };
        let known = said("v", FactBody::Removed(removal));
        for missing in [Missing::Listed, Missing::Created, Missing::Removed] {
            assert_eq!(lacking("v", Some(0), &known, missing), What::Left { gone_at: name("west") });
        }
    }

    #[test]
    fn a_null_version_newer_than_its_removal_is_not_left_over() {
        let removed = |at_ms: i64| {
            let at_ns = at_ms * 1_000_000 + 999_999;
            said(
                "null",
                FactBody::Null(NullRegister {
                    state: NullState::Removed,
                    at_ns,
                    site: name("west"),
                    etag: None,
                    over: None,
                }),
            )
        };
        assert_eq!(lacking("null", Some(0), &removed(BORN_MS), Missing::Listed), What::Left { gone_at: name("west") });
        assert_eq!(
            lacking("null", Some(0), &removed(BORN_MS - 1), Missing::Listed),
            What::Missing { at: name("east") }
        );
    }

    #[test]
    fn a_difference_is_looked_at_on_both_sides_and_creates_nothing() {
        let (east, west) = (name("east"), name("west"));
        let tagged = |tags: &[(&str, &str)]| {
            let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Line { attributes: Attributes { tags: Some(tags), ..Attributes::default() }, ..line(BORN_MS, "e") }
        };
        let one = side(&east, &[("v", tagged(&[("a", "1")]))], None);
        for (there, asks) in [(tagged(&[("a", "2")]), 2), (tagged(&[("a", "1")]), 0), (line(BORN_MS, "e"), 0)] {
            let found = compare(&one, &side(&west, &[("v", there)], None), &BTreeMap::new(), Missing::Created);
            let asked: Vec<_> = found.iter().flat_map(Finding::asks).collect();
            assert_eq!(asked.len(), asks);
            assert!(asked.iter().all(|ask| ask.leave == Leave::ToLook));
        }
    }

    proptest! {
        /// Equal listings: nothing is found. And whatever is found of a version that the index says was removed, nobody
        /// gets leave to create it.
        #[test]
        fn equal_sides_agree_and_the_removed_is_never_created(
            versions in prop::collection::btree_map("[a-z]{1,3}", (0..3_i64, "[ab]"), 0..6),
            others in prop::collection::btree_map("[a-z]{1,3}", (0..3_i64, "[ab]"), 0..6),
            since in prop::option::of(0..3_000_000_i64),
        ) {
            let (east, west) = (name("east"), name("west"));
            let lines = |of: &BTreeMap<String, (i64, String)>| -> BTreeMap<VersionId, Line> {
                of.iter().map(|(v, (ms, etag))| (id(v), line(*ms, etag))).collect()
            };
            let of = |site, held| Side { site, lines: lines(held), unbroken_since_ns: since, filling_before_ns: since };
            let (one, same) = (of(&east, &versions), of(&west, &versions));
            prop_assert!(compare(&one, &same, &BTreeMap::new(), Missing::Listed).is_empty());
            let removal = Removal { removed_at_ns: 5, cause: String::new(), lifecycle: false, locks_seen: None };
            let mut known = BTreeMap::new();
            for version in versions.keys().chain(others.keys()) {
                known.extend(said(version, FactBody::Removed(removal.clone())));
            }
            let other = of(&west, &others);
            for missing in [Missing::Listed, Missing::Created, Missing::Removed] {
                let found = compare(&one, &other, &known, missing);
                prop_assert!(found.iter().flat_map(Finding::asks).all(|ask| ask.leave == Leave::ToLook));
            }
        }
    }
}
