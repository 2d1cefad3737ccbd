//! What a running retention refuses is asked for again when it ends.

use std::time::Duration;

use twinlog_schemas::{ExamineCause, FactBody, Removal, Retention, RetentionMode, Told, VersionRef};
use twinlog_site::memory::ClientPut;
use twinlog_site::{Reading, Site};

use super::lab::Lab;
use crate::observe::Outcome;

/// A version under COMPLIANCE for ten seconds, and its refused removal.
async fn refused(lab: &Lab) -> VersionRef {
    let until_ms = lab.east.now_ns() / 1_000_000 + 10_000;
    let retention = Some(Retention { mode: RetentionMode::Compliance, until_ms });
    let version = lab.put(&ClientPut { retention, ..ClientPut::default() });
    lab.born(&version).await;
    let removal =
        Removal { removed_at_ns: lab.east.now_ns(), cause: "test".into(), lifecycle: false, locks_seen: None };
    lab.apply_fact(&lab.fact("east", &version, FactBody::Removed(removal))).await;
    assert_eq!(lab.seen.last_fact(), Outcome::Dead);
    version
}

/// Scenario: running COMPLIANCE refuses a removal; the process that saw it ends, and another one begins.
/// Guarantees: the removal's origin is asked once, not before the lock has ended; told again, the removal is executed.
#[tokio::test(start_paused = true)]
async fn a_refused_removal_is_asked_for_when_the_lock_ends() {
    let lab = Lab::new().await;
    let version = refused(&lab).await;
    lab.removals_due(Duration::from_secs(9)).await;
    assert!(lab.notices(lab.east.name()).is_empty(), "the lock still runs");
    lab.removals_due(Duration::from_secs(9)).await;
    let [asked] = &lab.notices(lab.east.name())[..] else { panic!("asked once") };
    assert_eq!((asked.cause, asked.may_create), (ExamineCause::Replay, false));
    assert_eq!(asked.version_id.as_ref(), Some(&version.version_id));
    lab.at_east.delete_version(&version, false).unwrap();
    lab.apply(&lab.event(&version, Told::Removed).await).await;
    assert_eq!(lab.seen.last(), (Outcome::Applied, "removal-acts"));
    assert_eq!(lab.at_target(&version).await, Reading::Absent);
    lab.removals_due(Duration::from_secs(3_600)).await;
    assert_eq!(lab.notices(lab.east.name()).len(), 1, "what was asked for is off the record");
}

/// Scenario: it is asked for in time, but the lock was extended meanwhile.
/// Guarantee: it is put off again.
#[tokio::test(start_paused = true)]
async fn a_lock_that_was_extended_puts_it_off_again() {
    let lab = Lab::new().await;
    let version = refused(&lab).await;
    let until_ms = lab.west.now_ns() / 1_000_000 + 60_000;
    let longer = Some(Retention { mode: RetentionMode::Compliance, until_ms });
    lab.at_west.retain(&lab.bucket, &lab.key, Some(&version.version_id), longer, false).unwrap();
    lab.removals_due(Duration::from_secs(20)).await;
    assert_eq!(lab.notices(lab.east.name()).len(), 1);
    lab.at_east.delete_version(&version, false).unwrap();
    let removed = lab.event(&version, Told::Removed).await;
    lab.apply(&removed).await;
    assert_eq!(lab.seen.last(), (Outcome::Dead, "lock-refuses-removal"));
    lab.removals_due(Duration::from_secs(60)).await;
    assert_eq!(lab.notices(lab.east.name()).len(), 2);
}
