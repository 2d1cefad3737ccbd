//! A log that misbehaves on purpose: a decorator with Twinlog's vocabulary of faults, for tests of what callers do.
//!
//! Appends are faulted, questions for the ends of partitions, and those for topics; everything else goes straight to the
//! inner log. Faults of appends are queued and each is used once, by the first append that it fits; order of appends is the
//! inner log's as long as no fault says otherwise. Those of questions stand until they are taken back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::contract::{Committed, Log, Membership, Reader, Watermarks};
use crate::error::{LogError, LogErrorKind};
use crate::record::{Position, Record};
use crate::topic::{Retention, TopicId, TopicInfo, TopicName, TopicPartition, TopicSpec};

/// What goes wrong with one append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Refused before anything was written.
    Reject(LogErrorKind),
    /// Written, but the answer is an error.
    FailAfterWrite(LogErrorKind),
    /// Written, but no answer comes until [`FaultyLog::release_held`].
    HoldResponse,
    /// Written, and the answer comes late by this much.
    RespondSlowly(Duration),
    /// Written with its first byte changed, and acknowledged.
    Corrupt,
    /// Written without its second half, and acknowledged.
    Cut,
}

/// The decorator. Share it as `Arc<FaultyLog>`: it is a [`Log`] itself.
pub struct FaultyLog {
    inner: Arc<dyn Log>,
    /// Grows by [`FaultyLog::inject`], shrinks as appends use faults up.
    queued: Mutex<VecDeque<(Option<TopicName>, Fault)>>,
    /// Partitions whose ends cannot be told.
    leaderless: Mutex<BTreeSet<TopicPartition>>,
    /// Whether answers to questions for ends are held.
    holds_ends: AtomicBool,
    /// Whether questions for topics fail.
    is_away: AtomicBool,
    /// How long all topics take to be told.
    listing_takes: Mutex<Duration>,
    /// How often all topics were asked for.
    listings: AtomicU64,
    /// Counts releases; held answers wait for the next one.
    releases: watch::Sender<u64>,
}

impl FaultyLog {
    /// Wraps a log; no fault is queued yet.
    #[must_use]
    pub fn new(inner: Arc<dyn Log>) -> Self {
        Self {
            inner,
            queued: Mutex::default(),
            leaderless: Mutex::default(),
            holds_ends: AtomicBool::new(false),
            is_away: AtomicBool::new(false),
            listing_takes: Mutex::default(),
            listings: AtomicU64::new(0),
            releases: watch::Sender::new(0),
        }
    }

    /// Queues a fault for the next append, or the next one to `topic`.
    pub fn inject(&self, topic: Option<TopicName>, fault: Fault) {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner).push_back((topic, fault));
    }

    /// How many faults wait to be used.
    #[must_use]
    pub fn unused(&self) -> usize {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether a broker leads the partition: while none does, its ends cannot be told, which passes.
    pub fn set_led(&self, at: &TopicPartition, is_led: bool) {
        let mut leaderless = self.leaderless.lock().unwrap_or_else(PoisonError::into_inner);
        let _changed = if is_led { leaderless.remove(at) } else { leaderless.insert(at.clone()) };
    }

    /// Holds the answers to questions for ends, as they are when asked, until [`FaultyLog::release_held`].
    pub fn hold_ends(&self) {
        self.holds_ends.store(true, Ordering::SeqCst);
    }

    /// Whether [`Log::topics`] and [`Log::topic`] fail, which passes. Other questions are answered.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// How long all topics take to be told from now on, as in a cluster that has very many.
    pub fn list_slowly(&self, takes: Duration) {
        *self.listing_takes.lock().unwrap_or_else(PoisonError::into_inner) = takes;
    }

    /// How often all topics were asked for by [`Log::topics`].
    #[must_use]
    pub fn listings(&self) -> u64 {
        self.listings.load(Ordering::SeqCst)
    }

    fn present(&self, subject: impl std::fmt::Display) -> Result<(), LogError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(LogError::new("look for", subject, LogErrorKind::Transient, "no broker answers"));
        }
        Ok(())
    }

    /// Lets every held answer go.
    pub fn release_held(&self) {
        self.holds_ends.store(false, Ordering::SeqCst);
        self.releases.send_modify(|count| *count += 1);
    }

    /// Waits for the next release.
    async fn released(mut releases: watch::Receiver<u64>) {
        // The sender lives in `self`, so the only way to an error here is a release that never comes.
        if releases.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn fault_for(&self, topic: &TopicName) -> Option<Fault> {
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        let at = queued.iter().position(|(only, _)| only.as_ref().is_none_or(|only| only == topic))?;
        queued.remove(at).map(|(_, fault)| fault)
    }
}

fn flipped(value: Bytes) -> Bytes {
    let mut bytes = value.to_vec();
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    Bytes::from(bytes)
}

#[async_trait]
impl Log for FaultyLog {
    async fn append(&self, record: Record) -> Result<Position, LogError> {
        let fault = self.fault_for(&record.topic);
        let subject = format!("{}/{}", record.topic, record.partition);
        let injected = |kind| LogError::new("append to", &subject, kind, "injected fault");
        match fault {
            None => self.inner.append(record).await,
            Some(Fault::Reject(kind)) => Err(injected(kind)),
            Some(Fault::FailAfterWrite(kind)) => {
                self.inner.append(record).await?;
                Err(injected(kind))
            }
            Some(Fault::HoldResponse) => {
                let releases = self.releases.subscribe();
                let outcome = self.inner.append(record).await;
                Self::released(releases).await;
                outcome
            }
            Some(Fault::RespondSlowly(delay)) => {
                let outcome = self.inner.append(record).await;
                tokio::time::sleep(delay).await;
                outcome
            }
            Some(Fault::Corrupt) => self.inner.append(Record { value: record.value.map(flipped), ..record }).await,
            Some(Fault::Cut) => {
                let half = |value: Bytes| value.slice(..value.len() / 2);
                self.inner.append(Record { value: record.value.map(half), ..record }).await
            }
        }
    }

