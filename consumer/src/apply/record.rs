//! The lane's handler: which record is what, and how each ends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use twinlog_log::lane::{Before, Handler, Repeat, Slot};
use twinlog_log::{Fetched, TopicName, TopicPartition};
use twinlog_schemas::codec::DecodeError;
use twinlog_schemas::{Answer, ChangeEvent, Fact, FactBody, SiteName, VersionKind};

use super::Apply;
use super::attributes::facts;
use super::settle::Job;
use crate::hold::{Direction, Reason, Scope};
use crate::link::Link;
use crate::observe::{InFlight, Outcome, Stream};

#[async_trait]
impl Handler for Apply {
    fn order_key(&self, record: &Fetched) -> Bytes {
        let facts = self.facts_topics.contains_key(&record.position.partition.topic);
        match record.value.as_deref().filter(|_| facts).and_then(|value| self.parts.codec.decode_fact(value).ok()) {
            Some(fact) => Bytes::from(format!("{}/{}", fact.bucket, fact.key)),
            None => record.key.clone().unwrap_or_default(),
        }
    }

    async fn prepare(&self, lane: i32, before: Before) {
        if let Err(error) = self.parts.tail.caught_up(self.parts.config.catch_up).await {
            tracing::warn!(lane, %error, "beginning without the newest facts of a cluster that cannot be reached");
        }
        self.letters_known().await;
        let wait = before.wait(self.acts_for());
        if !wait.is_zero() {
            let ms = wait.as_millis();
            tracing::info!(lane, ?before, ms, "waiting out the writes of an owner that ended uncleanly");
            tokio::time::sleep(wait).await;
        }
    }

    async fn gap(&self, partition: &TopicPartition, from: i64, to: i64) {
        let records = to.saturating_sub(from).max(0);
        tracing::error!(%partition, from, to, "records were deleted unread: a sweep is needed");
        self.parts.observer.gap(partition.topic.as_str(), records);
    }

    fn anew(&self, topic: &TopicName) {
        self.storms.forget(topic);
    }

    fn may_repeat(&self, again: mpsc::Sender<Repeat>) {
        self.left.through(again);
    }

    async fn handle(&self, slot: &mut Slot, records: &[Fetched]) {
        for record in records {
            let topic = &record.position.partition.topic;
            if self.facts_topics.contains_key(topic) {
                self.fact_record(slot, record).await;
            } else {
                self.event_record(slot, record).await;
            }
        }
    }
}

impl Apply {
    async fn event_record(&self, slot: &mut Slot, record: &Fetched) {
        let Some(event) = self.decoded(slot, record, |codec, value| codec.decode_change(value)).await else { return };
        let Some(link) = self.link(&event.site).filter(|link| (link.buckets)(&event.bucket)) else { return };
        let stream = Stream { source: &event.site, target: self.parts.here.name(), bucket: &event.bucket };
        let _in_flight = InFlight::begun(self.parts.observer.as_ref(), stream);
        let job = Job {
            record,
            link: Some(link),
            source: &event.site,
            version: event.version(),
            event: Some(&event),
            id: event.event_id,
            fact: None,
        };
        let carried = facts(&event);
        self.merged_event(slot, &carried).await;
        self.guard_event(record, &event).await;
        let (outcome, rule) = self.settle(slot, &job).await;
        if matches!(outcome, Outcome::Held | Outcome::Stuck) {
            slot.give_back();
            return;
        }
        self.unstuck(record).await;
        if event.creates() && event.object.as_ref().is_some_and(|object| !object.parts.is_empty()) {
            // However this ended, nobody goes on with what may have been begun.
            self.end_upload(slot, &job).await;
        }
        for fact in &carried {
            self.planned.remember(fact);
        }
        self.parts.observer.event_done(stream, outcome, rule);
        if outcome == Outcome::Applied {
            self.tell_lag(stream, &event);
        }
    }

    async fn fact_record(&self, slot: &mut Slot, record: &Fetched) {
        if record.value.is_none() {
            return;
        }
        let Some(fact) = self.decoded(slot, record, |codec, value| codec.decode_fact(value)).await else { return };
        let stream = Stream { source: &fact.site, target: self.parts.here.name(), bucket: &fact.bucket };
        let outcome = self.fact(slot, record, &fact).await;
        if outcome == Outcome::Stuck {
            slot.give_back();
            return;
        }
        self.unstuck(record).await;
        self.parts.observer.fact_done(stream, outcome);
    }

