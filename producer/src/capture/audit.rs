//! Lock changes of which only the audit log tells, without saying of which version. Pure.
//!
//! Each version of the key is compared with what this site last had. One whose lock is another, and is in force or
//! differs from the index, changed: it is stamped with the notice's time, or, since a record may find a change that is
//! newer than itself, the time after which this site had something else. The others, where they differ from the index,
//! are left to the site's own consumer to compare.

use twinlog_index::VersionState;
use twinlog_schemas::{Basis, Category, FactBody, Retention, SiteName};
use twinlog_site::ObjectReading;

use super::decide::{only, told_of};
use super::found::{Found, Stamps};
use super::outcome::{Circumstances, Outcome};
use super::stamp::{Grounds, is_empty, stamp};
use super::waiting::{Telling, Waiting};

const NS_PER_MS: i64 = 1_000_000;

/// The categories in which a version is not what this site last had, each with the notice that told of it.
pub fn changed<'a>(
    here: &Circumstances,
    telling: &Telling<'a>,
    found: &Found,
    state: &VersionState,
) -> Vec<(Category, &'a Waiting)> {
    let Some((object, _)) = found.object() else { return Vec::new() };
    let told = telling.changed.iter().map(|(category, cause)| (*category, *cause));
    let is_news =
        |category| held(category, object, here.now_ns) != last_had(category, state, &here.site, here.now_ns).0;
    told.filter(|(category, _)| is_news(*category)).collect()
}

/// Decides about one version of the key. Not for the null version, whose stamps are told with its register.
#[must_use]
pub fn decide(here: &Circumstances, telling: &Telling<'_>, found: &Found, state: &VersionState) -> Outcome {
    let mut outcome = Outcome::default();
    let Some((object, _)) = found.object() else { return outcome };
    let mut look = false;
    for (category, cause) in &telling.changed {
        let held = held(*category, object, here.now_ns);
        let differs = held != indexed(*category, state, here.now_ns);
        let (last_had, had_at_ns) = last_had(*category, state, &here.site, here.now_ns);
        let changed = held != last_had;
        if changed && (differs || !is_empty(*category, object, here.now_ns)) {
            let grounds = Grounds { basis: Basis::Known, at_ns: cause.time_ns().max(had_at_ns.saturating_add(1)) };
            let mut stamps = Stamps::default();
            outcome.facts.extend(stamp(*category, object, grounds, state, &here.site, &mut stamps));
            outcome.events.push(here.event(cause, told_of(*category), found, only(*category, &stamps)));
        } else if differs {
            look = true;
        }
    }
    if look {
        outcome.facts.push(FactBody::Look);
    }
    outcome
}

/// A lock's value, whichever category it is of; a retention that has run out is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    Retention(Option<Retention>),
    LegalHold(bool),
    Neither,
}

impl Lock {
    fn retention(value: Option<Retention>, now_ns: i64) -> Self {
        Self::Retention(value.filter(|retention| retention.in_force(now_ns / NS_PER_MS)))
    }
}

fn held(category: Category, object: &ObjectReading, now_ns: i64) -> Lock {
    match category {
        Category::Retention => Lock::retention(object.retention, now_ns),
        Category::LegalHold => Lock::LegalHold(object.legal_hold),
        _ => Lock::Neither,
    }
}

fn indexed(category: Category, state: &VersionState, now_ns: i64) -> Lock {
    match category {
        Category::Retention => Lock::retention(state.retention().and_then(|stamp| stamp.value), now_ns),
        Category::LegalHold => Lock::LegalHold(state.legal_hold().is_some_and(|stamp| stamp.value)),
        _ => Lock::Neither,
    }
}

/// What this site last had, as far as it is known, and when: what it said itself or what was written into it, whichever
/// is later; none, if neither.
fn last_had(category: Category, state: &VersionState, site: &SiteName, now_ns: i64) -> (Lock, i64) {
    let (said, written) = (state.said.get(site), state.written.get(site));
    match category {
        Category::Retention => {
            let said = said
                .and_then(|said| said.retention.as_ref())
                .map(|held| (held.latest.changed_at_ns, held.latest.value));
            let written =
                written.and_then(|written| written.retention.as_ref()).map(|put| (put.at_ns, put.value.flatten()));
            let (at_ns, value) = later(said, written);
            (Lock::retention(value.flatten(), now_ns), at_ns)
        }
        Category::LegalHold => {
            let said = said.and_then(|said| said.legal_hold.as_ref()).map(|held| (held.changed_at_ns, held.value));
            let written = written.and_then(|written| written.legal_hold.as_ref());
            let written = written.map(|put| (put.at_ns, put.value.unwrap_or(false)));
            let (at_ns, value) = later(said, written);
            (Lock::LegalHold(value.unwrap_or(false)), at_ns)
        }
        _ => (Lock::Neither, i64::MIN),
    }
}

fn later<T>(said: Option<(i64, T)>, written: Option<(i64, T)>) -> (i64, Option<T>) {
    let last = match (said, written) {
        (Some(said), Some(written)) => Some(if said.0 > written.0 { said } else { written }),
        (said, written) => said.or(written),
    };
    last.map_or((i64::MIN, None), |(at_ns, value)| (at_ns, Some(value)))
}
