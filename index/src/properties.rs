//! Properties of the rules of convergence: any order, any repetition, the same result.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cmp::Ordering;

use proptest::prelude::*;
use twinlog_schemas::{
    Basis, Fact, FactBody, NullState, Receipt, Retention, RetentionMode, RetentionWritten, SiteName, Stamp, Tags,
    UploadBegun, Wrote, arbitrary,
};

use crate::index::Merge;
use crate::merge::{RetentionRegisters, compare, compare_compliance, compare_null, compare_removal};
use crate::state::VersionState;

/// Facts and receipts about one version, the null version or another.
fn records(most: usize) -> impl Strategy<Value = Vec<Merge>> {
    let record = prop_oneof![
        4 => arbitrary::fact().prop_map(Merge::Fact),
        1 => (arbitrary::receipt(), arbitrary::time_ns()).prop_map(|(mut receipt, at)| {
            receipt.written_at_ns = at;
            Merge::Receipt(receipt)
        }),
    ];
    (proptest::collection::vec(record, 0..most), any::<bool>()).prop_map(|(mut records, null)| {
        for record in &mut records {
            place(record, if null { "null" } else { "v1" });
        }
        records
    })
}

fn place(record: &mut Merge, id: &str) {
    let (bucket, key, version_id) = ("photos".parse().unwrap(), "a".parse().unwrap(), id.parse().unwrap());
    match record {
        Merge::Fact(fact) => (fact.bucket, fact.key, fact.version_id) = (bucket, key, version_id),
        Merge::Receipt(receipt) => (receipt.bucket, receipt.key, receipt.version_id) = (bucket, key, version_id),
    }
}

fn merged<'a>(records: impl IntoIterator<Item = &'a Merge>) -> VersionState {
    let mut state = VersionState::default();
    records.into_iter().for_each(|record| {
        record.into_state(&mut state);
    });
    state
}

/// Asserts that an order is total: one of three things agrees with every other pair of them.
fn total<T: PartialEq>(items: &[T; 3], order: impl Fn(&T, &T) -> Ordering) -> Result<(), TestCaseError> {
    for one in items {
        for other in items {
            prop_assert_eq!(order(one, other), order(other, one).reverse());
            prop_assert_eq!(order(one, other).is_eq(), one == other);
            for third in items {
                if order(one, other).is_le() && order(other, third).is_le() {
                    prop_assert!(order(one, third).is_le());
                }
            }
        }
    }
    Ok(())
}

fn registers() -> impl Strategy<Value = RetentionRegisters> {
    arbitrary::fact_body().prop_filter_map("retention", |body| match body {
        FactBody::Retention { latest, compliance } => Some(RetentionRegisters::new(latest, compliance)),
        _ => None,
    })
}

