//! Removals that a running retention refuses, and null versions that it keeps from being replaced: they are asked for
//! again when it ends. So are null objects that the sites asked for them lacked.
//!
//! Each is on record in the site's control topic, so it survives every process: kept until its time has come, then a
//! notice asks the removal's origin, which may be this site, to tell of it afresh, which plans it again in the order of its
//! key. Every process beside the site does so; a removal told twice changes nothing. A legal hold has no end to wait for:
//! its lifting is told by a fact, which plans the removal again by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use twinlog_index::VersionState;
use twinlog_log::lane::Slot;
use twinlog_log::{Fetched, Headers, LogError, Record, TopicName, TopicPartition};
use twinlog_schemas::{BucketName, ExamineCause, ObjectKey, SiteName, VersionId, VersionRef};

use super::Apply;
use super::settle::Job;

/// What every key of such a record begins with.
const KEY_PREFIX: &str = "due/";
/// The store's clock may be behind ours.
const MARGIN_MS: i64 = 2_000;
/// A removal is told afresh at least so often, since facts expire: 90 days.
const LONGEST_MS: i64 = 90 * DAY_MS;
const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// The longest sleep without a look at the clock, which may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);

/// A control record: from this time on the removal is to be asked for again. A tombstone says that it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct DueRemoval {
    bucket: BucketName,
    key: ObjectKey,
    version_id: VersionId,
    /// The site that removed the version, or replaced it.
    origin: SiteName,
    /// When, milliseconds since the Unix epoch.
    at_ms: i64,
    /// As what it is asked for.
    #[serde(default = "replay")]
    cause: ExamineCause,
}

fn replay() -> ExamineCause {
    ExamineCause::Replay
}

impl DueRemoval {
    /// With the time: a later one for the same version is another, which the tombstone of this one must not end.
    fn record_key(&self) -> String {
        format!("{KEY_PREFIX}{}/{}/{}/{}", self.at_ms, self.bucket, self.version_id, self.key)
    }

    fn version(&self) -> VersionRef {
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        VersionRef { bucket, key, version_id: self.version_id.clone() }
    }
}

/// What is due and when, as the control topic says.
#[derive(Debug, Default)]
struct Agenda {
    entries: BTreeMap<Bytes, DueRemoval>,
    order: BTreeSet<(i64, Bytes)>,
}

impl Agenda {
    fn take(&mut self, record: &Fetched) {
        let Some(key) = record.key.clone().filter(|key| key.starts_with(KEY_PREFIX.as_bytes())) else { return };
        if let Some(before) = self.entries.remove(&key) {
            self.order.remove(&(before.at_ms, key.clone()));
        }
        let Some(value) = &record.value else { return };
        match serde_json::from_slice::<DueRemoval>(value) {
            Ok(due) => {
                self.order.insert((due.at_ms, key.clone()));
                self.entries.insert(key, due);
            }
            Err(error) => tracing::warn!(offset = record.position.offset, %error, "not a removal that is due"),
        }
    }

    /// When the next one is due.
    fn next_ms(&self) -> Option<i64> {
        self.order.first().map(|(at_ms, _)| *at_ms)
    }

    /// Takes out the next one that is due at `now_ms`, with its record's key.
    fn pop(&mut self, now_ms: i64) -> Option<(Bytes, DueRemoval)> {
        self.order.first().filter(|(at_ms, _)| *at_ms <= now_ms)?;
        let (_, key) = self.order.pop_first()?;
        self.entries.remove_entry(&key)
    }
}

