//! Doubts under way: who waits for which ANSWER.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;
use twinlog_schemas::{EventId, Fact, FactBody};

/// The doubts of this process. The tail of the facts tells it every fact *after* merging it into the index, so whoever
/// has had the answer plans with everything that the answer's site knew.
#[derive(Debug, Default)]
pub struct Doubts {
    waiting: Mutex<BTreeMap<EventId, oneshot::Sender<()>>>,
}

impl Doubts {
    /// Expects the answer to this doubt; call it before the doubt is written.
    pub fn expect(&self, id: EventId) -> oneshot::Receiver<()> {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, sender| !sender.is_closed());
        waiting.insert(id, answer);
        answered
    }

    /// A fact has been merged into the index.
    pub fn tell(&self, fact: &Fact) {
        let FactBody::Answer(answer) = &fact.body else { return };
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&answer.doubt_id);
        if let Some(sender) = waiting {
            // Nobody waits any more: the lane was given up meanwhile.
            let _ = sender.send(());
        }
    }
}
