//! The null version: one register over all sites.

use twinlog_schemas::{Category, NullRegister, NullState, Told, VersionKind};

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
    NullRegister { state, at_ns, site: site(by), etag }
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
    let state = said(&[("west", FactBody::Null(west.clone()))]);
    let out = outcome(&[told(Hint::Changed(null(), Category::Tags), NOW_NS)], &found(tagged("a")), &state);
    assert_eq!(*registered(&out), west);
    assert_eq!(out.events[0].modified_at_ns, BORN_NS + 100);
    assert_eq!(out.events[0].told, Told::Tags);
    let another = ObjectReading { etag: "other".into(), ..object() };
    let out = outcome(&[told(Hint::Born(null()), BORN_NS)], &found(another), &state);
    assert_eq!(registered(&out).site, site("east"), "another body is another state");
}

#[test]
fn a_new_birth_overrules_what_was_said_of_the_one_before() {
    let state = said(&[("west", tags_said("west", "old", Basis::Known, 3))]);
    let out = outcome(&[told(Hint::Born(null()), BORN_NS)], &found(object()), &state);
    let tags = out.events[0].object.as_ref().unwrap().tags.as_ref().unwrap();
    assert_eq!((tags.value.len(), tags.basis, tags.changed_at_ns), (0, Basis::Known, BORN_NS));
}

#[test]
fn a_removal_holds_to_the_end_of_its_millisecond() {
    let out = outcome(&[told(Hint::Removed(null()), 7_000_001)], &Found::Absent, &VersionState::default());
    assert_eq!(*registered(&out), register(NullState::Removed, 7_999_999, "east"));
    assert_eq!((out.events[0].told, out.events[0].modified_at_ns), (Told::Removed, 7_999_999));
}

#[test]
fn a_removal_is_not_undone_by_a_replica_of_something_older() {
    let older = said(&[("west", FactBody::Null(register(NullState::Object, BORN_NS, "west")))]);
    let removed = [told(Hint::Removed(null()), BORN_NS + 50_000_000)];
    let out = outcome(&removed, &found(object()), &older);
    assert_eq!(registered(&out).state, NullState::Removed);
    assert_eq!(out.events[0].kind, VersionKind::Removed);
    // A client's own new object here came after the removal, whatever the clocks say.
    let out = outcome(&removed, &found(object()), &VersionState::default());
    assert_eq!((registered(&out).state, out.events[0].kind), (NullState::Object, VersionKind::Object));
}
