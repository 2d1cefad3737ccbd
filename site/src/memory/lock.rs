//! When a lock refuses. Pure; `now_ms` is the store's clock.

use twinlog_schemas::{Retention, RetentionMode};

use super::refusal::Refusal;
use super::stored::StoredObject;

/// Whether a version may be removed by a request without REPLICA status.
pub(super) fn may_remove(object: &StoredObject, bypass_governance: bool, now_ms: i64) -> Result<(), Refusal> {
    let retained = object.retention.is_some_and(|retention| {
        retention.in_force(now_ms) && (retention.mode == RetentionMode::Compliance || !bypass_governance)
    });
    if object.legal_hold || retained { Err(Refusal::LOCKED) } else { Ok(()) }
}

/// Whether the retention may become `wanted`: COMPLIANCE in force is only extended, GOVERNANCE in force only extended
/// unless bypassed, and a new date lies in the future.
pub(super) fn may_retain(
    present: Option<Retention>,
    wanted: Option<Retention>,
    bypass_governance: bool,
    now_ms: i64,
) -> Result<(), Refusal> {
    if wanted.is_some_and(|wanted| !wanted.in_force(now_ms)) {
        return Err(Refusal::PAST);
    }
    let Some(present) = present.filter(|present| present.in_force(now_ms)) else { return Ok(()) };
    let extends = wanted.is_some_and(|wanted| wanted.mode == present.mode && wanted.until_ms >= present.until_ms);
    let bypassed = present.mode == RetentionMode::Governance && bypass_governance;
    if extends || bypassed { Ok(()) } else { Err(Refusal::LOCKED) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn retention() -> impl Strategy<Value = Option<Retention>> {
        proptest::option::of((any::<bool>(), 0i64..100).prop_map(|(compliance, until_ms)| Retention {
            mode: if compliance { RetentionMode::Compliance } else { RetentionMode::Governance },
            until_ms,
        }))
    }

    proptest! {
        /// COMPLIANCE in force never ends earlier and never changes its mode, bypassed or not.
        #[test]
        fn compliance_is_only_extended(present in retention(), wanted in retention(), bypass in any::<bool>(), now in 0i64..100) {
            let allowed = may_retain(present, wanted, bypass, now).is_ok();
            if let Some(present) = present.filter(|p| p.mode == RetentionMode::Compliance && p.in_force(now)) {
                let keeps = wanted.is_some_and(|w| w.mode == RetentionMode::Compliance && w.until_ms >= present.until_ms);
                prop_assert!(!allowed || keeps);
            }
        }
    }
}
