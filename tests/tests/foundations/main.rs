//! What end to end stands on: each real part by itself, and the rules in the simulation. In one program, so
//! that the simulation computes while the last of the parts wait.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod parts;
mod planted;
mod simulation;
