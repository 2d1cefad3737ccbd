//! Clients at both sites that write until told to stop, and know in the end what they wrote.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::task::JoinHandle;

use crate::{
    compare::Bucket,
    lab_error::LabError,
    refused::Refused,
    rest::Rest,
    site::Site,
    until::until,
    workload::{Ledger, Mix, Writer},
};

/// Clients at each site.
const CLIENTS: u64 = 2;
/// The longest that a client rests between two operations: a load, not a flood, whose end has to be compared.
const PAUSE_MS: u64 = 150;

/// The clients while they write.
pub struct Load {
    /// Whose clients rest.
    pub rest: Rest,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Result<Ledger, Refused>>>,
}

impl Load {
    /// The keys that all clients share.
    #[must_use]
    pub fn keys() -> Vec<String> {
        Writer::keys("k", 16)
    }

    /// Begins to write to both buckets; what is written is drawn from the seed.
    #[must_use]
    pub fn begin(sites: &[Bucket; 2], mix: &Mix, seed: u64) -> Self {
        let mut load =
            Self { rest: Rest::default(), stop: Arc::default(), written: Arc::default(), clients: Vec::new() };
        for (site, at) in Site::BOTH.into_iter().zip(sites) {
            for client in 0..CLIENTS {
                // Of one client's seeds none is another's.
                let seed = seed.wrapping_mul(1_000_003).wrapping_add(site.index() as u64 * CLIENTS + client);
                let writer = Writer::new(at.client.clone(), &at.name, Self::keys(), mix.clone(), seed);
                load.client(site, writer, seed);
            }
        }
        load
    }

    fn client(&mut self, site: Site, mut writer: Writer, seed: u64) {
        let rest = self.rest.clone();
        let (stop, written) = (Arc::clone(&self.stop), Arc::clone(&self.written));
        let mut rng = SmallRng::seed_from_u64(!seed);
        self.clients.push(tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let acting = rest.turn(site.index()).await;
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                writer.step().await?;
                drop(acting);
                written.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..PAUSE_MS))).await;
            }
            Ok(writer.ledger().clone())
        }));
    }

    /// Waits until so many more operations succeeded.
    ///
    /// # Errors
    /// [`LabError::NotInTime`] where the clients are stuck.
    pub async fn more(&self, operations: u64) -> Result<(), LabError> {
        let written = || self.written.load(Ordering::SeqCst);
        let goal = written() + operations;
        until("the clients were stuck", Duration::from_secs(60), async || {
            let ended = self.clients.iter().filter(|client| client.is_finished()).count();
            let stands = || format!("{} of {goal} operations; {ended} clients were refused and ended", written());
            Ok(if written() >= goal { Ok(()) } else { Err(stands()) })
        })
        .await
    }

    /// Has all clients end, those that rest as well, and puts their ledgers together.
    ///
    /// # Errors
    /// What a store refused one of them.
    pub async fn end(self) -> Result<Ledger, LabError> {
        self.stop.store(true, Ordering::SeqCst);
        Site::BOTH.into_iter().for_each(|site| self.rest.end(site));
        let mut ledger = Ledger::default();
        for client in self.clients {
            match client.await {
                Ok(wrote) => ledger.absorb(wrote?),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        Ok(ledger)
    }
}
