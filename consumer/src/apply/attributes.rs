//! An event's stamps joined into what the index says.

use twinlog_index::VersionState;
use twinlog_schemas::{ChangeEvent, Fact, FactBody, Removal, RetentionMode, VersionKind};

use crate::plan::null_register;

/// Joins what an event carries: it may be read before the facts that were written with it.
pub(crate) fn join(state: &mut VersionState, event: &ChangeEvent) {
    let mut fact = |body| {
        state.merge_fact(&Fact {
            event_id: event.event_id,
            site: event.site.clone(),
            bucket: event.bucket.clone(),
            key: event.key.clone(),
            version_id: event.version_id.clone(),
            said_at_ns: event.observed_at_us.saturating_mul(1_000),
            body,
        });
    };
    if event.version_id.is_null() {
        if let Some(register) = null_register(event) {
            fact(FactBody::Null(register));
        }
    } else if event.kind == VersionKind::Removed {
        let removal =
            Removal { removed_at_ns: event.modified_at_ns, cause: event.cause.clone(), lifecycle: event.lifecycle };
        fact(FactBody::Removed(removal));
    }
    let Some(object) = &event.object else { return };
    if let Some(stamp) = &object.tags {
        fact(FactBody::Tags(stamp.clone()));
    }
    if let Some(stamp) = &object.retention {
        let compliance = stamp.value.is_some_and(|r| r.mode == RetentionMode::Compliance).then(|| stamp.clone());
        fact(FactBody::Retention { latest: stamp.clone(), compliance });
    }
    if let Some(stamp) = &object.legal_hold {
        fact(FactBody::LegalHold(stamp.clone()));
    }
}
