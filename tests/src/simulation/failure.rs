//! A run that did not end as it should.

use super::{Planted, Profile};

/// Which run, and what is wrong.
#[derive(Debug, Clone, thiserror::Error)]
#[error("profile {profile}, seed {seed}: {what}\nreplay it: {}", self.command())]
pub struct Failure {
    /// The profile's name.
    pub profile: &'static str,
    /// The seed.
    pub seed: u64,
    /// The fault that was planted.
    pub planted: Option<Planted>,
    /// What is wrong, with the story of the versions concerned.
    pub what: String,
}

impl Failure {
    pub(super) fn new(profile: &Profile, seed: u64, planted: Option<Planted>, what: String) -> Self {
        Self { profile: profile.name, seed, planted, what }
    }

    /// The command that does exactly the same again.
    #[must_use]
    pub fn command(&self) -> String {
        let planted = self.planted.map(|planted| format!(" --planted {}", planted.name())).unwrap_or_default();
        format!("./justw simulate --profile {} --seed {}{planted}", self.profile, self.seed)
    }
}
