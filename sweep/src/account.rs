//! What a sweep comes to.

use std::collections::BTreeMap;

use twinlog_schemas::SiteName;

use crate::finding::What;

/// The counts of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Versions and markers that at least one of the two sites has.
    pub compared: u64,
    /// Versions that are not the same at both.
    pub differing: u64,
    /// Versions that never came to the other site.
    pub missing: u64,
    /// Versions that were removed and are there still.
    pub left: u64,
    /// Versions that a person gives up.
    pub given_up: u64,
    /// Versions of which nothing says what became of them, by the only site that has them.
    pub vanished: BTreeMap<SiteName, u64>,
    /// Objects whose tags and locks were not compared, because a store did not let them be read.
    pub unread: u64,
}

impl Account {
    pub(crate) fn count(&mut self, what: &What) {
        match what {
            What::Differs { .. } => self.differing += 1,
            What::Missing { .. } => self.missing += 1,
            What::Left { .. } => self.left += 1,
            What::GivenUp { .. } => self.given_up += 1,
            What::Vanished { at } => *self.vanished.entry(at.clone()).or_default() += 1,
        }
    }

    /// The versions of which somebody was asked to look again.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.differing + self.missing + self.left + self.given_up
    }

    /// The versions that vanished.
    #[must_use]
    pub fn vanished(&self) -> u64 {
        self.vanished.values().sum()
    }
}
