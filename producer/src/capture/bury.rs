//! Dead letters of capture: notices of a key that cannot be read, byte for byte, beside those of the writes into the
//! site. A replay reads the key afresh.

use twinlog_dead::{Death, letter};
use twinlog_log::backoff::Backoff;
use twinlog_log::lane::Slot;
use twinlog_log::{Fetched, LogError};
use twinlog_schemas::{BucketName, ExamineCause};

use super::Capture;
use super::waiting::Waiting;
use crate::notice::{self, Door, Examination, Hint};

impl Capture {
    /// Writes the dead letters of those records that tell what waits, and returns once they stand.
    pub(super) async fn bury(
        &self,
        slot: &mut Slot,
        records: &[Fetched],
        (bucket, waiting): (&BucketName, &[Waiting]),
        (reason, message): (&'static str, &str),
    ) {
        let site = self.parts.site.name();
        let topic = self.parts.topics.dead(site);
        let death = Death {
            reason,
            message,
            source: Some(site.as_str()),
            bucket: Some(bucket.as_str()),
            at_ms: self.parts.clock.now_ms(),
        };
        for record in telling(records, waiting) {
            let at = &record.position;
            tracing::error!(%bucket, partition = %at.partition, offset = at.offset, reason, "dead letter of a notice");
            tracing::debug!(partition = %at.partition, offset = at.offset, message, "what the dead letter is about");
            let mut delays = Backoff::PROMPT.delays(self.parts.ids.seed());
            let append = async || -> Result<(), LogError> {
                let partitions = self.partitions.count(&topic).await?;
                self.partitions.append(letter(topic.clone(), partitions, record, &death)).await
            };
            while let Err(error) = append().await {
                tracing::error!(%error, "a dead letter cannot be written: trying again");
                self.parts.observer.retried(error.operation);
                slot.rest(delays.wait()).await;
            }
        }
    }
}

/// The first records that hold each of these notices: what several doors told is one. Doubts are left out: who has one
/// asks again by itself.
fn telling<'a>(records: &'a [Fetched], waiting: &[Waiting]) -> Vec<&'a Fetched> {
    let doubt = |hint: &Hint| matches!(hint, Hint::Examine(Examination { cause: ExamineCause::Doubt, .. }));
    let mut untold: Vec<_> = waiting.iter().map(|one| &one.notice).filter(|notice| !doubt(&notice.hint)).collect();
    let tells = |record: &&Fetched| {
        let value = record.value.as_deref().unwrap_or_default();
        let told = notice::parse(value, Door::of(&record.headers)).unwrap_or_default();
        let before = untold.len();
        untold.retain(|notice| !told.contains(notice));
        untold.len() < before
    };
    records.iter().filter(tells).collect()
}
