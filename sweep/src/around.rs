//! What a sweep has around it.

use async_trait::async_trait;
use twinlog_index::{IndexError, VersionState};
use twinlog_schemas::{ObjectKey, VersionRef};

use crate::account::Account;
use crate::finding::{Ask, What};
use crate::side::Whole;

/// The index, the notices topics and whoever is told.
///
/// An error of any call ends the sweep; it may be begun again, from the last key that [`Around::done_to`] was told.
#[async_trait]
pub trait Around: Send + Sync {
    /// Brings the index up to date with the facts of both sites. Where that cannot be done it is an error: a version
    /// that was removed would be taken for one that never came. Returns how far back what either site told is whole by
    /// now, in the order of the ends: a sweep takes hours, and what is lost meanwhile counts.
    async fn refresh(&self) -> Result<[Whole; 2], String>;

    /// What the index says of a version.
    fn known(&self, version: &VersionRef) -> Result<VersionState, IndexError>;

    /// Asks a site's capture to look at a version; returns once the log has it.
    async fn ask(&self, version: &VersionRef, ask: &Ask) -> Result<(), String>;

    /// Told of each finding, after everybody concerned was asked.
    fn found(&self, version: &VersionRef, what: &What);

    /// Everything up to this key is done with.
    async fn done_to(&self, key: &ObjectKey, account: &Account) -> Result<(), String>;
}
