//! Deterministic simulation: in-memory sites with the real producer and consumer code on one in-memory log, on
//! simulated time, all from one seed.
//!
//! Clients act at every site; their notices reach the notices topic late, repeated and out of order; processes crash and
//! start again; requests fail before or after they act. Then writing stops, everything drains, and all sites must list
//! the same. A [`Profile`] says which of this happens: a mixed run finds little. The same profile and seed do the same
//! thing every time, down to the bytes in the log, so a failing seed is replayed by its number.

mod chaos;
mod clients;
mod clock;
mod courier;
mod dice;
mod drain;
mod failure;
mod gate;
mod ledger;
mod planted;
mod process;
mod profile;
mod reach;
mod replays;
mod seeds;
mod shown;
mod story;
mod sweeps;
mod trace;
mod verdict;
mod wire;
mod witness;
mod world;

pub use failure::Failure;
pub use planted::Planted;
pub use profile::{Operation, PROFILES, Profile, profile};
pub use seeds::run_seeds;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dice::Dice;
use world::World;

/// A run that ended as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The digest of everything that stands in the log and at the sites at the end.
    pub trace: String,
    /// What clients did, one line each.
    pub operations: Vec<String>,
    /// Versions listed at the end, at one site.
    pub versions: usize,
    /// Dead letters that are accounted for.
    pub letters: usize,
    /// Simulated time from the first write to the end.
    pub simulated: std::time::Duration,
}

/// Runs one seed of a profile.
///
/// # Errors
/// A [`Failure`] that names profile and seed, says what is wrong, and tells the story of the versions concerned.
pub fn run(profile: &Profile, seed: u64) -> Result<Report, Failure> {
    run_with(profile, seed, None)
}

/// Runs one seed of a profile with a fault planted.
///
/// # Errors
/// As [`run`]; then the fault was caught.
pub fn run_with(profile: &Profile, seed: u64, planted: Option<Planted>) -> Result<Report, Failure> {
    let failed = |what| Failure::new(profile, seed, planted, what);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| failed(format!("no runtime: {error}")))?;
    runtime.block_on(simulate(profile, seed, planted)).map_err(failed)
}

async fn simulate(profile: &Profile, seed: u64, planted: Option<Planted>) -> Result<Report, String> {
    let begun = tokio::time::Instant::now();
    let mut dice = Dice::new(seed, "world");
    let world = Arc::new(World::new(profile.clone(), planted, &mut dice).await?);
    let couriers: Vec<_> = world.places.iter().map(|place| courier::start(&world, place, &mut dice)).collect();
    let mut fleet = process::Fleet::start(&world, seed)?;
    let over = AtomicBool::new(false);
    let (mut ledger, chaos, replays) = tokio::join!(
        clients::act(&world, Dice::new(seed, "clients"), &over),
        chaos::wreak(&mut fleet, Dice::new(seed, "chaos"), &over),
        replays::ask(&world, Dice::new(seed, "replays"), &over),
    );
    let ended = async {
        chaos?;
        replays?;
        drain::drained(&world, &couriers).await?;
        if profile.frees {
            clients::free(&world).await?;
            drain::drained(&world, &couriers).await?;
        }
        sweeps::swept(&world, &fleet, &couriers, &mut ledger).await?;
        let verdict = verdict::of(&world, &ledger).await?;
        Ok((verdict, trace::digest(&world).await?))
    };
    let (verdict, trace) = ended.await.map_err(|what: String| format!("{what}\n{}", ledger.operations.join("\n")))?;
    Ok(Report {
        trace,
        operations: ledger.operations,
        versions: verdict.versions,
        letters: verdict.letters,
        simulated: begun.elapsed(),
    })
}