fn joined(one: &RetentionRegisters, other: &RetentionRegisters) -> RetentionRegisters {
    let mut joined = one.clone();
    joined.join(other);
    joined
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_stamps_is_total(
        tags in prop::array::uniform3(arbitrary::stamp(arbitrary::tags())),
        locks in prop::array::uniform3(arbitrary::stamp(proptest::option::of(arbitrary::retention()))),
        holds in prop::array::uniform3(arbitrary::stamp(any::<bool>())),
        nulls in prop::array::uniform3(arbitrary::null_register()),
    ) {
        total(&tags, compare)?;
        total(&locks, compare)?;
        total(&locks, compare_compliance)?;
        total(&holds, compare)?;
        total(&nulls, compare_null)?;
    }

    #[test]
    fn retention_registers_join(one in registers(), other in registers(), third in registers()) {
        prop_assert_eq!(joined(&one, &other), joined(&other, &one));
        prop_assert_eq!(joined(&joined(&one, &other), &third), joined(&one, &joined(&other, &third)));
        prop_assert_eq!(joined(&one, &one), one.clone());
        prop_assert!(!one.clone().join(&one));
    }

    /// Scenario: facts and receipts of all sites come in another order, some of them twice.
    /// Guarantees: the same state, so the same answers.
    #[test]
    fn any_order_and_repetition_is_the_same((told, again) in records(12).prop_flat_map(|told| {
        let repeated = told.iter().chain(told.iter().take(4)).cloned().collect::<Vec<_>>();
        (Just(told), Just(repeated).prop_shuffle())
    })) {
        prop_assert_eq!(merged(&told), merged(&again));
    }

    #[test]
    fn a_merge_says_whether_it_changed_anything(told in records(8), last in records(2)) {
        let before = merged(&told);
        let mut after = before.clone();
        for record in &last {
            let changed = record.into_state(&mut after);
            prop_assert!(!record.into_state(&mut after), "a second time is never new");
            prop_assert!(changed || after.tags() == before.tags() || last.len() > 1);
        }
        prop_assert!(after.last_said_at_ns() >= before.last_said_at_ns());
    }

    #[test]
    fn removed_is_terminal(told in records(8), more in records(8)) {
        let mut state = merged(&told);
        let removed = state.removed();
        more.iter().for_each(|record| { record.into_state(&mut state); });
        prop_assert!(removed.is_none() || state.removed().is_some_and(|now| compare_removal(&now, &removed.unwrap()).is_ge()));
        prop_assert_eq!(state.removed().is_some(), state.removed_at().is_some());
    }

    /// Scenario: each capture writes the join of what its site has said, and compaction keeps the last of each kind.
    /// Guarantees: whoever reads only those knows all that the others know.
    #[test]
    fn joined_facts_survive_compaction(told in records(12)) {
        let facts: Vec<_> = told.iter().filter_map(|record| match record {
            Merge::Fact(fact) if !matches!(fact.body, FactBody::Look | FactBody::Answer(_)) => Some(fact.clone()),
            _ => None,
        }).collect();
        let mut everything = VersionState::default();
        let mut log = std::collections::BTreeMap::new();
        for fact in &facts {
            if !everything.merge_fact(fact) {
                // What is no news is not written.
                continue;
            }
            let body = everything.said[&fact.site].joined(&fact.body);
            let of = everything.said[&fact.site].null.clone().filter(|_| fact.category().is_some());
            let written = Fact { of, body, ..fact.clone() };
            log.insert((written.site.clone(), written.compaction_key()), written);
        }
        let mut compacted = VersionState::default();
        log.values().for_each(|fact| { compacted.merge_fact(fact); });
        prop_assert_eq!(compacted.removed(), everything.removed());
        prop_assert_eq!(compacted.tags(), everything.tags());
        prop_assert_eq!(compacted.retention_registers(), everything.retention_registers());
        prop_assert_eq!(compacted.legal_hold(), everything.legal_hold());
        prop_assert_eq!(compacted.null(), everything.null());
    }

    /// Guarantees: whatever wins is explained at every site, and so is every stamp.
    #[test]
    fn what_the_index_says_is_explained(told in records(8), now_ms in any::<i64>(), site in arbitrary::site()) {
        let state = merged(&told);
        let tags = state.tags().map(|stamp| stamp.value).unwrap_or_default();
        prop_assert!(state.explains_tags(&tags, &site));
        let retention = state.retention().and_then(|stamp| stamp.value);
        prop_assert!(state.explains_retention(retention, &site, now_ms));
        let hold = state.legal_hold().is_some_and(|stamp| stamp.value);
        prop_assert!(state.explains_legal_hold(hold, &site));
        // Of a null version only what was said of the register that holds.
        for said in state.said.keys().filter_map(|site| state.said_now(site)) {
            prop_assert!(said.tags.iter().all(|stamp| state.explains_tags(&stamp.value, &site)));
            prop_assert!(said.legal_hold.iter().all(|stamp| state.explains_legal_hold(stamp.value, &site)));
        }
    }

    /// Guarantees: what a site last had is explained; and what was just written there with the winning stamp it last had.
    #[test]
    fn what_a_site_last_had_is_explained(told in records(8), held in arbitrary::tags(), hold: bool, site in arbitrary::site()) {
        let mut state = merged(&told);
        prop_assert!(!state.had_tags(&held, &site) || state.explains_tags(&held, &site));
        prop_assert!(!state.had_legal_hold(hold, &site) || state.explains_legal_hold(hold, &site));
        // Receipts of attributes do not name a null version's register.
        let Some(winner) = state.tags().filter(|_| state.null().is_none()) else { return Ok(()) };
        let (tags, tags_stamp) = (Some(winner.value.clone()), Some(winner.named()));
        let written = Receipt { site: site.clone(), tags, tags_stamp, ..receipt(Wrote::Attributes, i64::MAX) };
        state.merge_receipt(&written);
        prop_assert!(state.had_tags(&winner.value, &site));
    }

    #[test]
    fn a_state_survives_its_store(told in records(8)) {
        let state = merged(&told);
        let json = serde_json::to_vec(&state).unwrap();
        prop_assert_eq!(serde_json::from_slice::<VersionState>(&json).unwrap(), state);
    }
}

