//! Writing what was decided: facts first, each joined with all that this site has said; then the index; then the
//! change events. Each step begins when the one before is acknowledged.

use bytes::Bytes;
use futures::future::join_all;
use std::time::Duration;
use twinlog_index::{Merge, Said, VersionState};
use twinlog_log::backoff::Backoff;
use twinlog_log::header::{SCHEMA_VERSION, SITE};
use twinlog_log::lane::Slot;
use twinlog_log::{Headers, Record};
use twinlog_schemas::{ChangeEvent, Codec, Fact, FactBody, RecordKind, SchemaError, VersionRef};

use super::Capture;
use super::outcome::{Circumstances, Outcome};
use super::stop::Stop;
use twinlog_log::outgoing::Outgoing;

/// The table's reason for what no record can hold.
const TOO_LARGE: &str = "too-large";

/// The numbers of the schemas that this release writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct SchemaVersions {
    change: u32,
    fact: u32,
}

impl SchemaVersions {
    pub(super) fn of_this_release() -> Result<Self, SchemaError> {
        let mut versions = Self { change: 0, fact: 0 };
        for published in Codec::published()? {
            match published.kind {
                RecordKind::ChangeEvent => versions.change = published.version,
                RecordKind::Fact => versions.fact = published.version,
                RecordKind::Receipt => {}
            }
        }
        Ok(versions)
    }
}

impl Capture {
    /// Writes an outcome; returns once all of it is acknowledged.
    pub(super) async fn emit(
        &self,
        slot: &mut Slot,
        here: &Circumstances,
        outcome: Outcome,
        state: &VersionState,
    ) -> Result<(), Stop> {
        let facts = joined(here, outcome.facts, state);
        self.emit_facts(slot, &facts).await?;
        for event in outcome.events {
            self.emit_event(slot, event).await?;
        }
        Ok(())
    }

    async fn emit_facts(&self, slot: &mut Slot, facts: &[Fact]) -> Result<(), Stop> {
        if facts.is_empty() {
            return Ok(());
        }
        let mut records = Vec::with_capacity(facts.len());
        for fact in facts {
            records.push(self.fact_record(slot, fact).await?);
        }
        let first = join_all(records.iter().map(|record| self.partitions.append(record.clone()))).await;
        for (outcome, record) in first.into_iter().zip(records) {
            if let Err(error) = outcome {
                tracing::warn!(%error, "fact not acknowledged: trying again");
                self.append_surely(slot, record).await;
            }
        }
        for fact in facts {
            self.parts.observer.fact_produced(&fact.bucket, fact.kind());
        }
        let merges: Vec<Merge> = facts.iter().cloned().map(Merge::Fact).collect();
        self.indexed(slot, || self.parts.index.merge(&merges, None)).await;
        Ok(())
    }

    async fn fact_record(&self, slot: &mut Slot, fact: &Fact) -> Result<Record, Stop> {
        let value = self.parts.codec.encode_fact(fact).map_err(|error| unwritable(error.to_string()))?;
        let topic = self.parts.topics.facts(self.parts.site.name());
        let outgoing = || Outgoing {
            topic: &topic,
            bucket: &fact.bucket,
            key: &fact.key,
            record_key: Some(Bytes::from(fact.compaction_key())),
            value: Bytes::from(value.clone()),
            headers: self.headers(self.schema_versions.fact),
            timestamp_ms: fact.said_at_ns / 1_000_000,
        };
        // Without the facts topic nothing of this site can be captured; it is one of the site's own topics.
        self.persist(slot, &fact.bucket, || self.partitions.place(outgoing())).await
    }

    async fn emit_event(&self, slot: &mut Slot, mut event: ChangeEvent) -> Result<(), Stop> {
        let noticed_us = event.noticed_at_us;
        match self.append_event(slot, &event).await {
            Err(Stop::Key { reason: TOO_LARGE, message }) if drop_body(&mut event) => {
                tracing::warn!(bucket = %event.bucket, error = message, "change event too large: written without its body");
                self.append_event(slot, &event).await?;
            }
            outcome => outcome?,
        }
        let since_us = u64::try_from(self.parts.clock.now_us().saturating_sub(noticed_us)).unwrap_or(0);
        self.parts.observer.change_produced(&event.bucket, event.told, Duration::from_micros(since_us));
        Ok(())
    }

