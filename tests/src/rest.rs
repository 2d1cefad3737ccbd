//! The clients of a site rest while their store is away.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::site::Site;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Which sites' clients rest. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Rest {
    resting: Arc<[AtomicBool; 2]>,
    /// How many of each site's clients are in the middle of an act.
    acting: Arc<[AtomicU64; 2]>,
}

/// An act that is under way.
pub(crate) struct Acting<'a>(&'a AtomicU64);

impl Drop for Acting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Rest {
    /// The site's clients do nothing from now on; returns when each has finished what it was in the middle of.
    pub async fn begin(&self, site: Site) {
        self.resting[site.index()].store(true, Ordering::SeqCst);
        while self.acting[site.index()].load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// They go on.
    pub fn end(&self, site: Site) {
        self.resting[site.index()].store(false, Ordering::SeqCst);
    }

    /// A client's turn to act, once its site does not rest.
    pub(crate) async fn turn(&self, site: usize) -> Acting<'_> {
        loop {
            self.acting[site].fetch_add(1, Ordering::SeqCst);
            // Dropped if the site began to rest in between.
            let acting = Acting(&self.acting[site]);
            if !self.resting[site].load(Ordering::SeqCst) {
                return acting;
            }
            drop(acting);
            tokio::time::sleep(LOOK).await;
        }
    }
}
