//! Webhooks: each notification as a CloudEvent in structured JSON, signed.
//!
//! The body is sent byte for byte as it stands in the events topic. Headers: `Content-Type:
//! application/cloudevents+json`, `Webhook-Id` with the event's id, which is the same for every delivery, and
//! `Twinlog-Signature` (see [`signature`]).

mod courier;
pub mod signature;

pub use courier::{Courier, Patience, Webhook};

#[cfg(test)]
mod tests;