    async fn append_event(&self, slot: &mut Slot, event: &ChangeEvent) -> Result<(), Stop> {
        let topic = self.parts.topics.changes(self.parts.site.name(), &event.bucket);
        let value = self.parts.codec.encode_change(event).map(Bytes::from);
        let value = value.map_err(|error| unwritable(error.to_string()))?;
        self.persist(slot, &event.bucket, || async {
            let outgoing = Outgoing {
                topic: &topic,
                bucket: &event.bucket,
                key: &event.key,
                record_key: None,
                value: value.clone(),
                headers: self.headers(self.schema_versions.change),
                timestamp_ms: event.observed_at_us / 1_000,
            };
            self.partitions.append(self.partitions.place(outgoing).await?).await
        })
        .await
    }

    fn headers(&self, schema_version: u32) -> Headers {
        let site = self.parts.site.name().as_str().to_owned();
        Headers::default().with(SITE, site).with(SCHEMA_VERSION, schema_version.to_string())
    }

    /// Appends to one of the site's own topics, for as long as it takes: there is no other place for what it says.
    pub(super) async fn append_surely(&self, slot: &mut Slot, record: Record) {
        let mut delays = Backoff::PROMPT.delays(self.parts.ids.seed());
        while let Err(error) = self.partitions.append(record.clone()).await {
            tracing::error!(%error, "a topic of the site cannot be written: trying again");
            self.parts.observer.retried(error.operation);
            slot.rest(delays.wait()).await;
        }
    }

    /// Asks the index, for as long as it takes: without it nothing can be said.
    pub(super) async fn indexed<T>(
        &self,
        slot: &mut Slot,
        ask: impl Fn() -> Result<T, twinlog_index::IndexError>,
    ) -> T {
        let mut delays = Backoff::PROMPT.delays(self.parts.ids.seed());
        loop {
            match ask() {
                Ok(answer) => return answer,
                Err(error) => {
                    tracing::error!(%error, "index does not answer: trying again");
                    self.parts.observer.retried("index");
                }
            }
            slot.rest(delays.wait()).await;
        }
    }

    /// What the index says of a version.
    pub(super) async fn state(&self, slot: &mut Slot, version: &VersionRef) -> VersionState {
        self.indexed(slot, || self.parts.index.version(version)).await
    }
}

/// The facts as they are written: each with the join of all that this site has said in its kind and category. A stamp
/// that says nothing new is left out.
fn joined(here: &Circumstances, bodies: Vec<FactBody>, state: &VersionState) -> Vec<Fact> {
    let mut said =
        state.said.get(&here.site).cloned().unwrap_or_else(|| Said { said_at_ns: i64::MIN, ..Said::default() });
    let mut facts = Vec::with_capacity(bodies.len());
    // A null version's register stands before the stamps that are of it.
    let register = bodies.iter().find_map(|body| match body {
        FactBody::Null(register) => Some(register.clone()),
        _ => None,
    });
    for body in bodies {
        let mut fact = Fact {
            event_id: here.event_id,
            site: here.site.clone(),
            bucket: here.bucket.clone(),
            key: here.key.clone(),
            version_id: here.version_id.clone(),
            said_at_ns: here.now_ns,
            of: None,
            body,
        };
        fact.of = register.clone().filter(|_| fact.category().is_some());
        let news = said.merge(&fact);
        if news || fact.category().is_none() {
            fact.body = said.joined(&fact.body);
            fact.of = said.null.clone().filter(|_| fact.category().is_some());
            facts.push(fact);
        }
    }
    facts
}

/// Nothing of what is to be written fits into a record.
fn unwritable(message: String) -> Stop {
    Stop::Key { reason: TOO_LARGE, message }
}

fn drop_body(event: &mut ChangeEvent) -> bool {
    event.object.as_mut().is_some_and(|object| object.body.take().is_some())
}
