//! `twinlog run`: everything that belongs beside one site, from start to clean stop.
//!
//! Tasks, each named and joined: the tail of the facts, the watch on enabled buckets, housekeeping of the index, intake,
//! listen, the lanes of capture, the lanes of apply, the notifier, and the server of metrics. Stopping goes in two steps: first
//! whatever takes work in stops and drains ([`Stop::work`]), then what the drain needs ([`Stop::rest`]).

mod backlog;
mod beside;
mod consumer;
mod control;
mod enabled;
pub mod index;
mod lanes;
mod memory;
mod notifier;
mod pid;
mod producer;
mod retention;
mod stop;
mod subscribed;
mod sweeper;
mod tasks;
mod thresholds;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use beside::Beside;
use stop::Stop;

use crate::args::{Half, RunOptions};
use crate::build;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::telemetry;

/// How long a thread for calls that block is kept without one: commits come twice a second at most, each on the thread that
/// has waited longest, and would keep every thread that a busy start ever needed, with its stack.
const IDLE: Duration = Duration::from_millis(400);

/// `twinlog run`.
pub fn run(config: Config, options: RunOptions) -> Result<Exit, Failure> {
    if !config.sites.contains_key(&options.at) {
        let known = config.sites.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(Failure::config(format!(
            "--at {}: there is no [sites.{}]; there is {known}",
            options.at, options.at
        )));
    }
    telemetry::log::start(&config.telemetry)?;
    memory::bound();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_keep_alive(IDLE).build();
    let runtime = runtime.map_err(|error| Failure::internal(format!("the runtime cannot be started: {error}")))?;
    let result = runtime.block_on(work(Arc::new(config), &options));
    // Threads that close connections of the log may still be at it; a stop does not wait for them for ever.
    runtime.shutdown_timeout(Duration::from_secs(2));
    result
}

async fn work(config: Arc<Config>, options: &RunOptions) -> Result<Exit, Failure> {
    tracing::info!(site = %options.at, version = build::VERSION, commit = build::COMMIT, "twinlog starts");
    let stop = Stop::on_signals()?;
    let _pid = pid::PidFile::write(&config, options)?;
    let beside = tokio::select! {
        biased;
        () = stop.work.cancelled() => return Ok(Exit::Success),
        beside = Beside::start(config, options, stop.clone()) => beside?,
    };
    let result = beside.until_stopped().await;
    tracing::info!(site = %options.at, "twinlog has stopped");
    result.map(|()| Exit::Success)
}

impl RunOptions {
    /// Whether this process is to run that half.
    fn runs(&self, half: Half) -> bool {
        self.only.is_none_or(|only| only == half)
    }
}
