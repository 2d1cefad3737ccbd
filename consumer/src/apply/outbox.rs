//! What the consumer writes to the log: receipts, dead letters and notices. A write keeps trying for as long as it
//! takes, because the record that caused it is done only when it stands.

use std::sync::Arc;

use bytes::Bytes;
use twinlog_index::{Merge, VersionState};
use twinlog_log::backoff::Backoff;
use twinlog_log::clock::Ids;
use twinlog_log::lane::Slot;
use twinlog_log::outgoing::Partitions;
use twinlog_log::partition::{partition_of, record_key};
use twinlog_log::{Fetched, Headers, Log, Record, TopicName};
use twinlog_schemas::{BucketName, EventId, ExamineCause, Fact, ObjectKey, OwnNotice, Receipt, SiteName, VersionRef};

use super::Apply;
use super::settle::Job;
use crate::dead::{Death, letter};
use crate::observe::Stream;

/// Appends to the target's own cluster.
pub(super) struct Outbox {
    home: Partitions,
    backoff: Backoff,
    ids: Ids,
}

impl Outbox {
    pub(super) fn new(home: Arc<dyn Log>, backoff: Backoff, ids: Ids) -> Self {
        Self { home: Partitions::new(home), backoff, ids }
    }

    /// Appends what `make` says for the topic's number of partitions, to the given cluster or the target's own.
    pub(super) async fn append(
        &self,
        slot: &mut Slot,
        to: Option<&Arc<dyn Log>>,
        make: impl Fn(i32) -> Record,
        topic: &TopicName,
    ) {
        let elsewhere = to.map(|log| Partitions::new(Arc::clone(log)));
        let partitions = elsewhere.as_ref().unwrap_or(&self.home);
        let mut waits = self.backoff.delays(self.ids.seed());
        loop {
            let appended = async { partitions.append(make(partitions.count(topic).await?)).await };
            match appended.await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%topic, %error, "append failed; trying again");
                    slot.rest(waits.wait()).await;
                }
            }
        }
    }
}

impl Apply {
    /// Writes a receipt to the log and into the index.
    pub(super) async fn received(&self, slot: &mut Slot, receipt: Receipt) {
        let topic = self.parts.topics.receipts(self.parts.here.name());
        let at = Address::of(&receipt.bucket, &receipt.key);
        let timestamp_ms = receipt.written_at_ns / 1_000_000;
        match self.parts.codec.encode_receipt(&receipt) {
            Ok(value) => {
                let value = Bytes::from(value);
                let make = |partitions| at.record(&topic, partitions, value.clone(), timestamp_ms);
                self.outbox.append(slot, None, make, &topic).await;
            }
            Err(error) => tracing::error!(%error, "a receipt could not be encoded; the write itself stands"),
        }
        self.index(slot, &[Merge::Receipt(receipt)]).await;
    }

    /// Merges a fact into the index.
    pub(super) async fn merged(&self, slot: &mut Slot, fact: &Fact) {
        self.index(slot, &[Merge::Fact(fact.clone())]).await;
    }

    /// Merges the facts that an event carries into the index. They may not have been read yet, and are done without a plan
    /// of their own once the event is planned: what it says must not be forgotten in between.
    pub(super) async fn merged_event(&self, slot: &mut Slot, carried: &[Fact]) {
        let merges: Vec<Merge> = carried.iter().cloned().map(Merge::Fact).collect();
        if !merges.is_empty() {
            self.index(slot, &merges).await;
        }
    }

    async fn index(&self, slot: &mut Slot, entries: &[Merge]) {
        let mut waits = self.parts.config.backoff.delays(self.parts.ids.seed());
        while let Err(error) = self.parts.index.merge(entries, None) {
            tracing::error!(%error, "the index could not be written: look at the state directory's disk");
            slot.rest(waits.wait()).await;
        }
    }

    /// What the index says of a version.
    pub(super) async fn version(&self, slot: &mut Slot, version: &VersionRef) -> VersionState {
        let mut waits = self.parts.config.backoff.delays(self.parts.ids.seed());
        loop {
            match self.parts.index.version(version) {
                Ok(state) => return state,
                Err(error) => {
                    tracing::error!(%error, "the index could not be read: look at the state directory's disk");
                    slot.rest(waits.wait()).await;
                }
            }
        }
    }

