//! What an event says of its version besides the object: for the index, which may read it before the facts.

#[cfg(test)]
use twinlog_index::VersionState;
use twinlog_schemas::{ChangeEvent, Fact, FactBody, Removal, RetentionMode, VersionKind};

use crate::plan::null_register;

/// What an event says besides its object: the facts that were written with it, as far as it carries them.
pub(crate) fn facts(event: &ChangeEvent) -> Vec<Fact> {
    let mut bodies = Vec::new();
    let register = null_register(event).filter(|_| event.version_id.is_null());
    if event.version_id.is_null() {
        bodies.extend(register.clone().map(FactBody::Null));
    } else if event.kind == VersionKind::Removed {
        let removal = Removal {
            removed_at_ns: event.modified_at_ns,
            cause: event.cause.clone(),
            lifecycle: event.lifecycle,
            locks_seen: event.locks_seen.clone(),
        };
        bodies.push(FactBody::Removed(removal));
    }
    if let Some(object) = &event.object {
        bodies.extend(object.tags.clone().map(FactBody::Tags));
        bodies.extend(object.retention.clone().map(|stamp| {
            let compliance = stamp.value.is_some_and(|r| r.mode == RetentionMode::Compliance).then(|| stamp.clone());
            FactBody::Retention { latest: stamp, compliance }
        }));
        bodies.extend(object.legal_hold.clone().map(FactBody::LegalHold));
    }
    let fact = |body| Fact {
        event_id: event.event_id,
        site: event.site.clone(),
        bucket: event.bucket.clone(),
        key: event.key.clone(),
        version_id: event.version_id.clone(),
        said_at_ns: event.observed_at_us.saturating_mul(1_000),
        of: register.clone(),
        body,
    };
    bodies.into_iter().map(fact).collect()
}

/// Joins what an event carries: it may be read before the facts that were written with it.
#[cfg(test)]
pub(crate) fn join(state: &mut VersionState, event: &ChangeEvent) {
    for fact in facts(event) {
        state.merge_fact(&fact);
    }
}
