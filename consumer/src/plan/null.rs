//! The null version of a key: one register over all sites, OBJECT, MARKER or REMOVED, by time, then site. It is
//! applied only if it is greater than what the target holds, and only over what the target was read to hold.

use twinlog_schemas::{ChangeEvent, Encryption, NullRegister, NullState, VersionKind};
use twinlog_site::{ObjectReading, Precondition, Reading};

use super::{Action, Plan, Question, Rule, Target, attributes};

const NS_PER_MS: i64 = 1_000_000;

/// The register that an event stands for, made up where it does not say (the first schema had no place for it); `None`
/// for kinds that are not known.
pub(super) fn register(event: &ChangeEvent) -> Option<NullRegister> {
    if let Some(register) = &event.null_register {
        return Some(register.clone());
    }
    let state = match event.kind {
        VersionKind::Object => NullState::Object,
        VersionKind::DeleteMarker => NullState::Marker,
        VersionKind::Removed => NullState::Removed,
        VersionKind::Unknown => return None,
    };
    Some(NullRegister {
        state,
        at_ns: event.modified_at_ns,
        site: event.site.clone(),
        etag: event.object.as_ref().map(|object| object.etag.clone()),
        over: None,
    })
}

pub(super) fn plan(q: Question<'_>) -> Plan {
    let Some(winner) = q.index.null() else { return Plan::Nothing(Rule::OnlyBirthsCreate) };
    let Target::Read(held, listed_ms) = q.target else { return Plan::Read(Rule::ReadFirst) };
    if fits(&winner, held, listed_ms) {
        return match held {
            Reading::Object(held) => attributes::plan(q, held),
            _ => Plan::Nothing(Rule::NullRegisterLoses),
        };
    }
    // What is there must be known before it is replaced: it may be a client's, whose notice is still under way.
    let answered = q.answered.is_some_and(|answer| answer.present);
    let known =
        matches!(held, Reading::Absent) || answered || q.index.null_registers().any(|r| fits(&r, held, listed_ms));
    if !known {
        return Plan::Doubt(Rule::UnexplainedNull);
    }
    match winner.state {
        NullState::Removed => Plan::Act(Rule::NullRegisterWins, vec![purge(held)]),
        NullState::Marker => {
            let mut actions = Vec::new();
            if !matches!(held, Reading::Absent) {
                actions.push(purge(held));
            }
            actions.push(Action::PutMarker);
            Plan::Act(Rule::NullRegisterWins, actions)
        }
        NullState::Object => object(q, &winner, held),
    }
}

/// An OBJECT comes with its own event; a fact alone, or an event that has been overtaken, asks for it.
fn object(q: Question<'_>, winner: &NullRegister, held: &Reading) -> Plan {
    let Some(event) = q.event.filter(|event| register(event).is_some_and(|r| same(&r, winner))) else {
        return if q.event.is_some() {
            Plan::Nothing(Rule::NullRegisterLoses)
        } else {
            Plan::Ask(Rule::NullObjectAsked)
        };
    };
    match &event.object {
        None => return Plan::Refuse(Rule::NoState),
        Some(object) if object.encryption == Encryption::SseC => return Plan::Refuse(Rule::CustomerKey),
        Some(_) => {}
    }
    let put = |precondition| Action::Put(precondition, attributes::decided(q));
    let actions = match held {
        Reading::Absent => vec![put(Precondition::Absent)],
        Reading::Object(held) => vec![put(Precondition::Etag(held.etag.clone()))],
        Reading::Marker { .. } => vec![purge(held), put(Precondition::Absent)],
    };
    Plan::Act(Rule::NullRegisterWins, actions)
}

fn same(one: &NullRegister, other: &NullRegister) -> bool {
    one.state == other.state && one.at_ns == other.at_ns && one.etag == other.etag
}

/// Whether a register is what a store was read to hold: the same kind, the same millisecond, the same ETag.
fn fits(register: &NullRegister, held: &Reading, listed_ms: Option<i64>) -> bool {
    let same_time = listed_ms.is_none_or(|ms| register.at_ns.div_euclid(NS_PER_MS) == ms);
    match (register.state, held) {
        (NullState::Removed, Reading::Absent) => true,
        (NullState::Marker, Reading::Marker { .. }) => same_time,
        (NullState::Object, Reading::Object(held)) => same_time && same_etag(register, held),
        _ => false,
    }
}

fn same_etag(register: &NullRegister, held: &ObjectReading) -> bool {
    register.etag.as_ref().is_none_or(|etag| *etag == held.etag) || held.encryption != Encryption::None
}

fn purge(held: &Reading) -> Action {
    let if_match = match held {
        Reading::Object(held) => Some(held.etag.clone()),
        _ => None,
    };
    Action::Remove { bypass_governance: false, if_match }
}
