//! Lock changes that name no version.

use proptest::prelude::*;
use twinlog_schemas::{Category, Receipt, Retention, RetentionMode, RetentionWritten, Told, Wrote};

use super::super::audit::decide;
use super::super::outcome::Outcome;
use super::super::samples::{notice, object, waiting};
use super::super::waiting::Telling;
use super::*;
use crate::notice::Hint;

const AT_NS: i64 = 8_000_000_000;

fn outcome(category: Category, found: &Found, state: &VersionState) -> Outcome {
    let all = [waiting(notice(Hint::ChangedSomewhere(category)), AT_NS)];
    decide(&here(id()), &Telling::of(&all), found, state)
}

fn held(on: bool) -> Found {
    found(ObjectReading { legal_hold: on, ..object() })
}

fn hold_said(by: &str, value: bool, changed_at_ns: i64) -> (&str, FactBody) {
    (by, FactBody::LegalHold(Stamp { value, changed_at_ns, site: site(by), basis: Basis::Known, over: None }))
}

fn written(state: &mut VersionState, hold: Option<bool>, retention: Option<Retention>, written_at_ns: i64) {
    let ends = [site("west"), site("east")];
    state.merge_receipt(&Receipt {
        retention: retention.map(|value| RetentionWritten { value: Some(value) }),
        legal_hold: hold,
        ..Receipt::of(Wrote::Attributes, here(id()).version(), here(id()).event_id, ends, written_at_ns)
    });
}

#[test]
fn a_lock_that_this_site_did_not_have_is_stamped_with_the_notices_time() {
    let out = outcome(Category::LegalHold, &held(true), &VersionState::default());
    let [FactBody::LegalHold(stamp)] = &out.facts[..] else { panic!("{out:?}") };
    assert_eq!((stamp.value, stamp.changed_at_ns, stamp.basis), (true, AT_NS, Basis::Known));
    assert_eq!(out.events[0].told, Told::LegalHold);
}

/// Scenario: a record that comes late finds what a client has made of the version since, after replication wrote it here.
/// Guarantee: the change counts as later than what it replaced, so that the next record does not take it for undone.
#[test]
fn a_change_is_later_than_what_was_written_before_it() {
    let mut state = VersionState::default();
    written(&mut state, Some(false), None, AT_NS + 50);
    let out = outcome(Category::LegalHold, &held(true), &state);
    let [FactBody::LegalHold(stamp)] = &out.facts[..] else { panic!("{out:?}") };
    assert_eq!((stamp.value, stamp.changed_at_ns), (true, AT_NS + 51));
}

#[test]
fn a_lock_lifted_is_stamped_where_the_index_has_it() {
    let out = outcome(Category::LegalHold, &held(false), &said(&[hold_said("east", true, 1)]));
    assert!(matches!(&out.facts[..], [FactBody::LegalHold(stamp)] if !stamp.value));
}

#[test]
fn versions_as_they_were_are_left_alone() {
    assert_eq!(outcome(Category::LegalHold, &held(false), &VersionState::default()), Outcome::default());
    assert_eq!(outcome(Category::LegalHold, &held(true), &said(&[hold_said("east", true, 1)])), Outcome::default());
    let mut replica = said(&[hold_said("west", true, 1)]);
    written(&mut replica, Some(true), None, 2);
    assert_eq!(outcome(Category::LegalHold, &held(true), &replica), Outcome::default());
}

#[test]
fn one_that_lags_behind_the_index_is_to_be_looked_at() {
    let out = outcome(Category::LegalHold, &held(false), &said(&[hold_said("west", true, 1)]));
    assert_eq!((&out.facts[..], out.events.len()), (&[FactBody::Look][..], 0));
}

#[test]
fn a_retention_that_has_run_out_is_none() {
    let retention = Retention { mode: RetentionMode::Governance, until_ms: NOW_NS / 1_000_000 };
    let expired = found(ObjectReading { retention: Some(retention), ..object() });
    assert_eq!(outcome(Category::Retention, &expired, &VersionState::default()), Outcome::default());
    let mut replica = VersionState::default();
    written(&mut replica, None, Some(retention), 2);
    assert_eq!(outcome(Category::Retention, &found(object()), &replica), Outcome::default());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guarantees: after an audit record every version whose lock was changed by a client here is what this site last
    /// had; a second record of the same finds nothing.
    #[test]
    fn a_second_record_finds_nothing_new(
        on: bool,
        east in prop::option::of((any::<bool>(), 0..9_i64)),
        west in prop::option::of((any::<bool>(), 0..9_i64)),
        put in prop::option::of((any::<bool>(), 0..9_i64)),
    ) {
        let mut facts = Vec::new();
        facts.extend(east.map(|(value, at)| hold_said("east", value, at)));
        facts.extend(west.map(|(value, at)| hold_said("west", value, at)));
        let mut state = said(&facts);
        if let Some((value, at)) = put {
            written(&mut state, Some(value), None, at);
        }
        let first = outcome(Category::LegalHold, &held(on), &state);
        for body in first.facts {
            let address = here(id());
            state.merge_fact(&Fact {
                event_id: address.event_id, site: address.site, bucket: address.bucket, key: address.key,
                version_id: address.version_id, said_at_ns: NOW_NS, of: None, body,
            });
        }
        let second = outcome(Category::LegalHold, &held(on), &state);
        prop_assert!(second.events.is_empty(), "{:?}", second);
    }
}
