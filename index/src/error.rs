//! What can go wrong with an index.

use std::path::PathBuf;

/// Why the index did not do what was asked. An index is a cache: whatever is said here, no data is lost.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Another process has the folder: stop that one, or configure another folder.
    #[error("the index folder {} is in use by another process: stop that process, or set another state directory", .path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The folder cannot be made, locked or removed: check its owner and the disk.
    #[error("the index folder {} cannot be used: {source}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What was read makes no sense. The folder is marked and rebuilt at the next start: restart the process.
    #[error("the index in {} is corrupt and is rebuilt at the next start: {reason}", .path.display())]
    Corrupt {
        /// The folder.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The store below failed (disk full, input or output error): nothing of the call was applied.
    #[error("the index's store failed: {0}")]
    Store(String),
}
