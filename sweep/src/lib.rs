//! Sweeps: a comparison of two sites' version listings that finds what no notice told.
//!
//! [`compare()`] looks at the versions of one key at two sites, and at what the index says of them; [`Finding::asks`]
//! says which site's capture is to look again, and with what leave. Both are pure. [`Sweep`] lists a whole bucket at two
//! sites in step, in bounded memory, and leaves to its [`Around`] where the index comes from, how notices are written
//! and who is told of what vanished.
//!
//! A sweep never removes on absence alone, and creates only where absence proves that a version never came: so a sweep
//! that compares two listings of different moments does no harm.

mod account;
mod around;
mod compare;
mod finding;
mod pace;
mod run;
mod side;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
mod tests;

pub use account::Account;
pub use around::Around;
pub use compare::{Missing, compare};
pub use finding::{Ask, Finding, Leave, What};
pub use pace::Pace;
pub use run::{End, Scope, Sweep, SweepError};
pub use side::{Attributes, Line, Side, Whole};
