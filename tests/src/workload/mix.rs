//! Which operations a writer does, and how often.

use rand::{Rng, rngs::SmallRng};

/// One thing that a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// An object of up to 16 KiB, with content headers and user metadata.
    PutSmall,
    /// An object of no bytes.
    PutEmpty,
    /// An object of 64 KiB to 2 MiB: too large to travel in the log.
    PutLarge,
    /// A small object with tags.
    PutTagged,
    /// A small object under GOVERNANCE retention for a day.
    PutRetained,
    /// A small object under legal hold.
    PutHeld,
    /// A multipart upload of odd parts, sometimes with gaps in their numbers.
    Multipart,
    /// A copy of a version, with its metadata or with others.
    Copy,
    /// A DELETE without version id: a marker.
    Delete,
    /// A DELETE of a version or a marker by its id.
    Remove,
    /// One request that removes a version by its id and marks two keys as deleted.
    MultiDelete,
    /// Other tags on a version.
    Tag,
    /// No tags any more.
    Untag,
    /// Longer GOVERNANCE retention of a version.
    Retain,
    /// A legal hold switched on and off again.
    Hold,
}

impl Operation {
    /// Whether it does something to a version that is there.
    #[must_use]
    pub fn needs_a_version(self) -> bool {
        use Operation::{Copy, Hold, MultiDelete, Remove, Retain, Tag, Untag};
        matches!(self, Copy | Remove | MultiDelete | Tag | Untag | Retain | Hold)
    }
}

/// Operations with their weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix(Vec<(Operation, u32)>);

impl Mix {
    /// A mix of one's own; weights are relative.
    #[must_use]
    pub fn of(weights: &[(Operation, u32)]) -> Self {
        Self(weights.to_vec())
    }

    /// Small objects only.
    #[must_use]
    pub fn small() -> Self {
        Self::of(&[(Operation::PutSmall, 1)])
    }

    /// Births, markers and removals, with tags and locks at birth. Needs object lock.
    #[must_use]
    pub fn versions() -> Self {
        use Operation::{
            Copy, Delete, MultiDelete, Multipart, PutEmpty, PutHeld, PutLarge, PutRetained, PutSmall, PutTagged, Remove,
        };
        Self::of(&[
            (PutSmall, 30),
            (PutEmpty, 3),
            (PutLarge, 8),
            (PutTagged, 12),
            (PutRetained, 6),
            (PutHeld, 3),
            (Multipart, 2),
            (Copy, 6),
            (Delete, 12),
            (Remove, 12),
            (MultiDelete, 6),
        ])
    }

    /// [`Mix::versions`] and changes of tags. Needs object lock.
    #[must_use]
    pub fn tags() -> Self {
        let mut mix = Self::versions();
        mix.0.extend([(Operation::Tag, 12), (Operation::Untag, 4)]);
        mix
    }

    /// All operations. Needs object lock.
    #[must_use]
    pub fn everything() -> Self {
        let mut mix = Self::tags();
        mix.0.extend([(Operation::Retain, 6), (Operation::Hold, 4)]);
        mix
    }

    /// Draws one.
    pub fn draw(&self, rng: &mut SmallRng) -> Operation {
        let total: u32 = self.0.iter().map(|(_, weight)| weight).sum();
        let mut at = rng.random_range(0..total.max(1));
        for (operation, weight) in &self.0 {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => return *operation,
            }
        }
        Operation::PutSmall
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn every_operation_of_a_mix_is_drawn_and_no_other() {
        let mut rng = SmallRng::seed_from_u64(1);
        for mix in [Mix::small(), Mix::versions(), Mix::everything()] {
            let drawn: BTreeSet<Operation> = (0..4_000).map(|_| mix.draw(&mut rng)).collect();
            assert_eq!(drawn, mix.0.iter().map(|(operation, _)| *operation).collect());
        }
    }
}
