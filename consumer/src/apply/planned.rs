//! The ids of the change events that this process has planned with: a fact of one of them is done already.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use twinlog_schemas::EventId;

/// The newest ids, bounded; forgetting one costs a read of the target, never a mistake.
#[derive(Debug)]
pub struct Planned {
    bound: usize,
    ids: Mutex<(BTreeSet<EventId>, VecDeque<EventId>)>,
}

impl Planned {
    /// Remembers at most `bound` ids.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { bound, ids: Mutex::default() }
    }

    /// Remembers an id.
    pub fn remember(&self, id: EventId) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.0.insert(id) {
            ids.1.push_back(id);
        }
        if ids.1.len() > self.bound
            && let Some(oldest) = ids.1.pop_front()
        {
            ids.0.remove(&oldest);
        }
    }

    /// Whether the id is remembered.
    #[must_use]
    pub fn contains(&self, id: &EventId) -> bool {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).0.contains(id)
    }
}
