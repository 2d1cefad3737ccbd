//! `Apply` between two in-memory sites, on simulated time: its handler is called with encoded records, and what stands
//! at the target and in the log afterwards is compared with what the sites' clients did.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attributes;
mod births;
mod bodies;
mod conflicts;
mod deaths;
mod doubts;
mod due;
mod guards;
mod healing;
mod lab;
mod letters;
mod null;
mod outages;
mod removals;
mod seen;
mod stuck;
mod uploads;
