//! Who watches that nothing is lost between the log and its handlers: each record handled to its end is on record, and
//! so is how many outcomes were counted.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use twinlog_consumer::conflict::Conflict;
use twinlog_consumer::dead::open::Label;
use twinlog_consumer::failure::End;
use twinlog_consumer::observe::{Outcome, Stream};
use twinlog_log::lane::{Before, Handler, Repeat, Slot};
use twinlog_log::{Fetched, TopicPartition};
use twinlog_producer::Settled;
use twinlog_schemas::{BucketName, SiteName};

/// What the handlers of one group have done, in all its processes together.
#[derive(Default)]
pub(super) struct Accounts {
    done: Mutex<BTreeSet<(TopicPartition, i64)>>,
    /// Records handled to their end, those that were handled again too.
    handled: AtomicU64,
    /// Outcomes that were counted.
    counted: AtomicU64,
}

impl Accounts {
    pub(super) fn has(&self, at: &TopicPartition, offset: i64) -> bool {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).contains(&(at.clone(), offset))
    }

    /// Records handled, and outcomes counted.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.handled.load(Ordering::SeqCst), self.counted.load(Ordering::SeqCst))
    }

    pub(super) fn count(&self) {
        self.counted.fetch_add(1, Ordering::SeqCst);
    }
}

/// A handler that is watched.
pub(super) struct Witness {
    pub inner: Arc<dyn Handler>,
    pub accounts: Arc<Accounts>,
}

#[async_trait]
impl Handler for Witness {
    fn order_key(&self, record: &Fetched) -> Bytes {
        self.inner.order_key(record)
    }

    fn batch(&self) -> usize {
        self.inner.batch()
    }

    async fn prepare(&self, lane: i32, before: Before) {
        self.inner.prepare(lane, before).await;
    }

    async fn gap(&self, partition: &TopicPartition, from: i64, to: i64) {
        self.inner.gap(partition, from, to).await;
    }

    fn may_repeat(&self, again: tokio::sync::mpsc::Sender<Repeat>) {
        self.inner.may_repeat(again);
    }

    async fn handle(&self, slot: &mut Slot, records: &[Fetched]) {
        self.inner.handle(slot, records).await;
        let mut done = self.accounts.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.extend(records.iter().map(|record| (record.position.partition.clone(), record.position.offset)));
        self.accounts.handled.fetch_add(records.len() as u64, Ordering::SeqCst);
    }
}

/// Counts how notices end.
pub(super) struct OfCapture(pub Arc<Accounts>);

impl twinlog_producer::Observer for OfCapture {
    fn captured(&self, _: &BucketName) {
        self.0.count();
    }

    /// What is merged, superseded or untold was captured, and is counted there.
    fn settled(&self, _: &BucketName, how: Settled) {
        if matches!(how, Settled::Copy | Settled::Own | Settled::Irrelevant | Settled::Dirty | Settled::Dead) {
            self.0.count();
        }
    }
}

/// Counts how change events and facts end.
pub(super) struct OfApply(pub Arc<Accounts>);

impl twinlog_consumer::observe::Observer for OfApply {
    fn event_done(&self, _: Stream<'_>, _: Outcome, _: &'static str) {
        self.0.count();
    }

    fn fact_done(&self, _: Stream<'_>, _: Outcome) {
        self.0.count();
    }

    fn replicated(&self, _: Stream<'_>, _: f64, _: u64) {}
    fn replica_write(&self, _: Stream<'_>, _: &'static str) {}
    fn link_held(&self, _: &SiteName, _: &SiteName, _: Option<&str>) {}
    fn breaker(&self, _: &SiteName, _: &SiteName, _: End, _: bool) {}
    fn in_flight(&self, _: Stream<'_>, _: i64) {}
    fn unproved(&self, _: Stream<'_>) {}
    fn retried(&self, _: Stream<'_>, _: &str) {}
    fn dead_letter(&self, _: Stream<'_>, _: &str) {}
    fn dead_letters_open(&self, _: &Label, _: &SiteName, _: u64) {}
    fn held(&self, _: Stream<'_>, _: Option<&str>) {}
    fn doubted(&self, _: Stream<'_>) {}
    fn conflict_decided(&self, _: Stream<'_>, _: &Conflict) {}
    fn gap(&self, _: &str, _: i64) {}
}
