//! The offset ledger: which records of one partition are received, which are finished, and what may be committed.
//!
//! Pure state, no I/O, no clock. It tracks *received pending* offsets: the commit is the lowest one that is pending,
//! else the highest seen plus one; so gaps (compaction, transaction markers) never stall it. Offsets finished above
//! the commit go into the commit's metadata, so that a restart repeats nothing that was done.
//!
//! - The commit never passes a received record that is not finished.
//! - [`Ledger::commit`] then [`Ledger::restore`] and reading again from the commit yields, as [`Received::New`],
//!   exactly what was not finished. When more is finished above the commit than the metadata holds, the highest of it
//!   is forgotten and repeated; [`Ledger::may_dispatch`] says to stop well before that.
//! - One ledger belongs to one ownership of its partition; acknowledgements of an older ownership are the caller's to
//!   ignore.

mod metadata;
mod runs;

use std::collections::BTreeSet;

use crate::contract::Committed;
use crate::mark::Mark;
use crate::topic::TopicId;
use metadata::{Head, decode};
pub use metadata::{METADATA_LIMIT, MetadataError};
use runs::Runs;

/// At this length of the metadata nothing new is dispatched: three quarters of [`METADATA_LIMIT`].
pub const DISPATCH_LIMIT: usize = METADATA_LIMIT / 4 * 3;

/// See the module's documentation.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// Received and not finished; grows by `receive`, shrinks by `finish`.
    pending: BTreeSet<i64>,
    /// Finished, or known not to exist, at or above the commit; runs that the commit passes are dropped.
    done: Runs,
    /// The lowest offset that may still be received for the first time: what is below was received or does not exist.
    seen: i64,
    /// Whose last act the commit was that this was restored from, where they had drained everything.
    handed_over_by: Option<Mark>,
    /// The topic that the offsets are of, where that is known.
    topic: Option<TopicId>,
}

/// What a received offset is to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Not known yet: process it and call [`Ledger::finish`].
    New,
    /// Finished already (perhaps before a restart): skip it.
    Done,
    /// Received before and still pending: skip this copy.
    Pending,
}

/// An offset was finished that is not pending: a bug of the caller, upon which nothing may be committed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset} was finished without being pending (commit {commit}, next new {seen})")]
pub struct NotPending {
    /// The offset.
    pub offset: i64,
    /// What the ledger would commit.
    pub commit: i64,
    /// The lowest offset not yet received.
    pub seen: i64,
}

impl Ledger {
    /// A ledger of a partition that is read from `offset` on, with nothing done above it.
    #[must_use]
    pub fn at(offset: i64) -> Self {
        Self { pending: BTreeSet::new(), done: Runs::default(), seen: offset, handed_over_by: None, topic: None }
    }

    /// The same, of a topic whose id is known: the commits say so, and cannot be taken for those of another topic that
    /// was made under its name later.
    #[must_use]
    pub fn of(self, topic: Option<TopicId>) -> Self {
        Self { topic, ..self }
    }

    /// The topic that the offsets are of, where that is known.
    #[must_use]
    pub fn topic(&self) -> Option<TopicId> {
        self.topic
    }

    /// How many offsets below `end` are neither finished nor known not to exist.
    #[must_use]
    pub fn undone_below(&self, end: i64) -> i64 {
        let start = self.start();
        let done: i64 = self.done.iter().map(|(from, to)| (to.min(end) - from.max(start)).max(0)).sum();
        (end - start).max(0) - done
    }

    /// The ledger that a commit describes. Read the partition from [`Ledger::start`]. Unreadable metadata (a commit by
    /// another tool) is an error; `Ledger::at(committed.offset)` then repeats what was done above the commit.
    pub fn restore(committed: &Committed) -> Result<Self, MetadataError> {
        let (done, Head { handed_over_by, topic }) = decode(committed.offset, &committed.metadata)?;
        Ok(Self { pending: BTreeSet::new(), done, seen: committed.offset, handed_over_by, topic })
    }

