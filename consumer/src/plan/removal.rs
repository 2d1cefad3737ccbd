//! Removal: terminal from any site, except against running COMPLIANCE, or a lock that a client set here and of which the
//! site that removed the version did not know.
//!
//! A store removes a version only if no lock is in force there. So a lock that had reached the removing site was lifted
//! there, ran out or was bypassed, even if no notice could tell of that any more: the version was gone.

use twinlog_schemas::{Basis, RetentionMode, SiteName, Stamp, StampRef};
use twinlog_site::{ObjectReading, Reading};

use super::attributes::in_force;
use super::{Action, Plan, Question, Rule, Target};

pub(super) fn plan(q: Question<'_>) -> Plan {
    match q.target {
        Target::Unread => Plan::Read(Rule::ReadFirst),
        Target::Read(Reading::Absent, _) => Plan::Nothing(Rule::RemovedIsTerminal),
        Target::Read(Reading::Marker { .. }, _) => Plan::Act(Rule::RemovalActs, vec![remove(false)]),
        Target::Read(Reading::Object(held), _) => against_locks(q, held),
    }
}

/// The store itself enforces its locks on the removal; this only decides which of them replication may lift for it.
fn against_locks(q: Question<'_>, held: &ObjectReading) -> Plan {
    let retention = in_force(held.retention, q.now_ms);
    // What a legal hold refuses is planned again by the fact of its lifting.
    let refuse = || match retention {
        Some(lock) => Plan::RefuseUntil(Rule::LockRefusesRemoval, lock.until_ms),
        None => Plan::Refuse(Rule::LockRefusesRemoval),
    };
    if retention.is_some_and(|r| r.mode == RetentionMode::Compliance) {
        return refuse();
    }
    let answered = q.answered.is_some_and(|answer| {
        in_force(answer.retention, q.now_ms) == retention && answer.legal_hold == held.legal_hold
    });
    if (retention.is_some() || held.legal_hold) && !answered {
        // Also one that is explained: a client may have set the same value again, and its notice be under way.
        return Plan::Doubt(Rule::LockInTheWay);
    }
    // A lock that its own site was asked about and does not explain otherwise is taken for a client's.
    let unexplained = (retention.is_some() && !q.index.explains_retention(retention, q.here, q.now_ms))
        || (held.legal_hold && !q.index.explains_legal_hold(true, q.here));
    let set_here = (retention.is_some()
        && clients(q.index.retention(), q.here, |stamp| q.index.removal_saw_retention(stamp)))
        || (held.legal_hold && clients(q.index.legal_hold(), q.here, |stamp| q.index.removal_saw_legal_hold(stamp)));
    if unexplained || set_here {
        return refuse();
    }
    let mut actions = Vec::new();
    if held.legal_hold {
        actions.push(Action::SetLegalHold(false));
    }
    actions.push(remove(retention.is_some()));
    Plan::Act(Rule::RemovalActs, actions)
}

/// Whether the deciding stamp is of a client at this site, after birth, and no site that removed the version had it.
fn clients<T>(stamp: Option<Stamp<T>>, here: &SiteName, seen: impl Fn(&StampRef) -> bool) -> bool {
    stamp.is_some_and(|stamp| stamp.site == *here && stamp.basis != Basis::Birth && !seen(&stamp.named()))
}

fn remove(bypass_governance: bool) -> Action {
    Action::Remove { bypass_governance, if_match: None }
}
