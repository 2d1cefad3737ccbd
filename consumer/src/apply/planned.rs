//! The facts that change events carried and that this process has planned with: done already when they are read.

use std::sync::{Mutex, PoisonError};

use twinlog_schemas::{Category, EventId, Fact};

use super::newest::Newest;

/// Which fact: what one capture tells has one id, and an event may carry only some of it.
type Carried = (EventId, &'static str, Option<Category>);

/// The newest of them, bounded; forgetting one costs a read of the target, never a mistake.
#[derive(Debug)]
pub struct Planned(Mutex<Newest<Carried, ()>>);

impl Planned {
    /// Remembers at most `bound` facts.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self(Mutex::new(Newest::new(bound)))
    }

    /// Remembers a fact that an event carried.
    pub fn remember(&self, fact: &Fact) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name(fact), ());
    }

    /// Whether the fact is remembered.
    #[must_use]
    pub fn contains(&self, fact: &Fact) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&name(fact)).is_some()
    }
}

fn name(fact: &Fact) -> Carried {
    (fact.event_id, fact.kind(), fact.category())
}
