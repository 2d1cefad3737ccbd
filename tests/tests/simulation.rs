//! The simulation, by profile: many seeds, each of which must end with all sites equal.
//!
//! `TWINLOG_SIMULATION_SEEDS` is how many seeds each profile gets, `TWINLOG_SIMULATION_PROFILE` and
//! `TWINLOG_SIMULATION_SEED` replay one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use twinlog_tests::simulation::{PROFILES, profile, run};

/// Seeds of a profile with two sites; with three a run costs more.
const SEEDS: u64 = 100;
const SEEDS_OF_THREE: u64 = 30;

fn from_environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs the seeds of one profile; every failing one is named.
fn holds(name: &str) {
    let profile = profile(name).unwrap();
    let seeds = match from_environment("TWINLOG_SIMULATION_SEED") {
        Some(one) => one..one + 1,
        None => {
            let usual = if profile.sites == 2 { SEEDS } else { SEEDS_OF_THREE };
            0..from_environment("TWINLOG_SIMULATION_SEEDS").unwrap_or(usual)
        }
    };
    let count = seeds.end - seeds.start;
    let failures: Vec<_> = seeds.filter_map(|seed| run(&profile, seed).err()).collect();
    let Some(first) = failures.first() else { return };
    let all: Vec<_> = failures.iter().map(|failure| failure.seed).collect();
    panic!("{} of {count} seeds of {name} failed: {all:?}\n{first}", failures.len());
}

#[test]
fn versions() {
    holds("versions");
}

#[test]
fn tags() {
    holds("tags");
}

#[test]
fn locks() {
    holds("locks");
}

#[test]
fn expiry() {
    holds("expiry");
}

#[test]
fn nulls() {
    holds("nulls");
}

#[test]
fn crashes() {
    holds("crashes");
}

#[test]
fn faults() {
    holds("faults");
}

#[test]
fn zombies() {
    holds("zombies");
}

#[test]
fn rebalances() {
    holds("rebalances");
}

#[test]
fn skew() {
    holds("skew");
}

#[test]
fn everything() {
    holds("everything");
}

#[test]
fn versions_with_three_sites() {
    holds("versions-three");
}

#[test]
fn tags_with_three_sites() {
    holds("tags-three");
}

#[test]
fn locks_with_three_sites() {
    holds("locks-three");
}

#[test]
fn nulls_with_three_sites() {
    holds("nulls-three");
}

#[test]
fn everything_with_three_sites() {
    holds("everything-three");
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

/// Not a test of its own: replays what the environment names, or looks for failing seeds of one profile.
#[test]
#[ignore = "a tool: set TWINLOG_SIMULATION_PROFILE"]
fn replay() {
    let Ok(name) = std::env::var("TWINLOG_SIMULATION_PROFILE") else { return };
    holds(&name);
}
