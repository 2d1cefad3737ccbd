//! What can go wrong with a pair under test.

use std::time::Duration;

use crate::{refused::Refused, server::ServerError, site::Site};

/// A pair did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A server, or Twinlog's own process.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A store refused a client.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The `twinlog` binary is not where it is built.
    #[error("{} is missing: build it with `cargo build -p twinlog` in the same profile, or run `./justw test`", .0.display())]
    NoBinary(std::path::PathBuf),
    /// A `twinlog` command ended with an error.
    #[error("twinlog {command} ended with {status}:\n{said}")]
    Command {
        /// Its arguments.
        command: String,
        /// How it ended.
        status: String,
        /// Its exit code, where it was not killed.
        code: Option<i32>,
        /// What it printed on both its outputs.
        said: String,
    },
    /// The broker did not say how far a topic is.
    #[error("asking Kafka {what}: {error}")]
    Kafka {
        /// What was asked.
        what: String,
        /// Its answer.
        error: rdkafka::error::KafkaError,
    },
    /// A page of a Twinlog process could not be read.
    #[error("{url}: {why}")]
    Page {
        /// Which.
        url: String,
        /// Why.
        why: String,
    },
    /// A change became a dead letter for which there is no reason.
    #[error("dead letter at {site}, reason {reason}, of record {record:?}: {message}")]
    Letter {
        /// The site into which it was to be written.
        site: Site,
        /// Twinlog's reason code.
        reason: String,
        /// The record's key.
        record: String,
        /// What was wrong, in words.
        message: String,
    },
    /// The sites, or the work done, are not as they must be.
    #[error("{what}:\n  {}", .found.join("\n  "))]
    Unaccounted {
        /// Of which kind.
        what: String,
        /// Each thing that is wrong, in words.
        found: Vec<String>,
    },
    /// Something that was waited for did not come.
    #[error("{what} within {within:?}; at last: {last}")]
    NotInTime {
        /// What was waited for, e.g. `the buckets were not equal`.
        what: String,
        /// How long.
        within: Duration,
        /// How it stood at the end.
        last: String,
    },
}

impl LabError {
    /// An error where anything was found.
    ///
    /// # Errors
    /// [`LabError::Unaccounted`].
    pub fn if_any(what: &str, found: Vec<String>) -> Result<(), Self> {
        if found.is_empty() { Ok(()) } else { Err(Self::Unaccounted { what: what.to_owned(), found }) }
    }

    /// A [`ServerError::Io`] for `map_err`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let wrap = ServerError::io(what);
        move |error| wrap(error).into()
    }
}
