//! What has been merged since the last write to the file: states and positions that stand for those in the file.

use std::collections::BTreeMap;

use crate::position::{Partition, Position};
use crate::state::VersionState;

/// Bounded by whoever writes it to the file; see [`super::StoredIndex`].
#[derive(Debug, Default)]
pub(super) struct Young {
    /// Whole states, by the bytes of [`crate::key`].
    pub(super) states: BTreeMap<Vec<u8>, VersionState>,
    /// The next offset of each partition.
    pub(super) positions: BTreeMap<Partition, i64>,
}

impl Young {
    pub(super) fn is_empty(&self) -> bool {
        self.states.is_empty() && self.positions.is_empty()
    }

    /// How much there is to write.
    pub(super) fn len(&self) -> usize {
        self.states.len() + self.positions.len()
    }

    pub(super) fn place(&mut self, position: &Position) {
        self.positions.insert(position.partition.clone(), position.next);
    }

    /// The states whose keys begin with `prefix`.
    pub(super) fn range<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = (&'a Vec<u8>, &'a VersionState)> {
        self.states.range(prefix.to_vec()..).take_while(move |(key, _)| key.starts_with(prefix))
    }
}
