//! Alertmanager: told of everything that stands, again and again, and of what is over. It groups and silences by labels;
//! what nobody repeats ends there by itself, so nothing is lost for good when this process is.

mod alert;
mod board;
mod sender;

pub use sender::{Alertmanager, Sender};

#[cfg(test)]
mod tests;
