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
mod ledger;
mod process;
mod profile;
mod shown;
mod story;
mod trace;
mod verdict;
mod wire;
mod world;

pub use failure::Failure;
pub use profile::{Operation, PROFILES, Profile, profile};

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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| Failure::new(profile, seed, format!("no runtime: {error}")))?;
    runtime.block_on(simulate(profile, seed))
}

async fn simulate(profile: &Profile, seed: u64) -> Result<Report, Failure> {
    let failed = |what: String| Failure::new(profile, seed, what);
    let begun = tokio::time::Instant::now();
    let mut dice = Dice::new(seed, "world");
    let world = Arc::new(World::new(profile.clone(), &mut dice).await.map_err(failed)?);
    let couriers: Vec<_> = world.places.iter().map(|place| courier::start(&world, place, &mut dice)).collect();
    let mut processes = process::Fleet::start(&world, seed).map_err(failed)?;
    let over = AtomicBool::new(false);
    let (ledger, chaos) = tokio::join!(
        clients::act(&world, Dice::new(seed, "clients"), &over),
        chaos::wreak(&mut processes, Dice::new(seed, "chaos"), &over),
    );
    let stand = |what: String| failed(format!("{what}\n{}", ledger.operations.join("\n")));
    chaos.map_err(stand)?;
    drain::drained(&world, &couriers).await.map_err(stand)?;
    let verdict = verdict::of(&world, &ledger).await.map_err(stand)?;
    let trace = trace::digest(&world).await.map_err(stand)?;
    Ok(Report {
        trace,
        operations: ledger.operations,
        versions: verdict.versions,
        letters: verdict.letters,
        simulated: begun.elapsed(),
    })
}
