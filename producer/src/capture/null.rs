//! Decisions about the null version of a key: one register over all sites, OBJECT, MARKER or REMOVED by time. Pure.
//!
//! The null version is the one that can be born again under its id. So nothing about it is terminal, stamps are told
//! with the register that they are of, and a state that a replica write put here keeps the time and site that the
//! register has of it.

use twinlog_index::VersionState;
use twinlog_index::merge::compare_null;
use twinlog_schemas::{Basis, ChangeEvent, Fact, FactBody, NullRegister, NullState, RegisterRef, Told};

use super::decide::{answers, only, told_of};
use super::found::{Found, Stamps, removed_at};
use super::outcome::{Circumstances, Outcome};
use super::stamp::{CATEGORIES, Grounds, is_empty, is_explained, stamp};
use super::time::{Modified, end_of_millisecond};
use super::waiting::{Telling, Waiting};
use crate::observe::Settled;

const NS_PER_MS: i64 = 1_000_000;

/// Decides about a null version.
#[must_use]
pub fn decide(here: &Circumstances, telling: &Telling<'_>, found: &Found, state: &VersionState) -> Outcome {
    let Some(register) = register(here, telling, found, state) else {
        let mut outcome = Outcome::settled(nothing_there(telling));
        outcome.facts.extend(answers(telling, found));
        return outcome;
    };
    let mut outcome = Outcome::default();
    outcome.facts.push(FactBody::Null(register.clone()));
    let found = &as_registered(found, &register);
    let state = &with(here, &register, state);
    let stamps = stamps(here, telling, found, &register, state, &mut outcome.facts);
    outcome.events = events(here, telling, found, &register, &stamps);
    for event in &mut outcome.events {
        event.null_register = Some(register.clone());
    }
    outcome.facts.extend(answers(telling, found));
    outcome
}

/// Whether another register has overtaken the object that was found, which a lock may have kept here so far.
#[must_use]
pub fn is_overtaken(here: &Circumstances, found: &Found, state: &VersionState) -> bool {
    let Found::Object(object, modified) = found else { return false };
    let held = kept(here, NullState::Object, *modified, Some(&object.etag), state);
    state.null().is_some_and(|winner| compare_null(&winner, &held).is_gt())
}

/// What the index will say once this register is told: stamps of the one before are void then.
fn with(here: &Circumstances, register: &NullRegister, state: &VersionState) -> VersionState {
    let mut state = state.clone();
    state.merge_fact(&Fact {
        event_id: here.event_id,
        site: here.site.clone(),
        bucket: here.bucket.clone(),
        key: here.key.clone(),
        version_id: here.version_id.clone(),
        said_at_ns: here.now_ns,
        of: None,
        body: FactBody::Null(register.clone()),
    });
    state
}

fn nothing_there(telling: &Telling<'_>) -> Settled {
    let named = telling.born.is_some() || !telling.changed.is_empty();
    if named { Settled::Superseded } else { Settled::Untold }
}

/// What the register says after what was found and told; `None` if neither says anything.
fn register(here: &Circumstances, telling: &Telling<'_>, found: &Found, state: &VersionState) -> Option<NullRegister> {
    let held = match found {
        Found::Object(object, modified) => Some(kept(here, NullState::Object, *modified, Some(&object.etag), state)),
        Found::Marker(modified) => Some(kept(here, NullState::Marker, *modified, None, state)),
        Found::Absent | Found::Unread => None,
    };
    let gone = telling.removed.or(telling.marker).or(telling.said_removed()).map(|cause| NullRegister {
        state: NullState::Removed,
        at_ns: end_of_millisecond(cause.time_ns()),
        site: here.site.clone(),
        etag: None,
        over: reached(here, state),
    });
    match (held, gone) {
        // What was put here after the removal by a replica write of an older state does not undo the removal.
        (Some(held), Some(gone)) if held.site != here.site && telling.removed.is_some() => {
            Some(if compare_null(&gone, &held).is_gt() { gone } else { held })
        }
        (Some(held), _) => Some(held),
        (None, Some(gone)) => Some(gone),
        (None, None) => {
            let known = state.null().filter(|known| known.state == NullState::Removed);
            known.filter(|_| telling.sweep_or_replay().is_some())
        }
    }
}

