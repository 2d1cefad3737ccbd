//! Sweeps: a comparison of two sites' version listings that finds what no notice told. Pure.
//!
//! [`compare()`] looks at the versions of one key at two sites, and at what the index says of them; [`Finding::asks`]
//! says which site's capture is to look again, and whether with leave to create. Listing the sites, writing the notices
//! and listing what vanished is left to whoever sweeps.
//!
//! A sweep never removes on absence alone, and creates only where absence proves that a version never came: so a sweep
//! that compares two listings of different moments does no harm.

mod compare;
mod finding;
mod side;

pub use compare::{Missing, compare};
pub use finding::{Ask, Finding, What};
pub use side::{Attributes, Line, Side};
