//! Lanes: one share of all keys, owned by one process at a time, whose records are handled in order per key and in
//! parallel over keys, with the offsets committed by the ledger.

mod actor;
mod before;
mod ending;
mod group;
mod handler;
mod lease;
mod opening;
mod owned;
mod queue;
mod room;
mod source;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
mod tests;
mod watch;

pub use actor::{LaneConfig, LaneFault};
pub use before::Before;
pub use group::{LaneError, LaneGroup};
pub use handler::{Handler, Repeat, Slot};
pub use lease::{Lease, Uptime};
pub use source::{Select, Source};
pub use watch::{Lost, TopicNow, Unwatched, Watch};
