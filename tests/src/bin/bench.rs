//! `./justw bench`: see [`twinlog_tests::bench`].

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use twinlog_tests::{
    bench::{Backlog, Bench, run, run_backlog},
    lab_error::LabError,
    store_choice::StoreArgs,
};

/// Measure Twinlog beside the store's own replication.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Objects whose lag is taken.
    #[arg(long, default_value_t = 100)]
    samples: usize,
    /// Objects of a burst.
    #[arg(long, default_value_t = 3000)]
    burst: usize,
    /// Clients that write the burst.
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Size of the large object in MiB; 0: none.
    #[arg(long, default_value_t = 1024)]
    large_mib: u64,
    /// A large object of 5 GiB.
    #[arg(long)]
    large: bool,
    /// Seconds for which the idle pair is watched.
    #[arg(long, default_value_t = 20)]
    idle: u64,
    /// Measure only what a backlog of so many change events costs in memory, and a burst of notices.
    #[arg(long, value_name = "EVENTS")]
    backlog: Option<u64>,
    /// Object keys of the backlog.
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// Notices of the burst beside the backlog.
    #[arg(long, default_value_t = 50_000)]
    notices: u64,
    /// Resident memory beyond which the backlog or the burst fails, in megabytes (10^6 bytes).
    #[arg(long, default_value_t = 100)]
    peak_mb: u64,
    /// Seconds for which the backlog may drain, and the burst.
    #[arg(long, default_value_t = 3_600)]
    within: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match bench(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(args: Args) -> Result<(), LabError> {
    const MIB: u64 = 1024 * 1024;
    let kind = args.store.chosen()?;
    let folder =
        tempfile::Builder::new().prefix("twinlog-bench-").tempdir().map_err(LabError::io("making a folder"))?;
    if let Some(events) = args.backlog {
        let within = Duration::from_secs(args.within);
        let folder = folder.path().to_owned();
        let backlog = Backlog { kind, folder, events, keys: args.keys, notices: args.notices, within };
        let report = Box::pin(run_backlog(&backlog, |what| println!("{what}"))).await?;
        println!("\n{report}");
        let limit = format!("resident memory above {} MB", args.peak_mb);
        return LabError::if_any(&limit, report.above(args.peak_mb * 1_000_000));
    }
    let bench = Bench {
        kind,
        folder: folder.path().to_owned(),
        samples: args.samples,
        burst: args.burst,
        clients: args.clients,
        large: if args.large { 5 * 1024 * MIB } else { args.large_mib * MIB },
        idle: Duration::from_secs(args.idle),
    };
    match Box::pin(run(&bench, |what| println!("{what}"))).await {
        Ok(report) => {
            println!("\n{report}");
            Ok(())
        }
        Err(error) => {
            eprintln!("bench: logs are kept in {}", folder.keep().display());
            Err(error)
        }
    }
}
