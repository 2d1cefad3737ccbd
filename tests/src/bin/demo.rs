//! `./justw demo`: see [`twinlog_tests::demo`]. Exit status 0: the buckets were equal; 1: they were not; 2: it could not
//! be shown.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use twinlog_tests::{
    demo::{Show, run},
    lab_error::LabError,
    store_choice::StoreArgs,
};

/// Show the main job live: two sites, written to at once, one of them away for a while, equal at the end.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// The seed of what the clients write.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds for which both sites are written to, before and after the outage.
    #[arg(long, default_value_t = 12)]
    together: u64,
    /// Seconds for which a site is away.
    #[arg(long, default_value_t = 10)]
    away: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match demo(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::from(2)
        }
    }
}

async fn demo(args: Args) -> Result<bool, LabError> {
    let kind = args.store.chosen()?;
    let folder = tempfile::Builder::new().prefix("twinlog-demo-").tempdir().map_err(LabError::io("making a folder"))?;
    let show = Show {
        kind,
        folder: folder.path().to_owned(),
        seed: args.seed,
        together: Duration::from_secs(args.together),
        away: Duration::from_secs(args.away),
    };
    let shown = tokio::select! {
        shown = Box::pin(run(show)) => shown,
        // Everything started dies with this process; the folder goes too.
        _ = tokio::signal::ctrl_c() => {
            println!("\nstopped");
            return Ok(false);
        }
    };
    let comparison = match shown {
        Ok(comparison) => comparison,
        Err(error) => {
            let kept = folder.keep();
            eprintln!("demo: logs are kept in {}", kept.display());
            return Err(error);
        }
    };
    println!("{comparison}");
    if !comparison.equal() {
        let kept = folder.keep();
        println!("the buckets DIFFER; logs are kept in {}", kept.display());
        return Ok(false);
    }
    println!("the buckets are EQUAL: {} versions, {} bytes of bodies compared", comparison.versions, comparison.bytes);
    Ok(true)
}
