//! A record over which planning or acting breaks: a bug. Its partition stands there, on record with the record's coordinates;
//! nothing behind it is committed, everything else goes on, and each time the partition is looked at again it is tried
//! again, so that an upgrade is all it takes.

use twinlog_control::{Entry, Key, Stuck};
use twinlog_log::{Fetched, TopicPartition};
use twinlog_schemas::{CloudEvent, EventType, HoldTold};

use super::Apply;
use super::settle::Job;

impl Apply {
    /// Puts on record that a partition stands at a record.
    pub(super) async fn stuck(&self, job: &Job<'_>, message: String) {
        let at = &job.record.position;
        tracing::error!(partition = %at.partition, offset = at.offset, message, remedy = Stuck::REMEDY,
            "a record cannot be applied: its partition stands there");
        let control = self.parts.holds.control();
        if control.stuck(&at.partition).is_some_and(|known| known.offset == at.offset) {
            return;
        }
        let stuck = Stuck {
            offset: at.offset,
            message,
            since_us: self.parts.clock.now_us(),
            source: job.source.clone(),
            bucket: self.parts.topics.bucket_of_changes(job.source, &at.partition.topic),
        };
        control.put(Entry::Stuck(at.partition.clone(), stuck.clone())).await;
        self.tell_stuck(EventType::HoldBegun, &at.partition, &stuck).await;
    }

    /// A record is done: its partition stands there no longer, if it did.
    pub(super) async fn unstuck(&self, record: &Fetched) {
        let at = &record.position;
        let control = self.parts.holds.control();
        let Some(stuck) = control.stuck(&at.partition).filter(|stuck| stuck.offset == at.offset) else { return };
        tracing::info!(partition = %at.partition, offset = at.offset, "the record at which the partition stood is done");
        control.remove(Key::Stuck(at.partition.clone())).await;
        self.tell_stuck(EventType::HoldEnded, &at.partition, &stuck).await;
    }

    async fn tell_stuck(&self, kind: EventType, partition: &TopicPartition, stuck: &Stuck) {
        let here = self.parts.here.name();
        let told = HoldTold {
            source_site: stuck.source.to_string(),
            target_site: here.to_string(),
            bucket: stuck.bucket.as_ref().map(ToString::to_string),
            reason: Stuck::REASON.to_owned(),
            message: format!("offset {} of {partition}: {}", stuck.offset, stuck.message),
            remedy: Stuck::REMEDY.to_owned(),
            since_us: stuck.since_us,
        };
        let link = format!("{}>{here}", stuck.source);
        let subject = stuck.bucket.as_ref().map_or_else(|| link.clone(), |bucket| format!("{link}/{bucket}"));
        match CloudEvent::new(kind, self.parts.ids.event_id(), here, subject, self.parts.clock.now_ns(), &told) {
            Ok(event) => self.parts.tell.tell(event).await,
            Err(error) => tracing::error!(%error, "a partition that stands could not be told"),
        }
    }
}