/// The register of what was found: the one that is known of it, by millisecond and ETag, else one of this site.
fn kept(
    here: &Circumstances,
    is: NullState,
    modified: Modified,
    etag: Option<&String>,
    state: &VersionState,
) -> NullRegister {
    let same = |known: &NullRegister| {
        known.state == is
            && known.at_ns.div_euclid(NS_PER_MS) == modified.ns.div_euclid(NS_PER_MS)
            && known.etag.as_ref() == etag
    };
    let known = state.null_registers().filter(same).max_by(compare_null);
    known.unwrap_or_else(|| NullRegister {
        state: is,
        at_ns: modified.ns,
        site: here.site.clone(),
        etag: etag.cloned(),
        over: reached(here, state),
    })
}

/// The register that had reached this site before: the one it said itself, or that was written into it.
fn reached(here: &Circumstances, state: &VersionState) -> Option<RegisterRef> {
    let said = state.said.get(&here.site).and_then(|said| said.null.as_ref());
    let written = state.written.get(&here.site).and_then(|written| written.null.as_ref()?.value.as_ref());
    said.into_iter().chain(written).max_by(|one, other| compare_null(one, other)).map(NullRegister::named)
}

/// What was found, with the register's time; nothing, if the register says that it is gone.
fn as_registered(found: &Found, register: &NullRegister) -> Found {
    let at = |modified: Modified| Modified { ns: register.at_ns, ..modified };
    match (register.state, found) {
        (NullState::Object, Found::Object(object, modified)) => Found::Object(object.clone(), at(*modified)),
        (NullState::Marker, Found::Marker(modified)) => Found::Marker(at(*modified)),
        _ => Found::Absent,
    }
}

fn stamps(
    here: &Circumstances,
    telling: &Telling<'_>,
    found: &Found,
    register: &NullRegister,
    state: &VersionState,
    facts: &mut Vec<FactBody>,
) -> Stamps {
    let mut stamps = Stamps::default();
    let Some((object, _)) = found.object() else { return stamps };
    let born_here = telling.born.is_some() && register.site == here.site;
    for category in CATEGORIES {
        let grounds = if let Some(cause) = telling.changed.get(&category) {
            Grounds { basis: Basis::Known, at_ns: cause.time_ns() }
        } else if born_here && !is_empty(category, object, here.now_ns) {
            Grounds { basis: Basis::Birth, at_ns: register.at_ns }
        } else if !telling.examined.is_empty() && !is_explained(category, object, state, &here.site, here.now_ns) {
            Grounds { basis: Basis::Unknown, at_ns: here.now_ns }
        } else {
            continue;
        };
        facts.extend(stamp(category, object, grounds, state, &here.site, &mut stamps));
    }
    stamps
}

fn events(
    here: &Circumstances,
    telling: &Telling<'_>,
    found: &Found,
    register: &NullRegister,
    stamps: &Stamps,
) -> Vec<ChangeEvent> {
    let gone = register.state == NullState::Removed;
    let born = telling.born.or(telling.marker);
    let removed = telling.removed.or(telling.marker).filter(|_| gone);
    if let Some(cause) = removed {
        return vec![here.removal(cause, Told::Removed, removed_at(register.at_ns))];
    }
    if let Some(cause) = born.or(telling.removed).filter(|_| !gone) {
        return vec![here.event(cause, Told::Born, found, stamps.clone())];
    }
    let mut events: Vec<ChangeEvent> = telling
        .changed
        .iter()
        .filter(|(category, _)| !gone && CATEGORIES.contains(category))
        .map(|(category, cause)| here.event(cause, told_of(*category), found, only(*category, stamps)))
        .collect();
    events.extend(examined(here, telling, found, register, stamps));
    events
}

/// An examination of a null version, also one in doubt, may create: its register decides what is older.
fn examined(
    here: &Circumstances,
    telling: &Telling<'_>,
    found: &Found,
    register: &NullRegister,
    stamps: &Stamps,
) -> Option<ChangeEvent> {
    let first = telling.examined.first().map(|(cause, _)| *cause);
    let cause: &Waiting = telling.sweep_or_replay().map(|(cause, _)| cause).or(first)?;
    let mut event = if register.state == NullState::Removed {
        here.removal(cause, Told::Examined, removed_at(register.at_ns))
    } else {
        here.event(cause, Told::Examined, found, stamps.clone())
    };
    event.may_create = true;
    Some(event)
}
