//! What `up` leaves for people to play with, and `down` ends: a folder with a running pair, and the file `env` in it.

mod ending;
mod environment;
mod folder;

use std::path::Path;

pub use ending::{Running, end};
pub use environment::Environment;
pub use folder::{make, sweep};

/// The names of the process ids in the environment.
const PIDS: [&str; 5] = ["KAFKA_PID", "STORE_EAST_PID", "STORE_WEST_PID", "TWINLOG_EAST_PID", "TWINLOG_WEST_PID"];

/// What of a session still runs: the processes that it recorded, and every Twinlog that runs with its configuration.
#[must_use]
pub fn recorded(environment: &Environment, folder: &Path) -> Vec<Running> {
    let pids = PIDS.iter().filter_map(|name| environment.get(name)?.parse().ok());
    let mut running: Vec<Running> = pids.filter_map(|pid| Running::of(pid, folder)).collect();
    running.extend(Running::twinlogs(folder));
    running.sort_by_key(|process| process.pid);
    running.dedup();
    running
}
