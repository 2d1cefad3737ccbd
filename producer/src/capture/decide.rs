//! From what was told of a version with an id, what was found, and what the index says, to facts and events. Pure.
//!
//! - A removal told by name is believed as it stands: ids are never born twice.
//! - A marker's name lies on some builds: what was found decides.
//! - A birth stamps what is not empty as BIRTH; a named category is KNOWN, with the notice's time; what an examination
//!   finds and nothing explains is UNKNOWN. No event carries stamps of categories that it does not speak of.
//! - What a client left by taking tags off is known by the notice's name, whatever replication has put there since.
//! - A doubt is always answered, and by a fact alone: it never creates.
//! - Absence alone tells nothing; with a person's word that the version was removed here, it tells the removal.

use twinlog_index::{Said, VersionState};
use twinlog_schemas::{Answer, Basis, Category, ChangeEvent, FactBody, LocksSeen, Removal, Tags, Told};
use twinlog_site::ObjectReading;

use super::found::{Found, Stamps, removed_at};
use super::outcome::{Circumstances, Outcome};
use super::stamp::{CATEGORIES, Grounds, is_empty, is_explained, stamp};
use super::time::Modified;
use super::waiting::{Telling, Waiting};
use crate::observe::Settled;

/// What of a version has to be read before [`decide`] can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    Nothing,
    /// What can be compared: no body, no parts, the time in seconds.
    Look,
    /// All, with the time as exact as can be: the version may have to be created elsewhere.
    Whole,
}

/// What has to be read for these notices.
#[must_use]
pub fn wish(telling: &Telling<'_>) -> Wish {
    if telling.removed.is_some() {
        return if telling.doubts().next().is_some() { Wish::Look } else { Wish::Nothing };
    }
    if telling.creates() { Wish::Whole } else { Wish::Look }
}

/// How much of the index has to be up to date before [`decide`] can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: what was told and found decides.
    Nothing,
    /// What this site has said, and what was written into it.
    Own,
    /// What every site has said, as far as they can be reached.
    All,
}

/// How much of the index these notices want up to date: an examination asks whether a value is explained; the removal of
/// a version that had locks tells which of them had reached this site; tags that a client took off and that are there
/// may be replication's.
#[must_use]
pub fn wanted(telling: &Telling<'_>, found: &Found, state: &VersionState) -> Wanted {
    let locked = state.retention().is_some() || state.legal_hold().is_some();
    let untagged = telling.changed.get(&Category::Tags).is_some_and(|cause| cause.notice.took_tags_off());
    let tagged = found.object().is_some_and(|(object, _)| !object.tags.is_empty());
    if !telling.examined.is_empty() {
        Wanted::All
    } else if locked && (telling.removed.is_some() || telling.marker.is_some()) || untagged && tagged {
        Wanted::Own
    } else {
        Wanted::Nothing
    }
}

/// Decides about a version with an id.
#[must_use]
pub fn decide(here: &Circumstances, telling: &Telling<'_>, found: &Found, state: &VersionState) -> Outcome {
    let mut outcome = if let Some(removed) = telling.removed {
        removal(here, removed, state)
    } else {
        match found {
            Found::Object(..) => object(here, telling, found, state),
            Found::Marker(modified) => marker(here, telling, found, restated(here, telling, *modified, state)),
            Found::Absent | Found::Unread => absent(here, telling, state),
        }
    };
    outcome.facts.extend(answers(telling, found));
    outcome
}

/// The answers to all doubts among the notices.
pub(super) fn answers<'a>(telling: &'a Telling<'_>, found: &'a Found) -> impl Iterator<Item = FactBody> + 'a {
    telling.doubts().map(|asked| FactBody::Answer(Answer { doubt_id: asked.id, reading: found.answer() }))
}

/// The store let the version go: whatever locks had reached this site were overcome here, which nothing else can tell,
/// since the notices of their lifting find the version gone.
fn removal(here: &Circumstances, cause: &Waiting, state: &VersionState) -> Outcome {
    let reached = |category| state.reached(&here.site, category);
    let (retention, legal_hold) = (reached(Category::Retention), reached(Category::LegalHold));
    let locked = retention.is_some() || legal_hold.is_some();
    let removal = Removal {
        removed_at_ns: cause.time_ns(),
        cause: cause.notice.cause.clone(),
        lifecycle: cause.notice.lifecycle,
        locks_seen: locked.then_some(LocksSeen { retention, legal_hold }),
    };
    let event = here.removal(cause, Told::Removed, removed_at(removal.removed_at_ns));
    Outcome {
        events: vec![ChangeEvent { locks_seen: removal.locks_seen.clone(), ..event }],
        facts: vec![FactBody::Removed(removal)],
        settled: None,
    }
}

fn object(here: &Circumstances, telling: &Telling<'_>, found: &Found, state: &VersionState) -> Outcome {
    let Some((object, modified)) = found.object() else { return Outcome::default() };
    let nothing = Said::default();
    let said = state.said.get(&here.site).unwrap_or(&nothing);
    let mut outcome = Outcome::default();
    let mut told = Stamps::default();
    let mut changes = Vec::new();
    let untagged;
    let object = if tagged_since(here, telling, object, state) {
        untagged = ObjectReading { tags: Tags::default(), ..object.clone() };
        &untagged
    } else {
        object
    };
    for category in CATEGORIES {
        let changed = telling.changed.get(&category);
        let grounds = match changed {
            Some(cause) => Grounds { basis: Basis::Known, at_ns: cause.time_ns() },
            None => match unnamed(category, here, telling, found, state) {
                Some(basis) => {
                    let at_ns = if basis == Basis::Birth { modified.ns } else { here.now_ns };
                    Grounds { basis, at_ns }
                }
                None => continue,
            },
        };
        outcome.facts.extend(stamp(category, object, grounds, state, &here.site, &mut told));
        if let Some(cause) = changed {
            changes.push((category, *cause));
        }
    }
    if let Some(born) = telling.born {
        outcome.events.push(here.event(born, Told::Born, found, told));
        return outcome;
    }
    for (category, cause) in changes {
        outcome.events.push(here.event(cause, told_of(category), found, only(category, &told)));
    }
    if let Some((cause, asked)) = telling.sweep_or_replay() {
        let mut event = here.event(cause, Told::Examined, found, or_said(told, said));
        event.may_create = asked.may_create;
        outcome.events.push(event);
    }
    if outcome.events.is_empty() && telling.examined.is_empty() {
        // A marker's event about an object: some other version's, or none's.
        outcome.settled = Some(Settled::Untold);
    }
    outcome
}

