//! What end to end stands on: each real part by itself, and the rules in the simulation. In one program, since most of the
//! one is waiting and the other is computing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod parts;
mod planted;
mod simulation;
