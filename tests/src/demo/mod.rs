//! `./justw demo`: the main job, live, for a person to follow. Writes at both sites at once, stops a site and starts it
//! again while clients go on, and compares the two buckets version by version at the end.

mod show;
mod table;
mod traffic;

pub use show::{Show, run};
