//! What can go wrong with a server under test. Each kind tells a person what to look at.

use std::{path::PathBuf, process::ExitStatus, time::Duration};

/// A server did not come up, or did not do what a test asked of it.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A program is in none of the places looked at; `how` is the command that brings it.
    #[error("{what} was not found: {how}")]
    Missing {
        /// The program.
        what: String,
        /// What to do about it.
        how: String,
    },
    /// The operating system refused something: a folder, a file, a process, a port.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The process ended while it was being waited for.
    #[error("{name} ended with {status} while it was starting; the end of {}:\n{tail}", log.display())]
    Exited {
        /// The server.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Its log file.
        log: PathBuf,
        /// The last lines of that file.
        tail: String,
    },
    /// The process runs, but did not answer as a ready server does.
    #[error("{name} was not ready after {after:?} ({last}); the end of {}:\n{tail}", log.display())]
    NotReady {
        /// The server.
        name: String,
        /// How long it was waited for.
        after: Duration,
        /// What the last look found.
        last: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of that file.
        tail: String,
    },
    /// The server is not running, and what was asked needs it to.
    #[error("{name} is not running")]
    NotRunning {
        /// The server.
        name: String,
    },
    /// A store's administration refused a request.
    #[error("{what} was refused: {answer}")]
    Refused {
        /// What was asked.
        what: String,
        /// What the store said.
        answer: String,
    },
}

impl ServerError {
    /// An [`ServerError::Io`] for `map_err`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
