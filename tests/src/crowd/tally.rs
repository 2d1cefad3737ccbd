//! What became of the acts of a crowd.

use std::{collections::BTreeMap, fmt};

use super::Act;

/// Counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Acts that the store said it did.
    pub done: BTreeMap<Act, u64>,
    /// Acts for which there was nothing to do them to.
    pub idle: u64,
    /// Acts that the store refused, as it should: the version was gone, or locked.
    pub refused: BTreeMap<Act, u64>,
    /// Acts without an answer, or with a server's error: they may have been done or not.
    pub unanswered: u64,
}

impl Tally {
    /// All acts.
    #[must_use]
    pub fn acts(&self) -> u64 {
        self.done.values().sum::<u64>() + self.refused.values().sum::<u64>() + self.idle + self.unanswered
    }

    /// Adds what others did.
    pub fn absorb(&mut self, other: Self) {
        for (into, from) in [(&mut self.done, other.done), (&mut self.refused, other.refused)] {
            for (act, count) in from {
                *into.entry(act).or_default() += count;
            }
        }
        self.idle += other.idle;
        self.unanswered += other.unanswered;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, refused) = (self.done.values().sum::<u64>(), self.refused.values().sum::<u64>());
        write!(to, "{} acts: {done} done, {refused} refused, {} idle", self.acts(), self.idle)?;
        if self.unanswered > 0 { write!(to, ", {} unanswered", self.unanswered) } else { Ok(()) }
    }
}
