//! Guards: a bucket is written into only while both ends are set up alike, because a store does not protect a replica
//! from a wrong set-up: with versioning suspended a replica PUT succeeds and its markers do nothing.

use twinlog_site::{BucketState, Versioning};

/// What is wrong with a bucket's two ends, by the reason code of its hold; `None` if nothing is.
#[must_use]
pub fn fault(source: &BucketState, target: &BucketState) -> Option<&'static str> {
    if target.versioning != Versioning::Enabled {
        return Some("target-versioning-off");
    }
    if source.versioning != Versioning::Enabled {
        return Some("source-versioning-off");
    }
    if source.object_lock && !target.object_lock {
        return Some("object-lock-missing");
    }
    if target.object_lock && !source.object_lock {
        return Some("object-lock-missing-at-source");
    }
    if source.default_retention != target.default_retention {
        return Some("default-retention-differs");
    }
    if source.own_replication || target.own_replication {
        return Some("own-replication-on");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinlog_schemas::RetentionMode;
    use twinlog_site::DefaultRetention;

    fn good() -> BucketState {
        BucketState {
            created_ms: None,
            versioning: Versioning::Enabled,
            object_lock: true,
            default_retention: None,
            default_encryption: false,
            own_replication: false,
        }
    }

    #[test]
    fn every_fault_has_its_reason() {
        let day = Some(DefaultRetention { mode: RetentionMode::Governance, days: 1 });
        let cases = [
            (good(), good(), None),
            (good(), BucketState { versioning: Versioning::Suspended, ..good() }, Some("target-versioning-off")),
            (BucketState { versioning: Versioning::Never, ..good() }, good(), Some("source-versioning-off")),
            (good(), BucketState { object_lock: false, ..good() }, Some("object-lock-missing")),
            (BucketState { object_lock: false, ..good() }, good(), Some("object-lock-missing-at-source")),
            (good(), BucketState { default_retention: day, ..good() }, Some("default-retention-differs")),
            (BucketState { own_replication: true, ..good() }, good(), Some("own-replication-on")),
        ];
        for (source, target, reason) in cases {
            assert_eq!(fault(&source, &target), reason, "{source:?} -> {target:?}");
        }
    }
}
