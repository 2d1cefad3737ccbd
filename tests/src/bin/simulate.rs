//! Runs the simulation for as many seeds as wanted, on all cores; prints each failing seed with the command that does
//! exactly the same again, and ends with 1 if there was one.
#![allow(clippy::print_stdout, reason = "it talks to whoever runs it")]

use std::num::NonZero;
use std::process::ExitCode;

use clap::Parser;
use twinlog_tests::simulation::{PROFILES, Planted, Profile, profile, run_seeds};

/// Deterministic simulation of sites, log and processes.
#[derive(Parser)]
struct Args {
    /// How many seeds of each profile.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// One seed only, told at length.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// One profile only; may be given several times.
    #[arg(long, value_parser = PROFILES.to_vec())]
    profile: Vec<String>,
    /// A fault to be planted: the run then tells which seed notices it first.
    #[arg(long, value_parser = Planted::ALL.map(Planted::name).to_vec())]
    planted: Option<String>,
    /// Threads; all cores by default.
    #[arg(long)]
    jobs: Option<usize>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok().map(NonZero::get)).unwrap_or(1);
    let seeds = args.seed.map_or(args.from..args.from.saturating_add(args.seeds), |seed| seed..seed + 1);
    let planted = args.planted.as_deref().and_then(Planted::named);
    let wanted = |name: &&&str| args.profile.is_empty() || args.profile.iter().any(|one| one == **name);
    let profiles: Vec<Profile> = PROFILES.iter().filter(wanted).filter_map(|name| profile(name)).collect();
    let mut failed = 0;
    for profile in &profiles {
        let begun = std::time::Instant::now();
        let failures = run_seeds(profile, seeds.clone(), planted, jobs, planted.is_some());
        failed += failures.len();
        let (took, count) = (begun.elapsed(), seeds.end - seeds.start);
        println!("{:18} {count} seeds in {:.1} s, {} failed", profile.name, took.as_secs_f64(), failures.len());
        for failure in failures {
            match args.seed {
                Some(_) => println!("{failure}"),
                None => println!("  {}\n    {}", first_line(&failure.what), failure.command()),
            }
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn first_line(what: &str) -> &str {
    what.lines().next().unwrap_or_default()
}
