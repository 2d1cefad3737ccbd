//! Holds: one bucket in one direction stops, with a reason, and goes on when the record that was refused is accepted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use twinlog_schemas::{BucketName, SiteName};

/// A bucket of a link into this site.
pub type Direction = (SiteName, BucketName);

/// The holds of this process. Cheap to share. A `Notify`, because a watch channel wakes those who wait in random order,
/// which a simulation must not.
#[derive(Debug, Default)]
pub struct Holds {
    state: Mutex<BTreeMap<Direction, String>>,
    changed: Notify,
}

impl Holds {
    fn state(&self) -> MutexGuard<'_, BTreeMap<Direction, String>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a direction; `false` if it was held already (then the reason stays).
    pub fn hold(&self, direction: &Direction, reason: &str) -> bool {
        let mut holds = self.state();
        let new = !holds.contains_key(direction);
        if new {
            holds.insert(direction.clone(), reason.to_owned());
        }
        new
    }

    /// Lets a direction go on; `false` if it was not held.
    pub fn release(&self, direction: &Direction) -> bool {
        let held = self.state().remove(direction).is_some();
        self.changed.notify_waiters();
        held
    }

    /// The reason, while held.
    #[must_use]
    pub fn reason(&self, direction: &Direction) -> Option<String> {
        self.state().get(direction).cloned()
    }

    /// Waits until the direction is not held.
    pub async fn released(&self, direction: &Direction) {
        loop {
            // Registered before looking, so that a release in between is not missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.reason(direction).is_none() {
                return;
            }
            changed.await;
        }
    }

    /// Everything that is held.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Direction, String> {
        self.state().clone()
    }
}
