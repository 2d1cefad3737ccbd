//! Holds: one bucket in one direction stops, with a reason, and goes on when the record that was refused is accepted.

use std::collections::BTreeMap;

use tokio::sync::watch;
use twinlog_schemas::{BucketName, SiteName};

/// A bucket of a link into this site.
pub type Direction = (SiteName, BucketName);

/// The holds of this process. Cheap to share; the state is in one watch channel.
#[derive(Debug)]
pub struct Holds {
    state: watch::Sender<BTreeMap<Direction, String>>,
}

impl Default for Holds {
    fn default() -> Self {
        Self { state: watch::Sender::new(BTreeMap::new()) }
    }
}

impl Holds {
    /// Holds a direction; `false` if it was held already (then the reason stays).
    pub fn hold(&self, direction: &Direction, reason: &str) -> bool {
        self.state.send_if_modified(|holds| {
            let new = !holds.contains_key(direction);
            if new {
                holds.insert(direction.clone(), reason.to_owned());
            }
            new
        })
    }

    /// Lets a direction go on; `false` if it was not held.
    pub fn release(&self, direction: &Direction) -> bool {
        self.state.send_if_modified(|holds| holds.remove(direction).is_some())
    }

    /// The reason, while held.
    #[must_use]
    pub fn reason(&self, direction: &Direction) -> Option<String> {
        self.state.borrow().get(direction).cloned()
    }

    /// Waits until the direction is not held.
    pub async fn released(&self, direction: &Direction) {
        let mut changes = self.state.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = changes.wait_for(|holds| !holds.contains_key(direction)).await;
    }

    /// Everything that is held.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Direction, String> {
        self.state.borrow().clone()
    }
}
