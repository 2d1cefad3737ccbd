//! Twinlog end to end: real Kafka, real stores, the real binary.
//!
//! Every scenario runs on each store that is found, with the store in its name; where RustFS is not found its tests say
//! so and pass. All share one Kafka and one pair of each store (see [`twinlog_tests::lab`]).

#![recursion_limit = "256"]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attributes;
mod bad_records;
mod bad_set_up;
mod births;
mod chaos;
mod dangers;
mod dlq;
mod doors;
mod guards;
mod holds;
mod kafka_away;
mod kills;
mod large;
mod loops;
mod main_job;
mod matrix;
mod notifications;
mod outages;
mod outcomes;
mod random_work;
mod scenario;
mod sweeps;
mod tools;
mod writes;
