//! What a lane does with records: the contract between the lane and capture or apply.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::before::Before;
use super::ending::Ending;
use crate::record::Fetched;
use crate::topic::{TopicName, TopicPartition};

/// Handles the records of a lane.
///
/// - Records with the same [`order_key`](Handler::order_key) are handled one call after the other, in the order in
///   which they were read; different keys in parallel, up to the lane's concurrency.
/// - A call that returns has *done* its records: their offsets may be committed. There is no failure: whoever cannot
///   do a record keeps trying, waiting in [`Slot::rest`], or writes it to a dead-letter topic and returns.
/// - A call that has called [`Slot::give_back`] has not done them: their partition is read no further, nothing of it
///   stays in memory, and it begins again where it was committed once its topic is wanted again.
/// - A call may be dropped at any await (lane lost, shutdown past its deadline); its records come again. Where a lane is
///   handed over, calls that wait in [`Slot::rest`] are given up at once: they hold no lock across that, and have said by
///   [`Slot::may_act`] before what they may have left behind at a store.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// By what the record is kept in order, nearly always the bytes of `bucket/key`.
    fn order_key(&self, record: &Fetched) -> Bytes;

    /// How many waiting records of one key a single call takes at most; at least one.
    fn batch(&self) -> usize {
        1
    }

    /// Called when a lane has been acquired, before its first record: the place to bring the index to the end of every
    /// reachable facts topic, and to wait until what the owner `before` had sent can no longer act. Dropped where the
    /// process is to stop, and where lanes come or go meanwhile: then it is called again. A lane that gets a partition which
    /// was not handed over, nor waited out since it was acquired, is prepared once more.
    async fn prepare(&self, lane: i32, before: Before) {
        let _ = (lane, before);
    }

    /// The log no longer has the records from `from` up to `to`, and nobody had read them: to be told loudly.
    async fn gap(&self, partition: &TopicPartition, from: i64, to: i64);

    /// A topic of this name was made anew: what is remembered of the old one's offsets means nothing any more. Called
    /// before its first record.
    fn anew(&self, topic: &TopicName) {
        let _ = topic;
    }

    /// Called when the group begins: by `again` a record that was done before comes to its lane once more, in turn with
    /// the others of its key.
    fn may_repeat(&self, again: mpsc::Sender<Repeat>) {
        drop(again);
    }

    /// Does one or more records of one key, oldest first.
    async fn handle(&self, slot: &mut Slot, records: &[Fetched]);
}

/// A record that is to be handled once more. Nothing of it is committed. `done` is told when it was handled, and dropped
/// untold where its lane is not owned here, or not any more.
pub struct Repeat {
    /// The record.
    pub record: Fetched,
    /// Told at the end.
    pub done: oneshot::Sender<()>,
}

/// A call's share of the lane's concurrency.
pub struct Slot {
    all: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    ending: Ending,
    given_back: bool,
}

impl Slot {
    /// Waits for a share of `all`; for good where the lane is to end before there is one.
    pub(super) async fn acquire(all: Arc<Semaphore>, ending: Ending) -> Self {
        // The semaphore is never closed, so an error cannot come; without a permit the call merely goes on unshared.
        let held = ending.unless_begun(Arc::clone(&all).acquire_owned()).await.ok();
        Self { all, held, ending, given_back: false }
    }

    /// A slot of its own, for calls outside a lane (tests, the release of a hold).
    #[must_use]
    pub fn free() -> Self {
        let all = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { all, held: None, ending: Ending::new(), given_back: false }
    }

    /// Says that the records of this call are not done, and that their partition is not to be read for now. The call
    /// should return.
    pub fn give_back(&mut self) {
        self.given_back = true;
    }

    /// Whether the call's records were given back.
    #[must_use]
    pub fn given_back(&self) -> bool {
        self.given_back
    }

    /// Waits for something slow without taking up the lane's concurrency; the share is taken back before this returns.
    /// Other keys go on meanwhile, this key waits, and so does a lane that is to be handed over: for what is short, in a call
    /// that has done something which the next owner would do again.
    pub async fn idle<T>(&mut self, wait: impl Future<Output = T>) -> T {
        self.held = None;
        let result = wait.await;
        self.held = Arc::clone(&self.all).acquire_owned().await.ok();
        result
    }

    /// As [`idle`](Self::idle), for what may take long: a backoff, a hold, a doubt's answer. Where the lane is to end before
    /// it is over, this does not return: the call is as good as dropped here, and the lane's next owner does its records.
    pub async fn rest<T>(&mut self, wait: impl Future<Output = T>) -> T {
        let ending = self.ending.clone();
        ending.unless_begun(self.idle(wait)).await
    }

    /// Says that it is not known what became of a write of this call, which may act until then: a lane that ends earlier is
    /// not handed over.
    pub fn may_act(&self, until: Instant) {
        self.ending.may_act(until);
    }

    /// Until when such a write of the lane may act, where there was one.
    #[must_use]
    pub fn acts_until(&self) -> Option<Instant> {
        self.ending.acts_until()
    }
}
