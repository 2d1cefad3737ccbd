//! The null version of a key: one register over all sites, OBJECT, MARKER or REMOVED, by time, then site. It is
//! applied only if it is greater than what the target holds, and only over what the target was read to hold.
//!
//! Locks are told with the register that they are of, so the next one's site says nothing of them. A store that lets a
//! client replace a null version had it unlocked: what replication placed here is lifted for the next register, and what
//! a client set here is not.

use twinlog_schemas::{ChangeEvent, Encryption, NullRegister, NullState, RetentionMode, VersionKind};
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
            // No store sets attributes on a condition: what was meant for the object before, and came as this one took its
            // place, is here without a stamp, and nobody tells of it unless asked.
            Reading::Object(held) if attributes::unstamped(q, held) => Plan::Doubt(Rule::UnstampedValue),
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
    let plan = match winner.state {
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
    };
    match (plan, held) {
        (Plan::Act(rule, actions), Reading::Object(held)) => against_locks(q, held, listed_ms, rule, actions),
        // What would be refused is not asked for: its event was a dead letter, and its answer would be another. Nothing tells
        // that a retention has run out.
        (Plan::Ask(_), Reading::Object(held)) if keeps(q, held, listed_ms) => {
            match attributes::in_force(held.retention, q.now_ms) {
                Some(lock) => Plan::PutOff(Rule::LockedAtTarget, lock.until_ms),
                None => Plan::Nothing(Rule::LockedAtTarget),
            }
        }
        (plan, _) => plan,
    }
}

/// These actions take the place of an object. Not every store refuses that where the object is locked.
fn against_locks(
    q: Question<'_>,
    held: &ObjectReading,
    listed_ms: Option<i64>,
    rule: Rule,
    actions: Vec<Action>,
) -> Plan {
    let retention = attributes::in_force(held.retention, q.now_ms);
    if keeps(q, held, listed_ms) {
        // What a legal hold keeps is planned again by the fact of its lifting.
        return match retention {
            Some(lock) => Plan::RefuseUntil(Rule::LockedAtTarget, lock.until_ms),
            None => Plan::Refuse(Rule::LockedAtTarget),
        };
    }
    let mut lifted = Vec::new();
    if held.legal_hold {
        lifted.push(Action::SetLegalHold(false));
    }
    if retention.is_some() {
        lifted.push(Action::SetRetention(None));
    }
    lifted.extend(actions);
    Plan::Act(rule, lifted)
}

/// Whether a lock keeps this object: running COMPLIANCE, or one that replication did not place.
fn keeps(q: Question<'_>, held: &ObjectReading, listed_ms: Option<i64>) -> bool {
    let retention = attributes::in_force(held.retention, q.now_ms);
    let written = q.index.written.get(q.here).filter(|written| {
        let register = written.null.as_ref().and_then(|put| put.value.as_ref());
        register.is_some_and(|register| fits_object(register, held, listed_ms))
    });
    let written_retention = written.and_then(|written| written.retention.as_ref()?.value).flatten();
    let written_hold = written.and_then(|written| written.legal_hold.as_ref()?.value);
    let placed = attributes::in_force(written_retention, q.now_ms);
    retention.is_some_and(|lock| lock.mode == RetentionMode::Compliance || Some(lock) != placed)
        || (held.legal_hold && written_hold != Some(true))
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
    let object = match &event.object {
        None => return Plan::Refuse(Rule::NoState),
        Some(object) if object.encryption == Encryption::SseC => return Plan::Refuse(Rule::CustomerKey),
        Some(object) => object,
    };
    let put = |precondition| Action::Put(precondition, attributes::decided(q));
    let actions = match held {
        Reading::Absent => vec![put(Precondition::Absent)],
        // Encrypted, an object keeps its source's ETag only where that is sent along, which a store refuses that holds
        // one of that ETag. (The ETags of encrypted parts differ from one upload to the next.)
        Reading::Object(other)
            if other.etag == object.etag
                && object.parts.is_empty()
                && encrypted(other.encryption, object.encryption) =>
        {
            vec![purge(held), put(Precondition::Absent)]
        }
        Reading::Object(held) => vec![put(Precondition::Etag(held.etag.clone()))],
        Reading::Marker { .. } => vec![purge(held), put(Precondition::Absent)],
    };
    Plan::Act(Rule::NullRegisterWins, actions)
}

fn encrypted(one: Encryption, other: Encryption) -> bool {
    one != Encryption::None || other != Encryption::None
}

fn same(one: &NullRegister, other: &NullRegister) -> bool {
    one.state == other.state && one.at_ns == other.at_ns && one.etag == other.etag
}

/// Whether a register is what a store was read to hold: the same kind, the same millisecond, the same ETag.
fn fits(register: &NullRegister, held: &Reading, listed_ms: Option<i64>) -> bool {
    match (register.state, held) {
        (NullState::Removed, Reading::Absent) => true,
        (NullState::Marker, Reading::Marker { .. }) => same_time(register, listed_ms),
        (_, Reading::Object(held)) => fits_object(register, held, listed_ms),
        _ => false,
    }
}

fn fits_object(register: &NullRegister, held: &ObjectReading, listed_ms: Option<i64>) -> bool {
    register.state == NullState::Object && same_time(register, listed_ms) && same_etag(register, held)
}

fn same_time(register: &NullRegister, listed_ms: Option<i64>) -> bool {
    listed_ms.is_none_or(|ms| register.at_ns.div_euclid(NS_PER_MS) == ms)
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
