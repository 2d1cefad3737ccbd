//! A run that did not end as it should.

use super::Profile;

/// Which run, and what is wrong.
#[derive(Debug, Clone, thiserror::Error)]
#[error("profile {profile}, seed {seed}: {what}")]
pub struct Failure {
    /// The profile's name.
    pub profile: &'static str,
    /// The seed.
    pub seed: u64,
    /// What is wrong, with the story of the versions concerned.
    pub what: String,
}

impl Failure {
    pub(super) fn new(profile: &Profile, seed: u64, what: String) -> Self {
        Self { profile: profile.name, seed, what }
    }
}
