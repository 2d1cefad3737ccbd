//! Intake: the HTTP doors for a store's webhooks. It does no S3 call, so it is as fast as the log.
//!
//! A 2xx answer means that the log has acknowledged every notice of the body. Everything else keeps the notice at the
//! store (503: again soon, and at once while the log is away) or in the quarantine (400). A caller without the token learns nothing but that.

mod answer;
mod gate;
mod quarantine;
mod server;
mod token;

pub use quarantine::{Quarantine, QuarantineConfig};
pub use server::{IntakeConfig, serve};
pub(crate) use server::{IntakeParts, router};
pub use token::Token;

#[cfg(test)]
mod tests;
