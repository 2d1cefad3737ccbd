//! Removal: terminal from any site, except against a lock that a client set here, or running COMPLIANCE.

use twinlog_schemas::{Basis, RetentionMode, SiteName, Stamp};
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
    if retention.is_some_and(|r| r.mode == RetentionMode::Compliance) {
        return Plan::Refuse(Rule::LockRefusesRemoval);
    }
    let unexplained = (retention.is_some() && !q.index.explains_retention(retention, q.here, q.now_ms))
        || (held.legal_hold && !q.index.explains_legal_hold(true, q.here));
    if unexplained {
        // A lock that its own site was asked about and does not explain otherwise is taken for a client's.
        let answered = q.answered.is_some_and(|answer| {
            in_force(answer.retention, q.now_ms) == retention && answer.legal_hold == held.legal_hold
        });
        return if answered { Plan::Refuse(Rule::LockRefusesRemoval) } else { Plan::Doubt(Rule::UnexplainedLock) };
    }
    let set_here = (retention.is_some() && clients(q.index.retention(), q.here))
        || (held.legal_hold && clients(q.index.legal_hold(), q.here));
    if set_here {
        return Plan::Refuse(Rule::LockRefusesRemoval);
    }
    let mut actions = Vec::new();
    if held.legal_hold {
        actions.push(Action::SetLegalHold(false));
    }
    actions.push(remove(retention.is_some()));
    Plan::Act(Rule::RemovalActs, actions)
}

/// Whether the deciding stamp is of a client at this site, after birth.
fn clients<T>(stamp: Option<Stamp<T>>, here: &SiteName) -> bool {
    stamp.is_some_and(|stamp| stamp.site == *here && stamp.basis != Basis::Birth)
}

fn remove(bypass_governance: bool) -> Action {
    Action::Remove { bypass_governance, if_match: None }
}
