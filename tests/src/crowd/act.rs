//! What a client may do, and how often each is drawn.

use rand::{Rng, rngs::SmallRng};

/// One thing that a client does. What it does it to is drawn too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// An object of up to 16 KiB, with headers, metadata, sometimes a checksum.
    PutSmall,
    /// An object of no bytes.
    PutEmpty,
    /// An object too large to travel in the log.
    PutLarge,
    /// A small object with tags.
    PutTagged,
    /// A small object under GOVERNANCE retention, for seconds or for a day.
    PutGoverned,
    /// A small object under COMPLIANCE retention for seconds.
    PutComplied,
    /// A small object under legal hold.
    PutHeld,
    /// An upload of one small part.
    OnePart,
    /// An upload of several parts, sometimes with gaps in their numbers.
    Multipart,
    /// A copy of any version, with its metadata and tags.
    Copy,
    /// A copy of any version with other metadata and tags.
    CopyReplace,
    /// Other tags on any version.
    Tag,
    /// No tags any more on any version.
    Untag,
    /// GOVERNANCE retention of any version, longer or, by its bypass, shorter.
    Govern,
    /// COMPLIANCE retention of any version, for seconds.
    Comply,
    /// No GOVERNANCE retention any more on any version, by its bypass.
    Release,
    /// A legal hold on any version.
    Hold,
    /// No legal hold any more on any version.
    Free,
    /// A DELETE without version id.
    Delete,
    /// A DELETE of any version or marker, with the bypass of GOVERNANCE.
    Remove,
    /// A DELETE of any version or marker, which a lock refuses.
    RemoveUnlocked,
    /// A DELETE of a marker: the object is back.
    RemoveMarker,
    /// A legal hold taken off, GOVERNANCE bypassed, and the version removed at once.
    FreeAndRemove,
    /// One request that names keys without version ids.
    MultiDelete,
    /// One request that names versions and markers.
    MultiRemove,
    /// One request that names both.
    MultiMixed,
}

/// Every act with its weight.
const WEIGHTS: [(Act, u32); 26] = [
    (Act::PutSmall, 140),
    (Act::PutEmpty, 15),
    (Act::PutLarge, 20),
    (Act::PutTagged, 50),
    (Act::PutGoverned, 30),
    (Act::PutComplied, 12),
    (Act::PutHeld, 20),
    (Act::OnePart, 12),
    (Act::Multipart, 6),
    (Act::Copy, 30),
    (Act::CopyReplace, 30),
    (Act::Tag, 70),
    (Act::Untag, 30),
    (Act::Govern, 30),
    (Act::Comply, 10),
    (Act::Release, 20),
    (Act::Hold, 25),
    (Act::Free, 30),
    (Act::Delete, 60),
    (Act::Remove, 60),
    (Act::RemoveUnlocked, 30),
    (Act::RemoveMarker, 25),
    (Act::FreeAndRemove, 15),
    (Act::MultiDelete, 15),
    (Act::MultiRemove, 20),
    (Act::MultiMixed, 15),
];

impl Act {
    /// Draws one.
    pub fn draw(rng: &mut SmallRng) -> Self {
        let total: u32 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut at = rng.random_range(0..total);
        for (act, weight) in WEIGHTS {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return act,
            }
        }
        Self::PutSmall
    }

    /// Whether a lock of the version may refuse it.
    #[must_use]
    pub fn meets_locks(self) -> bool {
        use Act::{
            Comply, FreeAndRemove, Govern, MultiMixed, MultiRemove, Release, Remove, RemoveMarker, RemoveUnlocked,
        };
        matches!(
            self,
            Comply
                | FreeAndRemove
                | Govern
                | MultiMixed
                | MultiRemove
                | Release
                | Remove
                | RemoveMarker
                | RemoveUnlocked
        )
    }

    /// Whether it names a version, which may be gone by the time it is asked for.
    #[must_use]
    pub fn names_a_version(self) -> bool {
        use Act::{Copy, CopyReplace, Free, Hold, Tag, Untag};
        self.meets_locks() || matches!(self, Copy | CopyReplace | Free | Hold | Tag | Untag)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn every_act_is_drawn() {
        let mut rng = SmallRng::seed_from_u64(1);
        let drawn: BTreeSet<Act> = (0..6_000).map(|_| Act::draw(&mut rng)).collect();
        assert_eq!(drawn, WEIGHTS.map(|(act, _)| act).into());
    }
}
