//! What only tests, the demonstration and the benchmark need: real servers, and ways to look at them.
//!
//! The tests themselves are in `tests/`, one file per subject.

pub mod bench;
pub mod bucket;
pub mod compare;
pub mod crowd;
pub mod data_folder;
pub mod demo;
pub mod deployment;
pub mod door;
pub mod kills;
pub mod lab;
pub mod lab_error;
pub mod load;
pub mod metrics;
pub mod pair;
pub mod proxy;
pub mod refused;
pub mod rest;
pub mod server;
pub mod session;
pub mod simulation;
pub mod site;
pub mod soak;
pub mod store_choice;
pub mod until;
pub mod wire;
pub mod workload;
