//! A store in memory, for simulation and tests: [`MemorySite`] is a [`crate::Site`] with the quirks of a real store
//! ([`Quirks`]), and [`MemoryClient`] does to it what clients do, which raises notices as the store words them.
//!
//! Everything is deterministic: one state behind one lock, ordered maps, ids from a seed, time from an injected clock.
//! A write can be under way for a while, arrive after its expiry or after its sender gave up ([`Transit`]).

mod admission;
mod body;
mod client;
mod client_acts;
mod lock;
mod notice;
mod quirks;
mod reading;
mod refusal;
mod replica;
mod site;
mod store;
mod stored;
#[cfg(test)]
mod tests;
mod transit;
mod upload;

pub use client::{ClientDeleted, ClientPut, ClientWritten, MemoryClient};
pub use notice::{Door, Notice};
pub use quirks::{Quirks, Wording};
pub use site::{MemorySite, MemorySiteOptions, SiteClock};
pub use store::BucketSetup;
pub use transit::{Transit, TransitPlan};
