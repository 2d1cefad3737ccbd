//! The facts that change events carried and that this process has planned with: done already when they are read.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use twinlog_schemas::{Category, EventId, Fact};

/// Which fact: what one capture tells has one id, and an event may carry only some of it.
type Carried = (EventId, &'static str, Option<Category>);

/// The newest of them, bounded; forgetting one costs a read of the target, never a mistake.
#[derive(Debug)]
pub struct Planned {
    bound: usize,
    facts: Mutex<(BTreeSet<Carried>, VecDeque<Carried>)>,
}

impl Planned {
    /// Remembers at most `bound` facts.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { bound, facts: Mutex::default() }
    }

    /// Remembers a fact that an event carried.
    pub fn remember(&self, fact: &Fact) {
        let carried = name(fact);
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        if facts.0.insert(carried) {
            facts.1.push_back(carried);
        }
        if facts.1.len() > self.bound
            && let Some(oldest) = facts.1.pop_front()
        {
            facts.0.remove(&oldest);
        }
    }

    /// Whether the fact is remembered.
    #[must_use]
    pub fn contains(&self, fact: &Fact) -> bool {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).0.contains(&name(fact))
    }
}

fn name(fact: &Fact) -> Carried {
    (fact.event_id, fact.kind(), fact.category())
}
