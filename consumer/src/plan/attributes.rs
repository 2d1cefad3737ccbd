//! Tags, retention and legal hold: what the index decides, compared with what the target holds.

use twinlog_schemas::{Retention, StoreReading};
use twinlog_site::ObjectReading;

use super::{Action, Attributes, Plan, Question, Rule};

/// What the index says of all three categories; where it says nothing there is nothing.
pub(super) fn decided(q: Question<'_>) -> Attributes {
    Attributes {
        tags: q.index.tags().map(|stamp| stamp.value).unwrap_or_default(),
        retention: in_force(q.index.retention().and_then(|stamp| stamp.value), q.now_ms),
        legal_hold: q.index.legal_hold().is_some_and(|stamp| stamp.value),
    }
}

/// Brings a version that is there to what the index decides. A category of which the index has no stamp is left alone:
/// a value there is a client's, whose own fact will plan again. A value that differs and is not what this site last had is
/// never overwritten before the site has been asked.
pub(super) fn plan(q: Question<'_>, held: &ObjectReading) -> Plan {
    let want = decided(q);
    let mut actions = Vec::new();
    if q.index.tags().is_some() && want.tags != held.tags {
        let answered = q.answered.is_some_and(|answer| answer.tags == held.tags);
        if !answered && !q.index.had_tags(&held.tags, q.here) {
            return Plan::Doubt(Rule::UnexplainedValue);
        }
        actions.push(Action::SetTags(want.tags));
    }
    let held_retention = in_force(held.retention, q.now_ms);
    if q.index.retention().is_some() && want.retention != held_retention {
        let answered = q.answered.is_some_and(|answer| in_force(answer.retention, q.now_ms) == held_retention);
        if !answered && !q.index.had_retention(held_retention, q.here, q.now_ms) {
            return Plan::Doubt(Rule::UnexplainedValue);
        }
        actions.push(Action::SetRetention(want.retention));
    }
    if q.index.legal_hold().is_some() && want.legal_hold != held.legal_hold {
        let answered = q.answered.is_some_and(|answer| answer.legal_hold == held.legal_hold);
        if !answered && !q.index.had_legal_hold(held.legal_hold, q.here) {
            return Plan::Doubt(Rule::UnexplainedValue);
        }
        actions.push(Action::SetLegalHold(want.legal_hold));
    }
    if actions.is_empty() { Plan::Nothing(Rule::AlreadyThere) } else { Plan::Act(Rule::IndexDecides, actions) }
}

/// Whether a category holds something of which the index has no stamp, and this site has not been asked about it.
pub(super) fn unstamped(q: Question<'_>, held: &ObjectReading) -> bool {
    let of_held = |answer: &StoreReading| {
        (&answer.tags, answer.retention, answer.legal_hold) == (&held.tags, held.retention, held.legal_hold)
    };
    let tags = q.index.tags().is_none() && !held.tags.is_empty();
    let retention = q.index.retention().is_none() && in_force(held.retention, q.now_ms).is_some();
    let legal_hold = q.index.legal_hold().is_none() && held.legal_hold;
    (tags || retention || legal_hold) && !q.answered.is_some_and(of_held)
}

/// An expired retention equals none.
pub(super) fn in_force(retention: Option<Retention>, now_ms: i64) -> Option<Retention> {
    retention.filter(|retention| retention.in_force(now_ms))
}
