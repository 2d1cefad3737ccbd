//! Telling operators and other systems: CloudEvents into a site's events topic.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use twinlog_schemas::{CloudEvent, SiteName};

use crate::backoff::Backoff;
use crate::clock::{Clock, Ids};
use crate::contract::Log;
use crate::outgoing::Partitions;
use crate::partition::partition_of_record_key;
use crate::record::{Headers, Record};
use crate::topic::{TopicName, Topics};

/// Takes events that somebody has to hear of.
///
/// - **Durability**: the call returns once the event stands in the log; it keeps trying for as long as that takes.
/// - **Order**: events of one subject stand in the order of the calls.
/// - **Copies**: a caller that is dropped in the middle and tells again makes a second copy under another id.
/// - **Cancellation**: dropping the call may or may not have told.
#[async_trait]
pub trait Tell: Send + Sync + 'static {
    /// Tells one event.
    async fn tell(&self, event: CloudEvent);
}

/// Appends to `<prefix>.events.<site>`.
pub struct TellTopic {
    partitions: Partitions,
    topic: TopicName,
    clock: Arc<dyn Clock>,
    ids: Ids,
}

impl TellTopic {
    /// Tells what happens beside `site`, on the site's own cluster.
    #[must_use]
    pub fn new(home: Arc<dyn Log>, topics: &Topics, site: &SiteName, clock: Arc<dyn Clock>, ids: Ids) -> Self {
        Self { partitions: Partitions::new(home), topic: topics.events(site), clock, ids }
    }
}

#[async_trait]
impl Tell for TellTopic {
    async fn tell(&self, event: CloudEvent) {
        let value = match event.to_json() {
            Ok(value) => Bytes::from(value),
            Err(error) => {
                tracing::error!(%error, kind = event.kind, "an event could not be encoded: nobody is told");
                return;
            }
        };
        let key = Bytes::from(event.subject.into_bytes());
        let mut waits = Backoff::PROMPT.delays(self.ids.seed());
        loop {
            let appended = async {
                let count = self.partitions.count(&self.topic).await?;
                let record = Record {
                    topic: self.topic.clone(),
                    partition: partition_of_record_key(&key, count),
                    key: Some(key.clone()),
                    value: Some(value.clone()),
                    headers: Headers::default().with("content-type", "application/cloudevents+json"),
                    timestamp_ms: self.clock.now_ms(),
                };
                self.partitions.append(record).await
            };
            match appended.await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(topic = %self.topic, %error, "an event is not told yet; trying again");
                    waits.wait().await;
                }
            }
        }
    }
}

/// Keeps what it is told; for tests and simulation.
#[derive(Debug, Default)]
pub struct Heard(Mutex<Vec<CloudEvent>>);

impl Heard {
    /// What was told so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<CloudEvent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Tell for Heard {
    async fn tell(&self, event: CloudEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}
