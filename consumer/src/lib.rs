//! Change events and facts in; replica writes, receipts, dead letters and doubts out.
//!
//! - [`plan`] decides, purely; [`apply`] executes, one key at a time; [`transfer`] moves bodies.
//! - [`failure`] is the one table of what an error means; [`guard`], [`storm`], [`deaths`] and [`hold`] stop a bucket
//!   in one direction, [`breaker`] an end of a link that does not answer, or lets nothing succeed.

pub mod apply;
pub mod breaker;
pub mod conflict;
pub mod deaths;
pub mod guard;
pub mod hold;
pub mod link;
pub mod observe;
pub mod plan;
pub mod storm;
pub mod transfer;

pub use apply::{Apply, ApplyConfig, Doubts, Parts};
pub use link::Link;
pub use twinlog_dead as dead;
pub use twinlog_failure as failure;