    /// Where to read from: the commit.
    #[must_use]
    pub fn start(&self) -> i64 {
        self.commit_offset()
    }

    /// The owner that said by the commit, with [`Ledger::commit_handed_over`], that it had stopped all its work. Nothing is
    /// under way only if there was no other since: one that was stopped may say so late.
    #[must_use]
    pub fn handed_over_by(&self) -> Option<Mark> {
        self.handed_over_by
    }

    /// Takes note of a record that was read. Offsets of one assignment come in order; what is jumped over does not
    /// exist (any more) and counts as done.
    pub fn receive(&mut self, offset: i64) -> Received {
        if offset < self.seen {
            return if self.pending.contains(&offset) { Received::Pending } else { Received::Done };
        }
        self.done.insert(self.seen, offset);
        self.seen = offset + 1;
        let received = if self.done.contains(offset) {
            Received::Done
        } else {
            self.pending.insert(offset);
            Received::New
        };
        self.forget_below_commit();
        received
    }

    /// Takes note that a pending record is finished, in any order. True if the commit moved.
    pub fn finish(&mut self, offset: i64) -> Result<bool, NotPending> {
        let before = self.commit_offset();
        if !self.pending.remove(&offset) {
            return Err(NotPending { offset, commit: before, seen: self.seen });
        }
        self.done.insert(offset, offset + 1);
        self.forget_below_commit();
        Ok(self.commit_offset() > before)
    }

    /// The next offset to read after a restart: the lowest that is not finished.
    #[must_use]
    pub fn commit_offset(&self) -> i64 {
        match self.pending.first() {
            Some(lowest) => *lowest,
            None => self.done.end_of_run_at(self.seen),
        }
    }

    /// What to commit now.
    #[must_use]
    pub fn commit(&self) -> Committed {
        self.encoded(None)
    }

    /// What to commit as the last act of an ownership, once nothing is being worked on any more: the next owner need
    /// not wait for requests that may still be under way.
    #[must_use]
    pub fn commit_handed_over(&self, by: Mark) -> Committed {
        self.encoded(Some(by))
    }

    /// Whether more of this partition may be dispatched. False while what is finished above the commit takes three
    /// quarters of the metadata; true again once the lowest pending offset is finished.
    #[must_use]
    pub fn may_dispatch(&self) -> bool {
        metadata::shorter_than(DISPATCH_LIMIT, self.commit_offset(), &self.done, self.head(None))
    }

    /// How many records are received and not finished.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The lowest record that is received and not finished.
    #[must_use]
    pub fn lowest_pending(&self) -> Option<i64> {
        self.pending.first().copied()
    }

    /// The lowest offset not received yet: all below was received or does not exist.
    #[must_use]
    pub fn seen(&self) -> i64 {
        self.seen
    }

    fn encoded(&self, handed_over_by: Option<Mark>) -> Committed {
        let offset = self.commit_offset();
        Committed { offset, metadata: metadata::encode_what_fits(offset, &self.done, self.head(handed_over_by)) }
    }

    fn head(&self, handed_over_by: Option<Mark>) -> Head {
        Head { handed_over_by, topic: self.topic }
    }

    fn forget_below_commit(&mut self) {
        let commit = self.commit_offset();
        self.done.remove_below(commit);
        // What the commit passed by way of an earlier life's finished run need not be received any more.
        self.seen = self.seen.max(commit);
        debug_assert!(!self.done.contains(commit) && self.pending.last().is_none_or(|last| *last < self.seen));
    }

    /// The invariants in full: nothing is both pending and done, everything pending was seen, the commit is not done.
    #[cfg(test)]
    fn holds_together(&self) -> bool {
        self.pending.iter().all(|offset| *offset < self.seen && !self.done.contains(*offset))
            && !self.done.contains(self.commit_offset())
    }
}

#[cfg(test)]
mod tests;
