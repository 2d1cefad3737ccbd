//! Brings the notifications of the events topic to one webhook, in order per partition, and commits what was taken or
//! given up.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use tokio::time::{Instant, sleep, timeout_at};
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::{Backoff, Committed, Fetched, Log, LogError, PartitionReader, Reader, TopicName, TopicPartition};
use twinlog_schemas::{CloudEvent, SiteName};

use super::signature;
use crate::http::{Answer, Post};
use crate::observe::{Observer, Sent};
use crate::reading::names;

/// How often the place behind records that are none of ours is committed, and that of a quiet topic: Kafka forgets it
/// after a week.
const COMMIT: Duration = Duration::from_secs(5);
const COMMIT_ANEW: Duration = Duration::from_secs(3_600);
/// A receiver that asks for more time than this is asked again anyway.
const LONGEST: Duration = Duration::from_secs(300);

/// How long a webhook is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Waits between attempts.
    pub backoff: Backoff,
    /// From this age on a notification that was not taken is given up.
    pub give_up_after: Duration,
}

/// One webhook.
pub struct Webhook {
    /// Its name: the receiver of metrics and logs, and part of its group.
    pub name: String,
    /// Where it is.
    pub post: Arc<dyn Post>,
    /// What its deliveries are signed with.
    pub secret: Vec<u8>,
    /// How long it is tried.
    pub patience: Patience,
}

/// Delivers to one webhook. Runs in one process beside a site at a time.
pub struct Courier {
    /// The site.
    pub here: SiteName,
    /// The site's own cluster.
    pub home: Arc<dyn Log>,
    /// The events topic.
    pub topic: TopicName,
    /// The group under which its place is committed.
    pub group: String,
    /// Where to.
    pub webhook: Webhook,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Jitter.
    pub ids: Ids,
    /// Counts.
    pub observer: Arc<dyn Observer>,
}

impl Courier {
    /// Runs until it is dropped, which may happen at any await: what was not committed is delivered again.
    pub async fn run(&self) {
        let mut waits = Backoff::PROMPT.delays(self.ids.seed());
        loop {
            let began = Instant::now();
            if let Err(error) = self.round().await {
                tracing::debug!(webhook = self.webhook.name, %error, "delivering begins again");
            }
            if began.elapsed() > Duration::from_secs(60) {
                waits = Backoff::PROMPT.delays(self.ids.seed());
            }
            waits.wait().await;
        }
    }

    async fn round(&self) -> Result<(), LogError> {
        let reader = self.home.unhurried_reader(&self.group).await?;
        let partitions = names(self.home.as_ref(), &self.topic).await?;
        try_join_all(partitions.iter().map(|partition| self.deliver_all(reader.as_ref(), partition))).await?;
        Ok(())
    }

    async fn deliver_all(&self, reader: &dyn Reader, partition: &TopicPartition) -> Result<(), LogError> {
        let from = self.place(partition).await?;
        let mut records = reader.assign(partition, from).await?;
        let commit =
            |offset| async move { reader.commit(partition, &Committed { offset, metadata: String::new() }).await };
        // So that what comes while nobody runs is not taken for older than the webhook.
        commit(from).await?;
        let (mut done, mut next) = (from, from);
        let mut anew = Instant::now() + COMMIT_ANEW;
        loop {
            if let Some(record) = within(records.as_mut(), COMMIT).await? {
                next = record.position.offset + 1;
                if self.deliver(&record).await {
                    commit(next).await?;
                    done = next;
                }
            } else if done < next || anew <= Instant::now() {
                commit(next).await?;
                (done, anew) = (next, Instant::now() + COMMIT_ANEW);
            }
        }
    }

    /// Where to begin: at the commit; a new webhook hears of what comes from now on.
    async fn place(&self, partition: &TopicPartition) -> Result<i64, LogError> {
        let ends = self.home.watermarks(partition).await?;
        let committed = self.home.committed(&self.group, std::slice::from_ref(partition)).await?.remove(partition);
        let Some(committed) = committed else { return Ok(ends.next) };
        if (ends.first..=ends.next).contains(&committed.offset) {
            return Ok(committed.offset);
        }
        let lost = (ends.first - committed.offset).max(0);
        tracing::warn!(webhook = self.webhook.name, %partition, lost, "the log no longer has what was not delivered yet");
        self.observer.gap(partition.topic.as_str(), lost);
        Ok(ends.first)
    }

    /// Delivers a record if it is a notification, however long it takes, or gives it up; whether it was one.
    async fn deliver(&self, record: &Fetched) -> bool {
        let body = record.value.clone().unwrap_or_default();
        let Some(event) = CloudEvent::from_json(&body).ok().filter(|event| event.is_by_notifier(&self.here)) else {
            return false;
        };
        let Webhook { name, post, patience, .. } = &self.webhook;
        let mut waits = patience.backoff.delays(self.ids.seed());
        loop {
            let answer = post.post(body.clone(), &self.headers(&event, &body)).await;
            let age_ms = self.clock.now_ms() - record.timestamp_ms.unwrap_or_default();
            let too_old = age_ms >= i64::try_from(patience.give_up_after.as_millis()).unwrap_or(i64::MAX);
            match answer {
                Answer::Taken => {
                    tracing::debug!(webhook = name, id = event.id, "delivered");
                    self.observer.sent(name, Sent::Delivered);
                    return true;
                }
                Answer::Again { why, after } if !too_old => {
                    tracing::debug!(webhook = name, id = event.id, why, "not taken yet");
                    self.observer.sent(name, Sent::Again);
                    sleep(waits.next_delay().max(after.unwrap_or_default().min(LONGEST))).await;
                }
                Answer::Again { why, .. } | Answer::Refused { why } => {
                    tracing::warn!(
                        webhook = name,
                        id = event.id,
                        kind = event.kind,
                        why,
                        "a notification was given up: the events topic still has it"
                    );
                    self.observer.sent(name, Sent::GivenUp);
                    return true;
                }
            }
        }
    }

    fn headers(&self, event: &CloudEvent, body: &Bytes) -> [(&'static str, String); 3] {
        let signed = signature::sign(&self.webhook.secret, self.clock.now_ms() / 1_000, body);
        [
            ("content-type", "application/cloudevents+json".to_owned()),
            ("webhook-id", event.id.clone()),
            (signature::HEADER, signed),
        ]
    }
}

/// The next record, if one comes in time.
async fn within(records: &mut dyn PartitionReader, patience: Duration) -> Result<Option<Fetched>, LogError> {
    match timeout_at(Instant::now() + patience, records.next()).await {
        Ok(record) => record.map(Some),
        Err(_) => Ok(None),
    }
}
