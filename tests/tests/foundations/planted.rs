//! The simulation bites: each fault that is planted is noticed by a named profile within a stated number of seeds, and so
//! each rule is both needed and tested. (That the same profiles are clean without a fault is what `simulation.rs` shows.)

use twinlog_tests::simulation::{Planted, profile, run_seeds};

/// Which profile notices which fault, within how many seeds.
const NOTICED: &[(Planted, &str, u64)] = &[
    (Planted::FactsPlanNothing, "overtaking", 20),
    (Planted::RemovalForgotten, "markers", 20),
    (Planted::BirthsUnsaid, "locks", 60),
    (Planted::TagsUnasked, "tags", 60),
    (Planted::LocksUnasked, "locks", 60),
    (Planted::NullsUnsaid, "nulls", 20),
    (Planted::UnknownsUnsaid, "lossy", 60),
    (Planted::RequestsNeverExpire, "zombies", 120),
    (Planted::MarkerBlind, "markers", 20),
    (Planted::CommitBeforePlan, "crashes", 80),
    (Planted::LedgerOffByOne, "crashes", 80),
    (Planted::ReplicaNoticesDropped, "tags", 20),
    (Planted::UntagsUnbelieved, "tags", 170),
    (Planted::ChangesCreate, "tags", 30),
    (Planted::FactsIgnored, "tags", 20),
    (Planted::TiesUnbroken, "ties", 60),
    (Planted::ComplianceForgotten, "locks", 60),
    (Planted::SweepsCreateAll, "lossy", 40),
    (Planted::AuditWithoutBaseline, "audits", 80),
    (Planted::ReceiptsForgotten, "audits", 40),
    (Planted::MarkerUnseen, "doubled", 20),
    (Planted::NullsBlind, "null-writes-three", 40),
    (Planted::KeysUnordered, "overtaking", 20),
    (Planted::RemovalsAsReplicas, "locked-meanwhile", 40),
    (Planted::TakeoverAtOnce, "takeovers", 60),
    (Planted::LanesForGranted, "zombies", 100),
];

#[test]
fn every_planted_fault_is_noticed() {
    let missed: Vec<_> = NOTICED
        .iter()
        .filter(|(planted, name, within)| {
            run_seeds(&profile(name).unwrap(), 0..*within, Some(*planted), 2, true).is_empty()
        })
        .map(|(planted, name, within)| format!("{} is not noticed by {within} seeds of {name}", planted.name()))
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn no_fault_is_left_out() {
    let noticed = |planted: &Planted| NOTICED.iter().any(|(noticed, _, _)| noticed == planted);
    assert!(Planted::ALL.iter().all(noticed));
}
