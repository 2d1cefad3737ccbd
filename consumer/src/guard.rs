//! Guards: a bucket is written into only while both ends are set up alike, because a store does not protect a replica
//! from a wrong set-up: with versioning suspended a replica PUT succeeds and its markers do nothing.

use twinlog_control::{Identity, Reason};
use twinlog_site::{BucketState, Versioning};

/// What is wrong with a bucket's two ends; `None` if nothing is.
#[must_use]
pub fn fault(source: &BucketState, target: &BucketState) -> Option<Reason> {
    if target.versioning != Versioning::Enabled {
        return Some(Reason::TargetVersioningOff);
    }
    if source.versioning != Versioning::Enabled {
        return Some(Reason::SourceVersioningOff);
    }
    if source.object_lock && !target.object_lock {
        return Some(Reason::ObjectLockMissing);
    }
    if target.object_lock && !source.object_lock {
        return Some(Reason::ObjectLockMissingAtSource);
    }
    if source.default_retention != target.default_retention {
        return Some(Reason::DefaultRetentionDiffers);
    }
    if source.own_replication || target.own_replication {
        return Some(Reason::OwnReplicationOn);
    }
    None
}

/// Whether a bucket is another one than before at one end, by the times of creation.
#[must_use]
pub fn recreated(known: Identity, seen: Identity) -> Option<Reason> {
    let differs = |known: Option<i64>, seen: Option<i64>| known.zip(seen).is_some_and(|(known, seen)| known != seen);
    if differs(known.target_ms, seen.target_ms) {
        Some(Reason::TargetRecreated)
    } else if differs(known.source_ms, seen.source_ms) {
        Some(Reason::SourceRecreated)
    } else {
        None
    }
}

/// What is known of the two ends after a look: what was known, and what was not known before.
#[must_use]
pub fn identified(known: Option<Identity>, seen: Identity) -> Identity {
    let known = known.unwrap_or(Identity { source_ms: None, target_ms: None });
    Identity { source_ms: known.source_ms.or(seen.source_ms), target_ms: known.target_ms.or(seen.target_ms) }
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
            (good(), BucketState { versioning: Versioning::Suspended, ..good() }, Some(Reason::TargetVersioningOff)),
            (BucketState { versioning: Versioning::Never, ..good() }, good(), Some(Reason::SourceVersioningOff)),
            (good(), BucketState { object_lock: false, ..good() }, Some(Reason::ObjectLockMissing)),
            (BucketState { object_lock: false, ..good() }, good(), Some(Reason::ObjectLockMissingAtSource)),
            (good(), BucketState { default_retention: day, ..good() }, Some(Reason::DefaultRetentionDiffers)),
            (BucketState { own_replication: true, ..good() }, good(), Some(Reason::OwnReplicationOn)),
        ];
        for (source, target, reason) in cases {
            assert_eq!(fault(&source, &target), reason, "{source:?} -> {target:?}");
        }
    }

    #[test]
    fn only_another_time_of_creation_is_another_bucket() {
        let of = |source_ms, target_ms| Identity { source_ms, target_ms };
        let cases = [
            (of(Some(1), Some(2)), None),
            (of(None, None), None),
            (of(Some(1), Some(3)), Some(Reason::TargetRecreated)),
            (of(Some(9), Some(2)), Some(Reason::SourceRecreated)),
        ];
        for (seen, reason) in cases {
            assert_eq!(recreated(of(Some(1), Some(2)), seen), reason, "{seen:?}");
        }
        assert_eq!(recreated(of(None, None), of(Some(1), Some(2))), None);
        assert_eq!(identified(Some(of(Some(1), None)), of(Some(8), Some(2))), of(Some(1), Some(2)));
        assert_eq!(identified(None, of(Some(8), None)), of(Some(8), None));
    }
}