fn site(name: &str) -> SiteName {
    name.parse().unwrap()
}

fn stamp<T>(value: T, changed_at_ns: i64, at: &str, basis: Basis) -> Stamp<T> {
    Stamp { value, changed_at_ns, site: site(at), basis, over: None }
}

fn lock(mode: RetentionMode, until_ms: i64) -> Option<Retention> {
    Some(Retention { mode, until_ms })
}

fn fact(body: FactBody) -> Fact {
    let mut record = Merge::Fact(Fact {
        event_id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
        site: site("east"),
        bucket: "photos".parse().unwrap(),
        key: "a".parse().unwrap(),
        version_id: "v1".parse().unwrap(),
        said_at_ns: 1,
        of: None,
        body,
    });
    place(&mut record, "v1");
    match record {
        Merge::Fact(fact) => fact,
        Merge::Receipt(_) => unreachable!(),
    }
}

fn receipt(wrote: Wrote, at_ns: i64) -> Receipt {
    let fact = fact(FactBody::Look);
    Receipt::of(wrote, fact.version(), fact.event_id, [site("east"), site("west")], at_ns)
}

fn tags(value: &str) -> Tags {
    [("t".to_owned(), value.to_owned())].into()
}

#[test]
fn known_beats_unknown_beats_birth_then_later_then_site() {
    let order = [
        stamp(true, 9, "west", Basis::Birth),
        stamp(false, 9, "west", Basis::Unknown),
        stamp(true, 1, "east", Basis::Unknown),
        stamp(true, 2, "east", Basis::Unknown),
        stamp(true, 1, "west", Basis::Known),
        stamp(true, 2, "east", Basis::Known),
        stamp(false, 2, "west", Basis::Known),
        stamp(true, 2, "west", Basis::Known),
    ];
    assert!(order.is_sorted_by(|one, other| compare(one, other).is_lt()));
}

#[test]
fn of_two_unknown_retentions_the_later_date_wins() {
    let none = stamp(None, 9, "west", Basis::Unknown);
    let short = stamp(lock(RetentionMode::Compliance, 1), 9, "west", Basis::Unknown);
    let long = stamp(lock(RetentionMode::Governance, 2), 1, "east", Basis::Unknown);
    assert!(compare(&none, &short).is_lt() && compare(&short, &long).is_lt());
}

/// Scenario: one site lifts a governance lock while another has put COMPLIANCE on it.
#[test]
fn compliance_wins_if_it_was_in_force_at_the_others_change() {
    let lifted = |at_ms: i64| stamp(None, at_ms * 1_000_000, "east", Basis::Known);
    let compliance = stamp(lock(RetentionMode::Compliance, 100), 5, "west", Basis::Known);
    let effective = |latest| RetentionRegisters::new(latest, Some(compliance.clone())).effective().clone();
    assert_eq!(effective(lifted(99)), compliance);
    assert_eq!(effective(lifted(100)), lifted(100));
    let far = stamp(lock(RetentionMode::Compliance, i64::MAX), 5, "west", Basis::Known);
    assert_eq!(RetentionRegisters::new(lifted(1), Some(far.clone())).effective(), &far);
}

