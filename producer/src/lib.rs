//! The producer beside one site: notices in, change events and facts out.
//!
//! [`intake`] takes webhooks and [`listen`] holds the store's fast door; both only append to the notices topic.
//! [`capture`] reads that topic lane by lane, reads each version afresh at the store, and writes what it found. Notices
//! are hints, the store is the truth: see [`notice`] for what of a notice is believed.

pub mod buckets;
pub mod capture;
mod copies;
pub mod freshness;
mod inbox;
pub mod intake;
pub mod listen;
pub mod notice;
pub mod observe;
mod producer;
mod subscribed;

pub use buckets::{BucketSettings, Selection};
pub use capture::{Capture, CaptureConfig, DirtyBucket};
pub use freshness::{AlwaysFresh, Freshness};
pub use intake::{IntakeConfig, QuarantineConfig, Token};
pub use listen::Listen;
pub use observe::{Dropped, Observer, Settled, Unobserved};
pub use producer::{Parts, Producer};
