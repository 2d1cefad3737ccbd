//! The producer's parts, put together.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use tokio::sync::watch;
use twinlog_index::Index;
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::{Headers, Log, LogError, LogErrorKind, Record, Topics};
use twinlog_schemas::{BucketName, Codec, PublishedSchema, SchemaError};
use twinlog_site::Site;

use crate::buckets::Selection;
use crate::capture::{Capture, CaptureConfig};
use crate::freshness::Freshness;
use crate::inbox::Inbox;
use crate::intake::{IntakeConfig, IntakeParts, Quarantine, QuarantineConfig, router};
use crate::listen::Listen;
use crate::observe::Observer;
use crate::subscribed::Subscribed;
use twinlog_log::outgoing::Partitions;

/// What a producer works with; all shared.
#[derive(Clone)]
pub struct Parts {
    /// The store beside which it runs.
    pub site: Arc<dyn Site>,
    /// The site's own cluster.
    pub log: Arc<dyn Log>,
    /// What all facts say.
    pub index: Arc<dyn Index>,
    /// Who keeps the index up to date.
    pub freshness: Arc<dyn Freshness>,
    /// Encodes events and facts.
    pub codec: Arc<Codec>,
    /// The topics' names.
    pub topics: Topics,
    /// Which buckets are replicated from this site.
    pub selection: Arc<dyn Selection>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Event ids and jitter.
    pub ids: Ids,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
}

/// One site's producer: hands out its intake, its capture and its listener, which whoever runs the process joins to
/// a socket, a lane group and a task.
pub struct Producer {
    parts: Parts,
    inbox: Inbox,
    capture: Arc<Capture>,
}

impl Producer {
    /// Puts a producer together. Fails only if the build's own schema files are broken.
    pub fn new(parts: Parts, capture: CaptureConfig) -> Result<Self, SchemaError> {
        let partitions = Arc::new(Partitions::new(Arc::clone(&parts.log)));
        let inbox = Inbox {
            topic: parts.topics.notices(parts.site.name()),
            partitions: Arc::clone(&partitions),
            selection: Arc::clone(&parts.selection),
            subscribed: Arc::new(Subscribed::new(Arc::clone(&parts.site))),
            clock: Arc::clone(&parts.clock),
            observer: Arc::clone(&parts.observer),
            stand: Arc::default(),
        };
        let capture = Arc::new(Capture::new(parts.clone(), capture, partitions)?);
        Ok(Self { parts, inbox, capture })
    }

    /// The routes for the store's webhooks; see [`crate::intake::serve`].
    pub fn intake(&self, config: IntakeConfig, quarantine: QuarantineConfig) -> Router {
        router(IntakeParts {
            site: self.parts.site.name().clone(),
            inbox: self.inbox.clone(),
            quarantine: Arc::new(Quarantine::new(quarantine)),
            config,
        })
    }

    /// The handler for the lanes of the notices topic.
    #[must_use]
    pub fn capture(&self) -> Arc<Capture> {
        Arc::clone(&self.capture)
    }

    /// The task that holds the fast door: of `buckets`, while `lanes` (those owned by this process) has lane 0.
    #[must_use]
    pub fn listen(
        &self,
        buckets: watch::Receiver<BTreeSet<BucketName>>,
        lanes: watch::Receiver<BTreeSet<i32>>,
    ) -> Listen {
        Listen {
            site: Arc::clone(&self.parts.site),
            inbox: self.inbox.clone(),
            ids: self.parts.ids.clone(),
            buckets,
            lanes,
        }
    }

    #[cfg(test)]
    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Publishes every schema of this release in the site's control topic, so that older consumers can read what this
    /// producer writes. To be done before the first lane is captured; doing it again changes nothing.
    pub async fn publish_schemas(&self) -> Result<(), LogError> {
        let topic = self.parts.topics.control(self.parts.site.name());
        let bug = |message: String| LogError {
            operation: "publish schemas to",
            subject: topic.to_string(),
            kind: LogErrorKind::Fatal,
            message,
        };
        for published in Codec::published().map_err(|error| bug(error.to_string()))? {
            let schema = PublishedSchema::try_from(published).map_err(|error| bug(error.to_string()))?;
            let value = schema.to_json().map_err(|error| bug(error.to_string()))?;
            let record = Record {
                topic: topic.clone(),
                partition: 0,
                key: Some(schema.key().into()),
                value: Some(value.into()),
                headers: Headers::default(),
                timestamp_ms: self.parts.clock.now_ms(),
            };
            self.parts.log.append(record).await?;
        }
        Ok(())
    }
}