    /// Writes the dead letter of a record.
    pub(super) async fn bury(
        &self,
        slot: &mut Slot,
        record: &Fetched,
        reason: &str,
        message: &str,
        of: Option<(&SiteName, &BucketName)>,
    ) {
        let here = self.parts.here.name();
        let topic = self.parts.topics.dead(here);
        let at = &record.position;
        let (source, bucket) = of.map_or(("", ""), |(source, bucket)| (source.as_str(), bucket.as_str()));
        tracing::error!(source, bucket, partition = %at.partition, offset = at.offset, reason, "dead letter");
        tracing::debug!(partition = %at.partition, offset = at.offset, message, "what the dead letter is about");
        let death = Death {
            reason,
            message,
            source: of.map(|(source, _)| source.as_str()),
            bucket: of.map(|(_, bucket)| bucket.as_str()),
            at_ms: self.parts.clock.now_ms(),
        };
        self.outbox.append(slot, None, |partitions| letter(topic.clone(), partitions, record, &death), &topic).await;
        self.remember_letter(record, reason, of);
        if let Some((source, bucket)) = of {
            self.parts.observer.dead_letter(Stream { source, target: here, bucket }, reason);
        }
    }

    /// The barrier: waits for the sure door, asks the target's own site, and waits for the answer in the index.
    pub(super) async fn ask_here(&self, slot: &mut Slot, job: &Job<'_>) {
        slot.rest(tokio::time::sleep(self.parts.config.sure_door_delay)).await;
        let here = self.parts.here.name();
        loop {
            let id = self.parts.ids.event_id();
            let answered = self.parts.doubts.expect(id);
            self.notice(slot, None, here, (id, ExamineCause::Doubt), &job.version).await;
            if slot.rest(tokio::time::timeout(self.parts.config.answer_within, answered)).await.is_ok() {
                return;
            }
            tracing::warn!(site = %here, "no answer to a doubt: is this site's producer running? asking again");
        }
    }

    /// Asks every site that may have a null version's object to say so afresh; their events create it here.
    pub(super) async fn ask_others(&self, slot: &mut Slot, job: &Job<'_>, index: &VersionState) {
        let Some(register) = index.null() else { return };
        for link in self.links.values() {
            if register.site == *link.source_name() || register.site == *self.parts.here.name() {
                let id = self.parts.ids.event_id();
                self.notice(slot, Some(&link.log), link.source_name(), (id, ExamineCause::Doubt), &job.version).await;
            }
        }
    }

    /// Asks a site to look at a version; it never gets leave to create by this.
    pub(super) async fn notice(
        &self,
        slot: &mut Slot,
        to: Option<&Arc<dyn Log>>,
        site: &SiteName,
        (id, cause): (EventId, ExamineCause),
        version: &VersionRef,
    ) {
        let topic = self.parts.topics.notices(site);
        let notice = OwnNotice {
            id,
            cause,
            bucket: version.bucket.clone(),
            key: version.key.clone(),
            version_id: Some(version.version_id.clone()),
            may_create: false,
            asked_by: self.parts.here.name().clone(),
            asked_at_us: self.parts.clock.now_us(),
        };
        match notice.to_json() {
            Ok(json) => {
                let (at, json) = (Address::of(&version.bucket, &version.key), Bytes::from(json));
                let now_ms = self.parts.clock.now_ms();
                let make = |partitions| at.record(&topic, partitions, json.clone(), now_ms);
                self.outbox.append(slot, to, make, &topic).await;
            }
            Err(error) => tracing::error!(%error, "a notice of our own could not be encoded"),
        }
    }
}

/// An object key's place in every topic.
struct Address<'a> {
    bucket: &'a BucketName,
    key: &'a ObjectKey,
}

impl<'a> Address<'a> {
    fn of(bucket: &'a BucketName, key: &'a ObjectKey) -> Self {
        Self { bucket, key }
    }

    fn record(&self, topic: &TopicName, partitions: i32, value: Bytes, timestamp_ms: i64) -> Record {
        Record {
            topic: topic.clone(),
            partition: partition_of(self.bucket.as_str(), self.key.as_str(), partitions),
            key: Some(record_key(self.bucket.as_str(), self.key.as_str())),
            value: Some(value),
            headers: Headers::default(),
            timestamp_ms,
        }
    }
}
