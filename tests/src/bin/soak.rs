//! `./justw soak` and `./justw chaos`: see [`twinlog_tests::soak`]. Exit status 0: every round ended equal; 1: one did
//! not.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use twinlog_tests::{
    lab_error::LabError,
    soak::{Failed, Soak, Sort, run},
    store_choice::StoreArgs,
};

/// Work and trouble at two sites in rounds, which must each end with equal sites.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Everything that can go wrong at the wire too, and rounds of kills: `./justw chaos`.
    #[arg(long)]
    chaos: bool,
    /// The first round's seed; each further one is the next number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Minutes for which new rounds begin; with 0 there is one round.
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// What the clients of a round do, all together.
    #[arg(long, default_value_t = 600)]
    acts: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let sort = if args.chaos { Sort::Chaos } else { Sort::Soak };
    match soak(args, sort).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("{}: NOT EQUAL, or not to be run on: {failed}", sort.name());
            ExitCode::FAILURE
        }
    }
}

async fn soak(args: Args, sort: Sort) -> Result<(), Failed> {
    let kind = args.store.chosen().map_err(LabError::from)?;
    let name = sort.name();
    let folder = tempfile::Builder::new().prefix(&format!("twinlog-{name}-")).tempdir();
    let folder = folder.map_err(LabError::io("making a folder"))?;
    let soak = Soak {
        sort,
        kind,
        folder: folder.path().to_owned(),
        seed: args.seed,
        acts: args.acts,
        lasting: Duration::from_secs(args.minutes * 60),
    };
    match Box::pin(run(&soak, |line| println!("{line}"))).await {
        Ok(rounds) => {
            println!("{name} on {kind}: {rounds} rounds, all EQUAL");
            Ok(())
        }
        Err(failed) => {
            eprintln!("{name}: logs are kept in {}", folder.keep().display());
            Err(failed)
        }
    }
}
