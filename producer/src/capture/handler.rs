//! The lane's side of capture: records in, notices out, and what is settled without a look at the store.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use twinlog_log::header::REPLAYED;
use twinlog_log::lane::{Before, Handler, Slot};
use twinlog_log::partition::record_key;
use twinlog_log::{Fetched, TopicPartition};
use twinlog_schemas::{BucketName, ObjectKey};

use super::Capture;
use super::waiting::Waiting;
use crate::copies::CopyId;
use crate::notice::{self, Door, Hint};
use crate::observe::Settled;

#[async_trait]
impl Handler for Capture {
    fn order_key(&self, record: &Fetched) -> Bytes {
        if let Some(key) = &record.key {
            return key.clone();
        }
        // Another program wrote it: the first notice's key is what it is about.
        let value = record.value.as_deref().unwrap_or_default();
        let notices = notice::parse(value, Door::of(&record.headers)).unwrap_or_default();
        notices.first().map_or_else(Bytes::new, |notice| record_key(notice.bucket.as_str(), notice.key.as_str()))
    }

    fn batch(&self) -> usize {
        self.config.batch.max(1)
    }

    async fn prepare(&self, lane: i32, _before: Before) {
        tracing::debug!(lane, "capture reads its own facts to the end");
        // Capture writes nothing to a store, so an unclean end of the owner before needs no waiting.
        self.parts.freshness.own().await;
    }

    async fn gap(&self, partition: &TopicPartition, from: i64, to: i64) {
        tracing::error!(%partition, from, to, "notices were lost before they were read: every bucket has to be swept");
        self.parts.observer.gap((to - from).max(0));
    }

    async fn handle(&self, slot: &mut Slot, records: &[Fetched]) {
        for ((bucket, key), waiting) in by_key(self.waiting(records)) {
            self.capture_key(slot, records, (&bucket, &key), waiting).await;
        }
    }
}

type Addressed = ((BucketName, ObjectKey), Vec<Waiting>);

/// Notices by key, in order. As a rule there is one key: only records of other programs may mix them.
fn by_key(waiting: Vec<Waiting>) -> Vec<Addressed> {
    let mut keys: Vec<Addressed> = Vec::new();
    for one in waiting {
        let address = (one.notice.bucket.clone(), one.notice.key.clone());
        match keys.iter_mut().find(|(known, _)| *known == address) {
            Some((_, waiting)) => waiting.push(one),
            None => keys.push((address, vec![one])),
        }
    }
    keys
}

impl Capture {
    /// The notices of these records that need a look at the store.
    fn waiting(&self, records: &[Fetched]) -> Vec<Waiting> {
        let mut waiting = Vec::with_capacity(records.len());
        let mut seen = BTreeSet::new();
        for record in records {
            let noticed_at_us = notice::received_at_us(&record.headers)
                .or_else(|| record.timestamp_ms.map(|ms| ms.saturating_mul(1_000)))
                .unwrap_or_else(|| self.parts.clock.now_us());
            let value = record.value.as_deref().unwrap_or_default();
            let notices = notice::parse(value, Door::of(&record.headers)).unwrap_or_else(|error| {
                // Intake lets nothing like this in: another program writes to the topic.
                tracing::error!(partition = %record.position.partition, offset = record.position.offset, %error,
                    "a record of the notices topic is not a notice");
                self.parts.observer.malformed(Door::of(&record.headers).unwrap_or(Door::Sure));
                Vec::new()
            });
            let replayed = record.headers.last(REPLAYED).is_some();
            let notices = notices.into_iter().map(|notice| Waiting { notice, noticed_at_us });
            waiting.extend(notices.filter(|one| match self.settled(one, replayed, &mut seen) {
                Some(how) => {
                    self.parts.observer.settled(&one.notice.bucket, how);
                    false
                }
                None => true,
            }));
        }
        waiting
    }

    /// How a notice ends that needs no look at the store. `seen` holds those that wait in the same call. One that an
    /// operator replays is no copy: what was told before became a dead letter.
    fn settled(&self, one: &Waiting, replayed: bool, seen: &mut BTreeSet<CopyId>) -> Option<Settled> {
        let notice = &one.notice;
        if notice.hint == Hint::Nothing || self.parts.selection.settings(&notice.bucket).is_none() {
            return Some(Settled::Irrelevant);
        }
        if notice.actor.as_ref().is_some_and(|actor| self.config.own_principals.contains(actor)) {
            return Some(Settled::Own);
        }
        let id = CopyId::of(notice).filter(|_| !replayed)?;
        (self.is_copy(id) || !seen.insert(id)).then_some(Settled::Copy)
    }
}
