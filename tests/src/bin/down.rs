//! `./justw down`: ends what `./justw up` started, whoever of it still runs, and takes its folder away.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use twinlog_tests::session::{Environment, end, recorded, sweep};

/// End the pair that `up` left running.
#[derive(Debug, Parser)]
struct Args {
    /// Where it is.
    #[arg(long, default_value = ".twinlog")]
    folder: PathBuf,
}

fn main() -> ExitCode {
    match down(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("down: {error}");
            ExitCode::FAILURE
        }
    }
}

fn down(args: &Args) -> std::io::Result<()> {
    let folder = std::path::absolute(&args.folder)?;
    let Some(environment) = Environment::read(&folder)? else {
        println!("nothing is up: there is no {}", Environment::path(&folder).display());
        return Ok(());
    };
    let running = recorded(&environment, &folder);
    // Twinlog first: it finishes what is in flight while there still is a broker to tell it to.
    let (first, rest): (Vec<_>, Vec<_>) =
        running.into_iter().partition(|process| process.arguments.iter().any(|word| word == "run"));
    let mut many = 0;
    for group in [first, rest] {
        many += group.len();
        for killed in end(&group) {
            eprintln!("process {} did not end when asked to, and was killed", killed.pid);
        }
    }
    sweep(&folder)?;
    println!("ended {many} processes and removed {}", folder.display());
    Ok(())
}
