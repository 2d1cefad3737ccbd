//! The null version: one register over all sites.

use twinlog_schemas::{Category, NullRegister, NullState, Receipt, Told, VersionKind, Wrote};

use super::super::null::decide;
use super::super::outcome::Outcome;
use super::super::samples::{notice, object, waiting};
use super::super::waiting::{Telling, Waiting};
use super::*;
use crate::notice::Hint;

fn null() -> VersionId {
    VersionId::null()
}

fn told(hint: Hint, at_ns: i64) -> Waiting {
    waiting(notice(hint), at_ns)
}

fn outcome(all: &[Waiting], found: &Found, state: &VersionState) -> Outcome {
    decide(&here(null()), &Telling::of(all), found, state)
}

fn register(state: NullState, at_ns: i64, by: &str) -> NullRegister {
    let etag = (state == NullState::Object).then(|| object().etag);
    NullRegister { state, at_ns, site: site(by), etag, over: None }
}

fn registered(outcome: &Outcome) -> &NullRegister {
    outcome
        .facts
        .iter()
        .find_map(|fact| if let FactBody::Null(register) = fact { Some(register) } else { None })
        .unwrap_or_else(|| panic!("{outcome:?}"))
}

#[test]
fn a_birth_registers_the_object() {
    let out = outcome(&[told(Hint::Born(null()), BORN_NS)], &found(object()), &VersionState::default());
    assert_eq!(*registered(&out), register(NullState::Object, BORN_NS, "east"));
    assert_eq!((out.events[0].told, out.events[0].kind), (Told::Born, VersionKind::Object));
    assert!(out.events[0].version_id.is_null());
}

#[test]
fn a_replica_keeps_its_registers_time_and_site() {
    let west = register(NullState::Object, BORN_NS + 100, "west");
    let mut state = VersionState::default();
    tell_null(&mut state, "west", None, FactBody::Null(west.clone()));
    let out = outcome(&[told(Hint::Changed(null(), Category::Tags), NOW_NS)], &found(tagged("a")), &state);
    assert_eq!(*registered(&out), west);
    assert_eq!(out.events[0].modified_at_ns, BORN_NS + 100);
    assert_eq!(out.events[0].told, Told::Tags);
    let another = ObjectReading { etag: "other".into(), ..object() };
    let out = outcome(&[told(Hint::Born(null()), BORN_NS)], &found(another), &state);
    assert_eq!(registered(&out).site, site("east"), "another body is another state");
}

/// Guarantee: what was said of the null version before, however surely, does not stick to the one that replaced it.
#[test]
fn a_new_birth_begins_without_the_stamps_of_the_one_before() {
    let before = register(NullState::Object, BORN_NS - 100, "west");
    let mut state = VersionState::default();
    tell_null(&mut state, "west", Some(&before), FactBody::Null(before.clone()));
    tell_null(&mut state, "west", Some(&before), tags_said("west", "old", Basis::Known, NOW_NS));
    assert!(state.tags().is_some());
    let out = outcome(&[told(Hint::Born(null()), BORN_NS)], &found(object()), &state);
    let register = registered(&out).clone();
    assert!(out.events[0].object.as_ref().unwrap().tags.is_none(), "born without tags");
    assert_eq!(out.events[0].null_register.as_ref(), Some(&register));
    tell_null(&mut state, "east", None, FactBody::Null(register));
    assert_eq!(state.tags(), None);
    // Told late, it is still of the one before.
    tell_null(&mut state, "west", Some(&before), tags_said("west", "later", Basis::Known, NOW_NS + 1));
    assert_eq!(state.tags(), None);
}

#[test]
fn a_register_says_which_one_it_took_the_place_of() {
    let west = register(NullState::Object, BORN_NS - 100, "west");
    let mut state = VersionState::default();
    let (address, ends) = (here(null()), [site("west"), site("east")]);
    let put = Receipt::of(Wrote::Object, address.version(), address.event_id, ends, 5);
    state.merge_receipt(&Receipt { null_register: Some(west.clone()), ..put });
    let out = outcome(&[told(Hint::Born(null()), BORN_NS)], &found(object()), &state);
    assert_eq!(registered(&out).over, Some(west.named()));
}

/// Merges a fact about the null version.
fn tell_null(state: &mut VersionState, by: &str, of: Option<&NullRegister>, body: FactBody) {
    let address = here(null());
    let fact = Fact {
        event_id: address.event_id,
        site: site(by),
        bucket: address.bucket,
        key: address.key,
        version_id: address.version_id,
        said_at_ns: 1,
        of: None,
        body,
    };
    state.merge_fact(&Fact { of: of.filter(|_| fact.category().is_some()).cloned(), ..fact });
}

#[test]
fn a_removal_holds_to_the_end_of_its_millisecond() {
    let out = outcome(&[told(Hint::Removed(null()), 7_000_001)], &Found::Absent, &VersionState::default());
    assert_eq!(*registered(&out), register(NullState::Removed, 7_999_999, "east"));
    assert_eq!((out.events[0].told, out.events[0].modified_at_ns), (Told::Removed, 7_999_999));
}

#[test]
fn a_removal_is_not_undone_by_a_replica_of_something_older() {
    let mut older = VersionState::default();
    tell_null(&mut older, "west", None, FactBody::Null(register(NullState::Object, BORN_NS, "west")));
    let removed = [told(Hint::Removed(null()), BORN_NS + 50_000_000)];
    let out = outcome(&removed, &found(object()), &older);
    assert_eq!(registered(&out).state, NullState::Removed);
    assert_eq!(out.events[0].kind, VersionKind::Removed);
    // A client's own new object here came after the removal, whatever the clocks say.
    let out = outcome(&removed, &found(object()), &VersionState::default());
    assert_eq!((registered(&out).state, out.events[0].kind), (NullState::Object, VersionKind::Object));
}
