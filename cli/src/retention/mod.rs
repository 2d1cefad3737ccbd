//! How much of its topic's retention the oldest change event that waits has used up: when all of it is, the log deletes it
//! unread. An alarm goes out at half, and ends well below that.

mod judge;
mod waiting;

pub use judge::{ALARM, Change, judge, percent};
pub use waiting::{Followed, Waiting, waiting};
