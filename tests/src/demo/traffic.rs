//! The clients of the demonstration: one at each site, at a steady pace, counted.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::MissedTickBehavior};

use crate::{
    compare::Bucket,
    site::Site,
    workload::{Mix, Operation, Writer},
};

/// Between two operations of one client.
const PACE: Duration = Duration::from_millis(60);

/// What one client did so far.
#[derive(Debug, Default)]
struct Counts {
    changes: AtomicU64,
    refused: AtomicU64,
    done: Mutex<BTreeMap<Operation, u64>>,
}

/// A client at each site.
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    /// Whether the site's client rests because the site is away.
    resting: [Arc<AtomicBool>; 2],
    counts: [Arc<Counts>; 2],
    clients: Vec<JoinHandle<()>>,
}

impl Traffic {
    pub(super) fn begin(buckets: [Bucket; 2], seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let resting = [Arc::default(), Arc::default()];
        let counts = [Arc::default(), Arc::default()];
        let mut traffic = Self { stop, resting, counts, clients: Vec::new() };
        for (site, bucket) in Site::BOTH.into_iter().zip(buckets) {
            // Half of the keys are the site's own, half are written at both.
            let mut keys = Writer::keys(&format!("{site}/report-"), 20);
            keys.extend(Writer::keys("shared/report-", 20));
            let writer = Writer::new(bucket.client, bucket.name, keys, Mix::tags(), seed + site.index() as u64);
            traffic.clients.push(traffic.client(site, writer));
        }
        traffic
    }

    fn client(&self, site: Site, mut writer: Writer) -> JoinHandle<()> {
        let (stop, resting) = (Arc::clone(&self.stop), Arc::clone(&self.resting[site.index()]));
        let counts = Arc::clone(&self.counts[site.index()]);
        tokio::spawn(async move {
            let mut pace = tokio::time::interval(PACE);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !stop.load(Ordering::SeqCst) {
                pace.tick().await;
                if resting.load(Ordering::SeqCst) {
                    continue;
                }
                if writer.step().await.is_err() {
                    counts.refused.fetch_add(1, Ordering::SeqCst);
                }
                counts.changes.store(writer.changes(), Ordering::SeqCst);
                counts.done.lock().unwrap_or_else(PoisonError::into_inner).clone_from(writer.done());
            }
        })
    }

    /// Changes that clients made at a site so far.
    pub(super) fn changes(&self, site: Site) -> u64 {
        self.counts[site.index()].changes.load(Ordering::SeqCst)
    }

    /// Operations that were refused at a site: none is expected while it is there.
    pub(super) fn refused(&self, site: Site) -> u64 {
        self.counts[site.index()].refused.load(Ordering::SeqCst)
    }

    /// Operations at both sites by kind.
    pub(super) fn done(&self) -> BTreeMap<Operation, u64> {
        let mut all = BTreeMap::new();
        for counts in &self.counts {
            for (operation, many) in counts.done.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                *all.entry(*operation).or_default() += many;
            }
        }
        all
    }

    /// Lets the client of a site rest, or go on.
    pub(super) fn rest(&self, site: Site, rest: bool) {
        self.resting[site.index()].store(rest, Ordering::SeqCst);
    }

    /// Stops both clients; what they are in the middle of is finished.
    pub(super) async fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for client in self.clients.drain(..) {
            // A client that panicked shows in its counts.
            let _ended = client.await;
        }
    }
}