    /// Merges a fact and plans its version again, unless that has been done with the event that carried it.
    async fn fact(&self, slot: &mut Slot, record: &Fetched, fact: &Fact) -> Outcome {
        self.merged(slot, fact).await;
        self.conflict(slot, fact).await;
        self.guard_fact(record, fact).await;
        let elsewhere = matches!(fact.body, FactBody::Look) && fact.site != *self.parts.here.name();
        // Where an object was looked for that replication had not brought there yet, it is looked for again.
        let found = |answer: &Answer| answer.reading.present || !fact.version_id.is_null();
        if elsewhere || matches!(&fact.body, FactBody::Answer(answer) if found(answer)) {
            return Outcome::Merged;
        }
        if self.planned.contains(fact) {
            return Outcome::Merged;
        }
        if !self.links.values().any(|link| (link.buckets)(&fact.bucket)) {
            return Outcome::Merged;
        }
        let link = self.link(&fact.site);
        let job = Job {
            record,
            link,
            source: &fact.site,
            version: fact.version(),
            event: None,
            id: fact.event_id,
            fact: Some(fact),
        };
        let (outcome, _) = self.settle(slot, &job).await;
        if outcome == Outcome::Held {
            self.leave(record, &job.direction()).await;
        }
        outcome
    }

    pub(super) fn link(&self, source: &SiteName) -> Option<&Link> {
        self.links.get(source)
    }

    /// Decodes a record. What is no record of ours becomes a dead letter; what a newer release wrote is waited for.
    async fn decoded<T>(
        &self,
        slot: &mut Slot,
        record: &Fetched,
        decode: impl Fn(&twinlog_schemas::codec::Codec, &[u8]) -> Result<T, DecodeError>,
    ) -> Option<T> {
        loop {
            match decode(&self.parts.codec, record.value.as_deref().unwrap_or_default()) {
                Ok(decoded) => return Some(decoded),
                Err(error) if error.holds_link() => {
                    let at = &record.position;
                    let message = format!("{error} (offset {} of {})", at.offset, at.partition);
                    let schema = match &error {
                        DecodeError::UnknownFingerprint(schema) => Some(*schema),
                        _ => None,
                    };
                    let source = self.source_of(&at.partition.topic);
                    self.wait_for_upgrade(slot, &source, &message, schema).await;
                }
                Err(error) => {
                    if let Some(direction) = self.direction_of(&record.position.partition.topic)
                        && self.too_many_dead(&direction, "not-avro").await
                    {
                        slot.give_back();
                        return None;
                    }
                    self.bury(slot, record, "not-avro", &error.to_string(), None).await;
                    return None;
                }
            }
        }
    }

    /// A newer release wrote a record: its link is held, and the record waits until it can be understood. The schema may
    /// come with the control topic at any time.
    pub(super) async fn wait_for_upgrade(
        &self,
        slot: &mut Slot,
        source: &SiteName,
        message: &str,
        schema: Option<u64>,
    ) {
        let unread = Unread::one_more(&self.unread);
        let schema_text = schema.map(|schema| format!("{schema:016x}"));
        let reason = Reason::UnknownSchema;
        self.parts.holds.begin(Scope::Link(source.clone()), reason, message, schema_text).await;
        for _ in 0..30 {
            slot.rest(tokio::time::sleep(Duration::from_secs(1))).await;
            if schema.is_some_and(|schema| self.parts.codec.knows(schema)) {
                break;
            }
        }
        drop(unread);
    }

    /// Whose facts or change events a topic holds.
    pub(super) fn source_of(&self, topic: &TopicName) -> SiteName {
        let facts = self.facts_topics.get(topic).cloned();
        let of = |site: &&SiteName| self.parts.topics.bucket_of_changes(site, topic).is_some();
        facts.or_else(|| self.links.keys().find(of).cloned()).unwrap_or_else(|| self.parts.here.name().clone())
    }

    /// The bucket whose change events a topic holds; a facts topic has those of many.
    fn direction_of(&self, topic: &TopicName) -> Option<Direction> {
        let (source, bucket) = self.parts.topics.source_of(topic)?;
        Some((source, bucket?))
    }

    fn tell_lag(&self, stream: Stream<'_>, event: &ChangeEvent) {
        let born = event.event_time_us.unwrap_or(event.modified_at_ns / 1_000);
        let micros = self.parts.clock.now_us().saturating_sub(born).max(0);
        let bytes = event.object.as_ref().and_then(|object| u64::try_from(object.size).ok()).unwrap_or(0);
        let bytes = if event.kind == VersionKind::Object { bytes } else { 0 };
        #[expect(clippy::cast_precision_loss, reason = "a lag in microseconds is far below 2^52")]
        self.parts.observer.replicated(stream, micros as f64 / 1e6, bytes);
    }
}

/// A record that waits to be understood, while this lives.
struct Unread<'a>(&'a AtomicUsize);

impl<'a> Unread<'a> {
    fn one_more(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Unread<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