impl Apply {
    /// Puts on record that a removal, refused until then, is to be asked for again; returns once that stands.
    pub(super) async fn put_off(
        &self,
        slot: &mut Slot,
        job: &Job<'_>,
        index: &VersionState,
        until_ms: i64,
        cause: ExamineCause,
    ) {
        let removed = |site: &&SiteName| index.said.get(site).is_some_and(|said| said.removal.is_some());
        let register = index.null();
        let replaced = |site: &&SiteName| register.as_ref().is_some_and(|register| register.site == **site);
        let sites = || self.links.keys().chain(std::iter::once(self.parts.here.name()));
        let Some(origin) = sites().find(removed).or_else(|| sites().find(replaced)) else {
            // Nobody who could be asked: a removal of a site that no link leads from.
            return;
        };
        // By whole days: the same removal, refused again, is the same record.
        let latest_ms = self.parts.clock.now_ms().saturating_add(LONGEST_MS).div_euclid(DAY_MS) * DAY_MS;
        let due = DueRemoval {
            bucket: job.version.bucket.clone(),
            key: job.version.key.clone(),
            version_id: job.version.version_id.clone(),
            origin: origin.clone(),
            at_ms: until_ms.saturating_add(MARGIN_MS).min(latest_ms),
            cause,
        };
        match serde_json::to_vec(&due) {
            Ok(value) => self.put_on_record(slot, due.record_key().into(), Some(value.into())).await,
            Err(error) => tracing::error!(%error, "a removal that is due later could not be encoded"),
        }
    }

    /// Follows what is due, and asks for each removal when its time has come, until stopped.
    pub async fn removals_due(&self, stop: CancellationToken) {
        let mut waits = self.parts.config.backoff.delays(self.parts.ids.seed());
        loop {
            let failed = tokio::select! {
                () = stop.cancelled() => return,
                Err(error) = self.follow_due() => error,
            };
            tracing::warn!(error = %failed, "what is due cannot be read from the control topic; trying again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = waits.wait() => {}
            }
        }
    }

    async fn follow_due(&self) -> Result<Infallible, LogError> {
        let (home, topic) = (&self.parts.home, self.control_topic());
        let partition = TopicPartition { topic, partition: 0 };
        let first = home.watermarks(&partition).await?.first;
        // Nothing is ever committed: what is due is read from the beginning.
        let reader = home.steady_reader(&self.parts.topics.group(self.parts.here.name(), "due")).await?;
        let mut records = reader.assign(&partition, first).await?;
        let mut agenda = Agenda::default();
        loop {
            let now_ms = self.parts.clock.now_ms();
            let wait = agenda.next_ms().map(|at_ms| u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0));
            let wait = wait.map_or(LONGEST_SLEEP, |ms| Duration::from_millis(ms).min(LONGEST_SLEEP));
            tokio::select! {
                biased;
                record = records.next() => agenda.take(&record?),
                () = sleep(wait) => if let Some((key, due)) = agenda.pop(self.parts.clock.now_ms()) {
                    self.ask_again(key, due).await;
                },
            }
        }
    }

    async fn ask_again(&self, key: Bytes, due: DueRemoval) {
        let mut slot = Slot::free();
        tracing::info!(origin = %due.origin, bucket = %due.bucket, "what could not be done until now is asked for again");
        let here = self.parts.here.name();
        let ids = &self.parts.ids;
        if due.origin == *here {
            self.notice(&mut slot, None, here, (ids.event_id(), due.cause), &due.version()).await;
        }
        // What this site is the origin of and lacks, any other may have.
        for link in self.links.values().filter(|link| due.origin == *here || due.origin == *link.source_name()) {
            let asked = (ids.event_id(), due.cause);
            self.notice(&mut slot, Some(&link.log), link.source_name(), asked, &due.version()).await;
        }
        self.put_on_record(&mut slot, key, None).await;
    }

    fn control_topic(&self) -> TopicName {
        self.parts.topics.control(self.parts.here.name())
    }

    /// Writes to the control topic: a removal that is due, or (with `None`) one that was asked for.
    async fn put_on_record(&self, slot: &mut Slot, key: Bytes, value: Option<Bytes>) {
        let topic = self.control_topic();
        let record = Record {
            topic: topic.clone(),
            partition: 0,
            key: Some(key),
            value,
            headers: Headers::default(),
            timestamp_ms: self.parts.clock.now_ms(),
        };
        self.outbox.append(slot, None, |_| record.clone(), &topic).await;
    }
}
