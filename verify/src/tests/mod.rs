//! Planted differences of every kind, through a scripted side and through the in-memory site; and the merge against a
//! plain comparison of whole listings.
#![allow(clippy::unwrap_used, reason = "tests")]

mod at_site;
mod merging;
mod planted;
mod scripted;
mod waiting;
