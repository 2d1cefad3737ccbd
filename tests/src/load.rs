//! Clients at both sites that write until told to stop, and know in the end what they wrote.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::{sync::watch, task::JoinHandle};

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
/// The same while nobody waits for more operations. What a test waits for then takes the longer the busier the machine
/// is; writes at full rate would only make it busier.
const IDLE_MS: u64 = 1_500;
/// How often in a row a store may tell a client to come again.
const BUSY: u32 = 5;

/// The clients while they write.
pub struct Load {
    /// Whose clients rest.
    pub rest: Rest,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    /// How many operations are waited for, of all that were written.
    goal: watch::Sender<u64>,
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
        let mut load = Self {
            rest: Rest::default(),
            stop: Arc::default(),
            written: Arc::default(),
            goal: watch::Sender::new(0),
            clients: Vec::new(),
        };
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
        let (stop, written, mut goal) = (Arc::clone(&self.stop), Arc::clone(&self.written), self.goal.subscribe());
        let mut rng = SmallRng::seed_from_u64(!seed);
        let mut busy = 0;
        self.clients.push(tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let acting = rest.turn(site.index()).await;
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                match writer.step().await {
                    Ok(_) => {
                        written.fetch_add(1, Ordering::SeqCst);
                        busy = 0;
                    }
                    Err(refused) if refused.busy() && busy < BUSY => busy += 1,
                    Err(refused) => return Err(refused),
                }
                drop(acting);
                let (pause, idle) = (rng.random_range(0..PAUSE_MS), rng.random_range(PAUSE_MS..IDLE_MS));
                tokio::time::sleep(Duration::from_millis(pause)).await;
                let wanted = goal.wait_for(|goal| written.load(Ordering::SeqCst) < *goal);
                // Whether it is wanted or was idle long enough: the next one.
                let _ = tokio::time::timeout(Duration::from_millis(idle), wanted).await;
            }
            Ok(writer.ledger().clone())
        }));
    }

    /// Has the clients write at full rate until [`Load::ease`], whether operations are waited for or not.
    pub fn press(&self) {
        self.goal.send_replace(u64::MAX);
    }

    /// Has them write at full rate only while operations are waited for; so they begin.
    pub fn ease(&self) {
        self.goal.send_replace(0);
    }

    /// Waits until so many more operations succeeded.
    ///
    /// # Errors
    /// [`LabError::NotInTime`] where the clients are stuck.
    pub async fn more(&self, operations: u64) -> Result<(), LabError> {
        let written = || self.written.load(Ordering::SeqCst);
        let goal = written() + operations;
        self.goal.send_replace(goal);
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
        self.press();
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