#[test]
fn a_latest_that_is_compliance_is_kept_when_it_loses() {
    let compliance = stamp(lock(RetentionMode::Compliance, 100), 5, "west", Basis::Known);
    let mut state = VersionState::default();
    state.merge_fact(&fact(FactBody::Retention { latest: compliance.clone(), compliance: None }));
    let lifted = stamp(None, 6, "east", Basis::Known);
    state.merge_fact(&fact(FactBody::Retention { latest: lifted, compliance: None }));
    assert_eq!(state.retention(), Some(compliance));
}

#[test]
fn a_null_version_is_never_terminally_removed() {
    let removal = twinlog_schemas::Removal {
        removed_at_ns: 1_500_000,
        cause: "sweep".into(),
        lifecycle: false,
        locks_seen: None,
    };
    let mut state = VersionState::default();
    state.merge_fact(&Fact { version_id: "null".parse().unwrap(), ..fact(FactBody::Removed(removal)) });
    assert_eq!(state.removed(), None);
    let register = state.null().unwrap();
    assert_eq!((register.state, register.at_ns), (NullState::Removed, 1_999_999));
}

#[test]
fn empty_is_explained_while_the_site_is_as_it_was_born_there() {
    let mut state = VersionState::default();
    let west = site("west");
    assert!(state.explains_tags(&Tags::new(), &west) && !state.explains_tags(&tags("a"), &west));
    assert!(state.explains_retention(None, &west, 0) && state.explains_legal_hold(false, &west));
    let say = |state: &mut VersionState, by: &str| {
        let latest = stamp(lock(RetentionMode::Governance, 100), 1, by, Basis::Known);
        let bodies = [
            FactBody::Tags(stamp(tags("a"), 1, by, Basis::Known)),
            FactBody::LegalHold(stamp(true, 1, by, Basis::Known)),
            FactBody::Retention { latest, compliance: None },
        ];
        for body in bodies {
            state.merge_fact(&Fact { site: site(by), ..fact(body) });
        }
    };
    say(&mut state, "east");
    assert!(state.explains_tags(&Tags::new(), &west) && state.explains_tags(&tags("a"), &west));
    assert!(state.explains_legal_hold(false, &west) && state.explains_retention(None, &west, 99));
    say(&mut state, "west");
    assert!(!state.explains_tags(&Tags::new(), &west) && state.explains_tags(&tags("a"), &west));
    assert!(!state.explains_legal_hold(false, &west) && !state.explains_retention(None, &west, 99));
    assert!(state.explains_retention(None, &west, 100), "an expired lock equals none");
    assert!(state.explains_retention(lock(RetentionMode::Compliance, 50), &west, 100));
}

#[test]
fn what_was_last_written_there_is_explained_there() {
    let mut state = VersionState::default();
    let (west, east) = (site("west"), site("east"));
    state.merge_fact(&fact(FactBody::Tags(stamp(tags("b"), 1, "east", Basis::Known))));
    state.merge_receipt(&receipt(Wrote::Object, 1));
    assert!(state.explains_tags(&Tags::new(), &west), "the object was written without tags");
    assert!(!state.explains_tags(&Tags::new(), &east), "east has said something else");
    let tagged = Receipt { tags: Some(tags("a")), ..receipt(Wrote::Attributes, 2) };
    assert!(state.merge_receipt(&tagged) && !state.merge_receipt(&tagged));
    assert!(state.explains_tags(&tags("a"), &west) && !state.explains_tags(&Tags::new(), &west));
    let lifted = Some(RetentionWritten { value: None });
    state.merge_receipt(&Receipt { retention: lifted, ..receipt(Wrote::Attributes, 3) });
    assert!(state.explains_tags(&tags("a"), &west), "another category's write leaves this one alone");
    state.merge_receipt(&receipt(Wrote::Removal, 4));
    assert!(!state.explains_tags(&tags("a"), &west), "nothing of ours is left there");
}

