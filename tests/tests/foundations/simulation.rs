//! The simulation: many seeds of every profile, each of which must end with all sites equal. `./justw simulate`
//! runs more.

use twinlog_tests::simulation::{PROFILES, profile, run, run_seeds};

/// Seeds of a profile with two sites; with three a run costs more. Over all profiles together more than two thousand.
const SEEDS: u64 = 80;
const SEEDS_OF_THREE: u64 = 30;

/// Runs the seeds of one profile; every failing one is named, with the command that replays it.
fn holds(name: &str) {
    let profile = profile(name).unwrap();
    let seeds = if profile.sites == 2 { SEEDS } else { SEEDS_OF_THREE };
    let failures = run_seeds(&profile, 0..seeds, None, 1, false);
    let Some(first) = failures.first() else { return };
    let all: Vec<_> = failures.iter().map(|failure| failure.command()).collect();
    panic!("{} of {seeds} seeds of {name} failed:\n{}\n{first}", failures.len(), all.join("\n"));
}

/// A test of each profile, and one that none is left out.
macro_rules! profiles {
    ($($test:ident = $name:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            holds($name);
        })*

        #[test]
        fn every_profile_is_run() {
            assert_eq!([$($name),*], PROFILES);
            let of = |sites: usize| PROFILES.iter().filter(|name| profile(name).unwrap().sites == sites).count() as u64;
            assert!(of(2) * SEEDS + of(3) * SEEDS_OF_THREE >= 2_000);
        }
    };
}

profiles! {
    versions = "versions",
    markers = "markers",
    tags = "tags",
    locks = "locks",
    expiry = "expiry",
    nulls = "nulls",
    ties = "ties",
    crashes = "crashes",
    faults = "faults",
    zombies = "zombies",
    lossy = "lossy",
    replays = "replays",
    rebalances = "rebalances",
    skew = "skew",
    audits = "audits",
    doubled = "doubled",
    null_writes = "null-writes",
    null_locks = "null-locks",
    null_attributes = "null-attributes",
    null_removals = "null-removals",
    overtaking = "overtaking",
    locked_meanwhile = "locked-meanwhile",
    takeovers = "takeovers",
    everything = "everything",
    versions_of_three = "versions-three",
    markers_of_three = "markers-three",
    tags_of_three = "tags-three",
    locks_of_three = "locks-three",
    expiry_of_three = "expiry-three",
    nulls_of_three = "nulls-three",
    ties_of_three = "ties-three",
    crashes_of_three = "crashes-three",
    faults_of_three = "faults-three",
    zombies_of_three = "zombies-three",
    lossy_of_three = "lossy-three",
    replays_of_three = "replays-three",
    rebalances_of_three = "rebalances-three",
    skew_of_three = "skew-three",
    audits_of_three = "audits-three",
    doubled_of_three = "doubled-three",
    null_writes_of_three = "null-writes-three",
    null_locks_of_three = "null-locks-three",
    null_attributes_of_three = "null-attributes-three",
    null_removals_of_three = "null-removals-three",
    overtaking_of_three = "overtaking-three",
    locked_meanwhile_of_three = "locked-meanwhile-three",
    takeovers_of_three = "takeovers-three",
    everything_of_three = "everything-three",
}

/// Guarantee: a seed replays exactly, so its number is all that a report needs.
#[test]
fn a_seed_does_the_same_thing_twice() {
    for name in PROFILES {
        let profile = profile(name).unwrap();
        let [one, two] = [1, 1].map(|seed| run(&profile, seed).map_err(|failure| failure.what));
        assert!(one == two, "{name}");
        assert!(run(&profile, 2).map_err(|failure| failure.what) != one, "{name}: another seed is another run");
    }
}
