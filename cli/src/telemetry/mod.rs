//! What the process tells about itself: log lines, metrics, and whether it is alive and ready.
//!
//! Every metric's name, labels and values stand in [`names`]; producer and consumer know none of it, they call their
//! observers, which [`producer`] and [`consumer`] turn into metrics.

pub mod backlog;
pub mod consumer;
pub mod log;
pub mod meters;
pub mod names;
pub mod notifier;
pub mod producer;
pub mod readiness;
pub mod server;

pub use backlog::{Backlog, Follows, Lag, Seen};
pub use consumer::ConsumerMetrics;
pub use meters::Metrics;
pub use notifier::NotifierMetrics;
pub use producer::ProducerMetrics;
pub use readiness::{Readiness, Reported};

#[cfg(test)]
mod tests;
