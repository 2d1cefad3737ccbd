//! The notifier: tells people what the consumers beside a site put on record, many events in one message, and when it
//! is over.
//!
//! Two steps with the log between them, so that what was once written down is delivered as it stands, under one id,
//! however often it takes:
//!
//! 1. **Group** ([`Notifier`]): reads the site's events and dead letters, gathers those of one [`Subject`] over a window
//!    ([`Windows`], pure), and appends what is to be told as one CloudEvent to the events topic. What was begun and is
//!    not over stands in the control topic. Only then are the offsets committed.
//! 2. **Deliver**: each webhook reads the notifications from the events topic under a group of its own
//!    ([`webhook::Courier`]) and commits what was taken, or given up and counted. Alertmanager is not told of changes
//!    but of what stands, again and again ([`alertmanager::Sender`]).
//!
//! One process beside a site does all of it: the owner of lane 0 of apply, or of capture where nothing is applied. Two
//! at the same time, while a lane moves, may tell the same twice, under the same id.

pub mod alertmanager;
mod examine;
mod group;
pub mod http;
pub mod lag;
mod letter;
mod message;
mod notifier;
mod observe;
mod reading;
mod reconcile;
pub mod runbook;
pub mod s3_reason;
mod signal;
mod subject;
pub mod webhook;
mod windows;

pub use notifier::{Notifier, Parts};
pub use observe::{Ignore, Observer, Sent};
pub use signal::{At, Change, Said, Signal};
pub use subject::{Ends, Kind, Subject};
pub use windows::{Closed, Rules, Windows};

#[cfg(test)]
mod kinds;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