/// Scenario: a client at west tags a version, then one at east, whose tags are written into west; somebody at west sets
/// the first tags again.
/// Guarantee: they are explained, and are not what west last had: whoever would overwrite them has to ask.
#[test]
fn what_a_site_had_before_is_not_what_it_last_had() {
    let mut state = VersionState::default();
    let west = site("west");
    let say = |state: &mut VersionState, value: &str, at_ns, by: &str| {
        let body = FactBody::Tags(stamp(tags(value), at_ns, by, Basis::Known));
        state.merge_fact(&Fact { site: site(by), ..fact(body) });
    };
    assert!(state.had_tags(&Tags::new(), &west), "as it was born there");
    say(&mut state, "a", 1, "west");
    assert!(state.had_tags(&tags("a"), &west) && !state.had_tags(&Tags::new(), &west));
    say(&mut state, "b", 2, "east");
    assert!(state.had_tags(&tags("a"), &west) && !state.had_tags(&tags("b"), &west), "it has not reached west");
    let reached = state.tags().map(|stamp| stamp.named());
    state.merge_receipt(&Receipt { tags: Some(tags("b")), tags_stamp: reached, ..receipt(Wrote::Attributes, 3) });
    assert!(state.had_tags(&tags("b"), &west));
    assert!(!state.had_tags(&tags("a"), &west) && state.explains_tags(&tags("a"), &west));
    say(&mut state, "c", 4, "east");
    assert!(state.had_tags(&tags("b"), &west), "whatever was said elsewhere since");
    say(&mut state, "a", 5, "west");
    assert!(state.had_tags(&tags("a"), &west) && !state.had_tags(&tags("b"), &west));
}

/// Scenario: west was found to hold what east's stamp asks for, by a client's own change.
/// Guarantee: the value of the stamp that has reached it is what it last had, though nothing was written.
#[test]
fn what_was_found_there_counts_as_had() {
    let mut state = VersionState::default();
    let west = site("west");
    for (value, at_ns, by) in [("a", 1, "west"), ("b", 2, "east")] {
        let body = FactBody::LegalHold(stamp(value == "b", at_ns, by, Basis::Known));
        state.merge_fact(&Fact { site: site(by), ..fact(body) });
    }
    let reached = state.legal_hold().map(|stamp| stamp.named());
    state.merge_receipt(&Receipt { legal_hold_stamp: reached, ..receipt(Wrote::Nothing, 3) });
    assert!(state.had_legal_hold(true, &west), "by the stamp that reached it");
    state.merge_fact(&Fact { site: site("east"), ..fact(FactBody::LegalHold(stamp(false, 4, "east", Basis::Known))) });
    assert!(!state.had_legal_hold(true, &west), "of that stamp nothing is known any more");
}

#[test]
fn an_upload_is_under_way_until_it_ends_or_the_object_is_there() {
    let west = site("west");
    let begun = |id: &str, at_ns| {
        let upload = Some(UploadBegun { upload_id: id.into(), begun_with: "d".into() });
        Receipt { upload, ..receipt(Wrote::Upload, at_ns) }
    };
    let under_way = |receipts: &[Receipt]| {
        let mut states = [VersionState::default(), VersionState::default()];
        for (receipt, reversed) in receipts.iter().zip(receipts.iter().rev()) {
            states[0].merge_receipt(receipt);
            states[1].merge_receipt(reversed);
        }
        assert_eq!(states[0], states[1]);
        assert_eq!(states[0].upload(&site("east")), None);
        states[0].upload(&west).map(|upload| upload.upload_id.clone())
    };
    assert_eq!(under_way(&[begun("one", 1)]).as_deref(), Some("one"));
    assert_eq!(under_way(&[begun("one", 1), receipt(Wrote::Object, 2)]), None);
    assert_eq!(under_way(&[begun("one", 1), receipt(Wrote::Upload, 2)]), None);
    assert_eq!(under_way(&[begun("one", 1), receipt(Wrote::Upload, 2), begun("two", 3)]).as_deref(), Some("two"));
    assert_eq!(
        under_way(&[begun("one", 1), receipt(Wrote::Removal, 2)]).as_deref(),
        Some("one"),
        "still to be aborted"
    );
    let mut state = VersionState::default();
    state.merge_receipt(&begun("one", 7));
    assert!(!state.written.contains_key(&west) && !state.is_empty(), "nothing of it is to be seen");
    assert_eq!(state.last_said_at_ns(), Some(7));
}
