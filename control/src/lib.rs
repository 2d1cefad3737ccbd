//! A site's control topic: what outlives a process and steers it. Holds, pauses, releases, what was skipped while a
//! bucket was held, guards, dirty buckets, sweeps, schemas. One compacted partition of small JSON records keyed by kind and
//! name, with a view of it that follows while the process runs.
//!
//! Who writes what, so that nobody overwrites another's word:
//!
//! | kind | begun by | ended by |
//! | --- | --- | --- |
//! | `hold` | whichever consumer beside the site meets the reason | the owner of lane 0, once it is mended; `bucket release` |
//! | `pause` | `bucket pause` | `bucket resume` |
//! | `release` | `bucket release` | nobody: the next one replaces it |
//! | `identity` | the first consumer that sees the bucket's two ends | `bucket release`, which accepts those of then |
//! | `away` | the consumer whose breaker opens | the same; the owner of lane 0 where that is gone |
//! | `skipped`, `guard` | the owner of the partition's lane | the same |
//! | `dirty` | capture | a sweep |
//! | `unbroken` | `bucket enable`; whoever takes a dirty mark back | `bucket disable`: the entry stays, without a time |
//! | `swept` | whoever sweeps | nobody: the next one replaces it |
//! | `sweep` | whoever finds that records of the log are gone unread | a sweep; `bucket release --swept` |
//! | `late` | the owner of lane 0 | the same |
//! | `topic` | the first process that reads the topic, and each that finds it changed or gone; `bucket enable`, `disable` | whoever finds it gone, where the configuration does not speak of it any more |
//! | `rewind` | `offsets rewind` | the owner of the partition's lane, once it has begun there |
//! | `stuck` | the owner of the partition's lane | the same, once the record is done |
//! | `schema` | every producer beside the site | nobody |
//! | `standing` | the notifier of the process that owns lane 0 | the same |

pub mod entry;
pub mod key;
pub mod reason;
pub mod sweep;
pub mod view;
pub mod watch;

pub use entry::{
    Away, DirtyBucket, Entry, Hold, Identity, Late, Pause, Release, Rewind, Skipped, Slice, Standing, Stretch, Stuck,
    Swept, TopicGone, TopicSeen, Unbroken,
};
pub use key::{Direction, Key, Scope, StandingKey};
pub use reason::Reason;
pub use sweep::{Sweep, Why};
pub use view::Control;
pub use watch::LogWatch;

#[cfg(test)]
mod tests;
