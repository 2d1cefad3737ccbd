//! A set of offsets kept as runs, so that its size is that of its holes and not of its members.

use std::collections::BTreeMap;

/// Disjoint, non-touching runs: start to end (exclusive).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Runs(BTreeMap<i64, i64>);

impl Runs {
    /// Adds `start..end`, merging with what it overlaps or touches. An empty range adds nothing.
    pub(super) fn insert(&mut self, start: i64, end: i64) {
        if start >= end {
            return;
        }
        let (mut start, mut end) = (start, end);
        while let Some((&other_start, &other_end)) = self.0.range(..=end).next_back().filter(|(_, e)| **e >= start) {
            self.0.remove(&other_start);
            start = start.min(other_start);
            end = end.max(other_end);
        }
        self.0.insert(start, end);
    }

    pub(super) fn contains(&self, offset: i64) -> bool {
        self.end_of_run_at(offset) > offset
    }

    /// Where the run that contains `offset` ends, or `offset` itself if none does.
    pub(super) fn end_of_run_at(&self, offset: i64) -> i64 {
        self.0.range(..=offset).next_back().map_or(offset, |(_, end)| offset.max(*end))
    }

    /// Drops whatever lies below `offset`.
    pub(super) fn remove_below(&mut self, offset: i64) {
        while let Some(first) = self.0.first_entry().filter(|run| *run.key() < offset) {
            let end = first.remove();
            if end > offset {
                self.0.insert(offset, end);
                break;
            }
        }
    }

    /// The number of runs.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The runs in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.0.iter().map(|(start, end)| (*start, *end))
    }
}
