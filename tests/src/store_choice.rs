//! Which store a command runs on: what `--store` says, else RustFS where it is found, else MinIO.

use std::str::FromStr;

use crate::server::{ServerError, StoreKind};

/// The value of `--store`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreChoice(pub StoreKind);

impl FromStr for StoreChoice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = StoreKind::ALL.into_iter().find(|kind| kind.name() == name);
        known.map(Self).ok_or_else(|| format!("{name:?} is no store: use rustfs or minio"))
    }
}

/// The arguments by which every command is told its store.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct StoreArgs {
    /// rustfs or minio. Default: RustFS where it is found, else MinIO.
    #[arg(long)]
    store: Option<StoreChoice>,
}

impl StoreArgs {
    /// The store to run on.
    ///
    /// # Errors
    /// [`ServerError::Missing`] where its program is not there, with how to get it.
    pub fn chosen(self) -> Result<StoreKind, ServerError> {
        let kind = match self.store {
            Some(StoreChoice(kind)) => kind,
            None => StoreKind::available().first().copied().unwrap_or(StoreKind::MinIo),
        };
        kind.found().map(|_| kind)
    }
}