    async fn topics(&self) -> Result<BTreeMap<TopicName, TopicInfo>, LogError> {
        self.listings.fetch_add(1, Ordering::SeqCst);
        let takes = *self.listing_takes.lock().unwrap_or_else(PoisonError::into_inner);
        tokio::time::sleep(takes).await;
        self.present("all topics")?;
        self.inner.topics().await
    }

    async fn topics_lately(&self) -> Result<BTreeMap<TopicName, TopicInfo>, LogError> {
        self.inner.topics_lately().await
    }

    async fn topic(&self, name: &TopicName) -> Result<Option<TopicInfo>, LogError> {
        self.present(name)?;
        self.inner.topic(name).await
    }

    async fn partitions_lately(&self, name: &TopicName) -> Result<Option<i32>, LogError> {
        self.inner.partitions_lately(name).await
    }

    async fn create_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        self.inner.create_topic(spec).await
    }

    async fn identities(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, TopicId>, LogError> {
        self.inner.identities(topics).await
    }

    async fn retention(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, Retention>, LogError> {
        self.inner.retention(topics).await
    }

    async fn offset_at(&self, partition: &TopicPartition, at_ms: i64) -> Result<Option<i64>, LogError> {
        self.inner.offset_at(partition, at_ms).await
    }

    async fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks, LogError> {
        let leaderless = self.leaderless.lock().unwrap_or_else(PoisonError::into_inner).contains(partition);
        if leaderless {
            return Err(LogError::new("watermarks of", partition, LogErrorKind::Transient, "no broker leads it now"));
        }
        let releases = self.releases.subscribe();
        let ends = self.inner.watermarks(partition).await;
        if self.holds_ends.load(Ordering::SeqCst) {
            Self::released(releases).await;
        }
        ends
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Committed>, LogError> {
        self.inner.committed(group, partitions).await
    }

    async fn reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError> {
        self.inner.reader(group).await
    }

    async fn steady_reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError> {
        self.inner.steady_reader(group).await
    }

    async fn unhurried_reader(&self, group: &str) -> Result<Box<dyn Reader>, LogError> {
        self.inner.unhurried_reader(group).await
    }

    async fn join(&self, group: &str, member: &str, topic: &TopicName) -> Result<Box<dyn Membership>, LogError> {
        self.inner.join(group, member, topic).await
    }

    async fn flush(&self, deadline: Duration) -> Result<(), LogError> {
        self.inner.flush(deadline).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::conformance::{record, spec};
    use crate::memory::MemoryLog;

    async fn faulty() -> (MemoryLog, FaultyLog, TopicPartition) {
        let memory = MemoryLog::new();
        let topic = spec("faulty", 1);
        memory.create_topic(&topic).await.unwrap();
        let log = FaultyLog::new(Arc::new(memory.clone()));
        (memory, log, TopicPartition { topic: topic.name, partition: 0 })
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn each_fault_is_used_once_by_the_append_that_it_fits() {
        let (memory, log, at) = faulty().await;
        log.inject(Some(spec("other", 1).name), Fault::Reject(LogErrorKind::Refused));
        log.inject(None, Fault::Reject(LogErrorKind::Transient));
        log.inject(Some(at.topic.clone()), Fault::FailAfterWrite(LogErrorKind::Transient));
        assert!(log.append(record(&at, "k", "1")).await.unwrap_err().is_transient());
        assert_eq!(memory.records(&at).len(), 0);
        assert!(log.append(record(&at, "k", "2")).await.unwrap_err().is_transient());
        assert_eq!(memory.records(&at).len(), 1);
        assert_eq!(log.append(record(&at, "k", "3")).await.unwrap().offset, 1);
        assert_eq!(log.unused(), 1);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn damaged_records_are_acknowledged_as_if_nothing_were() {
        let (memory, log, at) = faulty().await;
        log.inject(None, Fault::Corrupt);
        log.inject(None, Fault::Cut);
        for _ in 0..3 {
            log.append(record(&at, "k", "0123")).await.unwrap();
        }
        let values: Vec<_> = memory.records(&at).into_iter().map(|record| record.value.unwrap()).collect();
        assert_eq!(values, ["1123", "01", "0123"]);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn held_and_slow_answers_come_after_the_write() {
        let (memory, log, at) = faulty().await;
        log.inject(None, Fault::HoldResponse);
        log.inject(None, Fault::RespondSlowly(Duration::from_secs(9)));
        let mut held = log.append(record(&at, "k", "1"));
        assert!(futures::poll!(held.as_mut()).is_pending());
        let begun = tokio::time::Instant::now();
        assert_eq!(log.append(record(&at, "k", "2")).await.unwrap().offset, 1);
        assert_eq!(begun.elapsed(), Duration::from_secs(9));
        assert!(futures::poll!(held.as_mut()).is_pending());
        assert_eq!(memory.records(&at).len(), 2);
        log.release_held();
        assert_eq!(held.await.unwrap().offset, 0);
    }
}
