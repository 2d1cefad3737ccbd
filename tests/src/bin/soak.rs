//! `./justw soak`: see [`twinlog_tests::soak`]. Exit status 0: every round ended equal; 1: one did not.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use twinlog_tests::{
    lab_error::LabError,
    soak::{Soak, run},
    store_choice::StoreArgs,
};

/// Work and trouble at two sites in rounds, which must each end with equal sites.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// The first round's seed; each further one is the next number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Minutes for which new rounds begin.
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// What the clients of a round do, all together.
    #[arg(long, default_value_t = 600)]
    acts: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match soak(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: NOT EQUAL, or not to be run on: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn soak(args: Args) -> Result<(), LabError> {
    let kind = args.store.chosen()?;
    let folder = tempfile::Builder::new().prefix("twinlog-soak-").tempdir().map_err(LabError::io("making a folder"))?;
    let soak = Soak {
        kind,
        folder: folder.path().to_owned(),
        seed: args.seed,
        acts: args.acts,
        lasting: Duration::from_secs(args.minutes * 60),
    };
    match Box::pin(run(&soak, |line| println!("{line}"))).await {
        Ok(rounds) => {
            println!("soak on {kind}: {rounds} rounds, all EQUAL");
            Ok(())
        }
        Err(error) => {
            eprintln!("soak: logs are kept in {}", folder.keep().display());
            Err(error)
        }
    }
}
