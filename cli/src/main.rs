//! The one binary `twinlog`: reads the configuration, wires producer and consumer beside a site, and is the operator's
//! hand on buckets, topics and set-up.
//!
//! This file only chooses the command and turns its end into an exit code. Standard output carries results, standard
//! error messages.

mod args;
mod bucket;
mod build;
mod config;
mod deployment;
mod dlq;
mod doctor;
mod exit;
mod finding;
mod offsets;
mod retention;
mod run;
mod show;
mod status;
mod sweep;
mod telemetry;
mod topics;
mod verify;
mod wanted;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use args::{Args, BucketCommand, Command, ConfigCommand, OffsetsCommand};
use bucket::Steer;
use config::Config;
use exit::{Exit, Failure};

fn main() -> ExitCode {
    let args = Args::parse();
    match command(args) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("twinlog: {failure}");
            failure.exit.into()
        }
    }
}

fn command(args: Args) -> Result<Exit, Failure> {
    let path = args.config;
    match args.command {
        Command::Config { command: ConfigCommand::Example } => {
            print!("{}", config::EXAMPLE);
            Ok(Exit::Success)
        }
        Command::Config { command: ConfigCommand::Check } => {
            let config = load(&path)?;
            println!("{} is valid\n{}", path.display(), show::config(&config));
            Ok(Exit::Success)
        }
        Command::Run(options) => run::run(load(&path)?, options),
        Command::Bucket { command } => {
            let config = load(&path)?;
            work(async {
                match command {
                    BucketCommand::Enable(options) => bucket::enable(config, options).await,
                    BucketCommand::Disable(options) => bucket::disable(config, options).await,
                    BucketCommand::List(options) => bucket::list(config, options).await,
                    BucketCommand::Release(options) => {
                        let what = if options.swept { Steer::ReleaseSwept } else { Steer::Release };
                        bucket::steer(config, what, options.steer).await
                    }
                    BucketCommand::Pause(options) => bucket::steer(config, Steer::Pause, options).await,
                    BucketCommand::Resume(options) => bucket::steer(config, Steer::Resume, options).await,
                }
            })
        }
        Command::Offsets { command: OffsetsCommand::Rewind(options) } => {
            let config = load(&path)?;
            work(offsets::rewind(config, options))
        }
        Command::Status(options) => {
            let config = load(&path)?;
            work(status::status(config, options))
        }
        Command::Dlq { command } => {
            let config = load(&path)?;
            work(dlq::dlq(config, command))
        }
        Command::Topics(options) => {
            let config = load(&path)?;
            work(topics::topics(config, options))
        }
        Command::Doctor(options) => {
            let config = load(&path)?;
            work(doctor::doctor(config, options))
        }
        Command::Sweep(options) => {
            let config = load(&path)?;
            work(sweep::sweep(config, options))
        }
        Command::Verify(options) => {
            let config = load(&path)?;
            work(verify::verify(config, options))
        }
    }
}

fn load(path: &Path) -> Result<Config, Failure> {
    Ok(config::load(path, std::env::vars())?)
}

/// Runs a command that comes to an end by itself, quietly: only what needs a person is logged.
fn work(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    telemetry::log::quiet();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::internal(format!("the runtime cannot be started: {error}")))?.block_on(work)
}
