//! The rules of convergence as joins: total, commutative, associative, idempotent. Which of two is kept never depends
//! on when, where, in which order or how often they are told.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use twinlog_schemas::{Basis, LocksSeen, NullRegister, Removal, Retention, RetentionMode, Stamp, StampRef, Tags};

const NS_PER_MS: i128 = 1_000_000;

/// The order of a category's values, for two UNKNOWN stamps and for full ties: legal hold on, the later date, the
/// greater tag bytes.
pub trait Weight {
    /// Which of two values weighs more; `Equal` only if they are equal.
    fn weigh(&self, other: &Self) -> Ordering;
}

impl Weight for Tags {
    fn weigh(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Weight for bool {
    fn weigh(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Weight for Option<Retention> {
    fn weigh(&self, other: &Self) -> Ordering {
        let rank = |retention: &Retention| (retention.until_ms, retention.mode);
        self.as_ref().map(rank).cmp(&other.as_ref().map(rank))
    }
}

/// Which of two stamps wins (the greater): KNOWN beats UNKNOWN beats BIRTH; of two UNKNOWNs the weightier value, since
/// when they changed is not known; then the later change, then the greater site name, then the weightier value.
#[must_use]
pub fn compare<T: Weight>(one: &Stamp<T>, other: &Stamp<T>) -> Ordering {
    let value = || one.value.weigh(&other.value);
    one.basis
        .cmp(&other.basis)
        .then_with(|| if one.basis == Basis::Unknown { value() } else { Ordering::Equal })
        .then_with(|| one.changed_at_ns.cmp(&other.changed_at_ns))
        .then_with(|| one.site.cmp(&other.site))
        .then_with(value)
        .then_with(|| one.over.cmp(&other.over))
}

/// Which of two COMPLIANCE stamps is kept beside the latest (the greater): the one with the later date; then as
/// [`compare`].
#[must_use]
pub fn compare_compliance(one: &Stamp<Option<Retention>>, other: &Stamp<Option<Retention>>) -> Ordering {
    one.value.weigh(&other.value).then_with(|| compare(one, other))
}

/// Which of two registers of a null version wins (the greater): by time, then site, then OBJECT over MARKER over
/// REMOVED, then ETag.
#[must_use]
pub fn compare_null(one: &NullRegister, other: &NullRegister) -> Ordering {
    let time = one.at_ns.cmp(&other.at_ns).then_with(|| one.site.cmp(&other.site));
    time.then_with(|| (one.state, &one.etag, &one.over).cmp(&(other.state, &other.etag, &other.over)))
}

/// Which of two tellings of a removal is kept (the greater): any will do, since removed is terminal; so the earliest,
/// a client's before the lifecycle's.
#[must_use]
pub fn compare_removal(one: &Removal, other: &Removal) -> Ordering {
    let rank = |removal: &Removal| (removal.removed_at_ns, removal.lifecycle);
    rank(other).cmp(&rank(one)).then_with(|| other.cause.cmp(&one.cause))
}

/// Joins another telling of a site's removal: the greater of the two, with the greatest locks that either had seen;
/// whether that changed anything.
pub(crate) fn join_removal(slot: &mut Option<Removal>, told: &Removal) -> bool {
    let Some(held) = slot else {
        *slot = Some(told.clone());
        return true;
    };
    let (one, other) = (held.locks_seen.clone(), told.locks_seen.clone());
    let locks_seen = match (one, other) {
        (Some(one), Some(other)) => Some(LocksSeen {
            retention: StampRef::greater(one.retention, other.retention),
            legal_hold: StampRef::greater(one.legal_hold, other.legal_hold),
        }),
        (one, other) => one.or(other),
    };
    let kept = if compare_removal(told, held).is_gt() { told.clone() } else { held.clone() };
    let joined = Removal { locks_seen, ..kept };
    let news = joined != *held;
    *held = joined;
    news
}

/// Keeps the greater of what is there and what is told; whether that changed anything.
pub(crate) fn keep<T: Clone>(slot: &mut Option<T>, told: &T, order: impl Fn(&T, &T) -> Ordering) -> bool {
    let wins = slot.as_ref().is_none_or(|held| order(told, held).is_gt());
    if wins {
        *slot = Some(told.clone());
    }
    wins
}

/// The two registers of a version's retention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionRegisters {
    /// The winner by basis, time and site.
    pub latest: Stamp<Option<Retention>>,
    /// The COMPLIANCE stamp with the latest date, if there ever was one.
    pub compliance: Option<Stamp<Option<Retention>>>,
}

impl RetentionRegisters {
    /// The registers as a fact tells them. A `latest` that is COMPLIANCE counts for both; a `compliance` that is not
    /// counts for nothing.
    #[must_use]
    pub fn new(latest: Stamp<Option<Retention>>, compliance: Option<Stamp<Option<Retention>>>) -> Self {
        let mut registers = Self { compliance: compliance.filter(is_compliance), latest };
        if is_compliance(&registers.latest) {
            keep(&mut registers.compliance, &registers.latest, compare_compliance);
        }
        registers
    }

    /// Joins other registers of the same version; whether that changed anything.
    pub fn join(&mut self, other: &Self) -> bool {
        let latest = compare(&other.latest, &self.latest).is_gt();
        if latest {
            self.latest = other.latest.clone();
        }
        let compliance =
            other.compliance.as_ref().is_some_and(|told| keep(&mut self.compliance, told, compare_compliance));
        latest || compliance
    }

    /// The stamp that holds.
    #[must_use]
    pub fn effective(&self) -> &Stamp<Option<Retention>> {
        effective_retention(&self.latest, self.compliance.as_ref())
    }
}

fn is_compliance(stamp: &Stamp<Option<Retention>>) -> bool {
    stamp.value.is_some_and(|retention| retention.mode == RetentionMode::Compliance)
}

/// Which of a retention's two registers holds: the COMPLIANCE one if its date is later than the other's change, for
/// then it was in force when somebody said otherwise. Independent of when this is computed.
#[must_use]
pub fn effective_retention<'a>(
    latest: &'a Stamp<Option<Retention>>,
    compliance: Option<&'a Stamp<Option<Retention>>>,
) -> &'a Stamp<Option<Retention>> {
    let in_force = |stamp: &Stamp<Option<Retention>>| {
        stamp.value.is_some_and(|lock| i128::from(lock.until_ms) * NS_PER_MS > i128::from(latest.changed_at_ns))
    };
    match compliance {
        Some(compliance) if in_force(compliance) => compliance,
        _ => latest,
    }
}
