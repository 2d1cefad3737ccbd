//! Finding and reading the configuration's file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Config, Faults};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error(
        "configuration {path} cannot be read: {error}; name another with --config or TWINLOG_CONFIG, or begin with `twinlog config example`"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The operating system's words.
        error: std::io::Error,
    },
    /// The file holds faults.
    #[error("configuration {path} is not valid:\n{faults}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// All of them.
        faults: Faults,
    },
}

/// Reads the file at `path`, overlaid with `environment` (variables that do not begin with `TWINLOG_` are ignored).
pub fn load(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Config, LoadError> {
    let text = std::fs::read_to_string(path).map_err(|error| LoadError::Unreadable { path: path.to_owned(), error })?;
    let ours: BTreeMap<_, _> = environment.into_iter().filter(|(name, _)| name.starts_with("TWINLOG_")).collect();
    Config::parse(&text, &ours).map_err(|faults| LoadError::Invalid { path: path.to_owned(), faults })
}