/// Whether the tags that are there were put there by replication after a client had taken off all that the version had.
/// What the client left is known all the same: the notice's name says it. Where the version had none, nothing at the
/// store shows that the client was there.
fn tagged_since(here: &Circumstances, telling: &Telling<'_>, object: &ObjectReading, state: &VersionState) -> bool {
    let Some(cause) = telling.changed.get(&Category::Tags).filter(|cause| cause.notice.took_tags_off()) else {
        return false;
    };
    let written = state.written.get(&here.site).and_then(|written| written.tags.as_ref());
    let since = written.filter(|put| put.at_ns >= cause.time_ns()).and_then(|put| put.value.as_ref());
    !object.tags.is_empty() && since == Some(&object.tags)
}

/// On what basis a category that no notice names is stamped, if at all.
fn unnamed(
    category: Category,
    here: &Circumstances,
    telling: &Telling<'_>,
    found: &Found,
    state: &VersionState,
) -> Option<Basis> {
    let (object, _) = found.object()?;
    let unexplained = || !is_explained(category, object, state, &here.site, here.now_ns);
    if !telling.examined.is_empty() && telling.born.is_none() && unexplained() {
        return Some(Basis::Unknown);
    }
    (telling.born.is_some() && !is_empty(category, object, here.now_ns)).then_some(Basis::Birth)
}

/// Whether the notice only repeats a marker that a replica write put here: some stores say "created" once more when a
/// client deletes what is deleted already. That is no birth: told as one, it would bring back a marker that its origin
/// has removed meanwhile.
fn restated(here: &Circumstances, telling: &Telling<'_>, modified: Modified, state: &VersionState) -> bool {
    let replica = state.written.contains_key(&here.site);
    let same = |ns: i64| ns.div_euclid(1_000_000) == modified.ns.div_euclid(1_000_000);
    replica && telling.marker.is_some_and(|one| one.notice.sequencer_ns.is_some_and(same))
}

fn marker(here: &Circumstances, telling: &Telling<'_>, found: &Found, restated: bool) -> Outcome {
    let mut outcome = Outcome::default();
    if let Some(born) = telling.born.or(telling.marker.filter(|_| !restated)) {
        outcome.events.push(here.event(born, Told::Born, found, Stamps::default()));
    } else if let Some((cause, asked)) = telling.sweep_or_replay() {
        let mut event = here.event(cause, Told::Examined, found, Stamps::default());
        event.may_create = asked.may_create;
        outcome.events.push(event);
    } else if telling.examined.is_empty() {
        outcome.settled = Some(Settled::Untold);
    }
    outcome
}

/// The version is not there, and no notice says so by a name that is believed.
fn absent(here: &Circumstances, telling: &Telling<'_>, state: &VersionState) -> Outcome {
    if let Some(marker) = telling.marker {
        return removal(here, marker, state);
    }
    if telling.born.is_some() || !telling.changed.is_empty() {
        return Outcome::settled(Settled::Superseded);
    }
    if let Some(word) = telling.said_removed().filter(|_| state.removed().is_none()) {
        return removal(here, word, state);
    }
    let (Some((cause, _)), Some(known)) = (telling.sweep_or_replay(), state.removed()) else {
        // Absence alone tells nothing: the version may never have come here.
        return Outcome::settled(Settled::Untold);
    };
    // The removal is known: it is told once more, so that whoever missed it plans it again.
    let own = state.said.get(&here.site).and_then(|said| said.removal.clone());
    let event = here.removal(cause, Told::Examined, removed_at(known.removed_at_ns));
    Outcome {
        events: vec![ChangeEvent { locks_seen: own.as_ref().and_then(|own| own.locks_seen.clone()), ..event }],
        facts: own.map(FactBody::Removed).into_iter().collect(),
        settled: None,
    }
}

pub(super) fn told_of(category: Category) -> Told {
    match category {
        Category::Tags => Told::Tags,
        Category::Retention => Told::Retention,
        Category::LegalHold => Told::LegalHold,
        Category::Unknown => Told::Unknown,
    }
}

/// The stamps with one category only.
pub(super) fn only(category: Category, stamps: &Stamps) -> Stamps {
    let mut only = Stamps::default();
    match category {
        Category::Tags => only.tags.clone_from(&stamps.tags),
        Category::Retention => only.retention.clone_from(&stamps.retention),
        Category::LegalHold => only.legal_hold.clone_from(&stamps.legal_hold),
        Category::Unknown => {}
    }
    only
}

/// An examined version's stamps: those just given, else what this site has said before.
fn or_said(stamps: Stamps, said: &Said) -> Stamps {
    Stamps {
        tags: stamps.tags.or_else(|| said.tags.clone()),
        retention: stamps.retention.or_else(|| said.retention.as_ref().map(|registers| registers.effective().clone())),
        legal_hold: stamps.legal_hold.or_else(|| said.legal_hold.clone()),
    }
}
