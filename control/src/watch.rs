//! The watch over the topics that are read beside a site: what is gone of them is put on record as a request to sweep,
//! and told; what they were like when they were first read is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::lane::{Lost, TopicNow, Watch};
use twinlog_log::{Backoff, Log, Tell, TopicName, TopicPartition, Topics};
use twinlog_schemas::{BucketName, CloudEvent, EventType, LogTold, SiteName};

use crate::entry::{Entry, TopicGone, TopicSeen};
use crate::key::{Direction, Key};
use crate::sweep::{Sweep, Why};
use crate::view::Control;

/// Whether a bucket is replicated from a site to here; of the site itself, whether from here.
pub type Carries = Arc<dyn Fn(&SiteName, &BucketName) -> bool + Send + Sync>;
/// Holds a direction whose topic cannot be read as it is, with the reason in words.
pub type Unfit = Arc<dyn Fn(Direction, String) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The watch of one site.
pub struct LogWatch {
    /// The site.
    pub here: SiteName,
    /// Topic names.
    pub topics: Topics,
    /// The clusters of the sources from which links lead here, and of the site itself.
    pub homes: BTreeMap<SiteName, Arc<dyn Log>>,
    /// Which buckets are replicated.
    pub carries: Carries,
    /// What is on record here.
    pub control: Arc<Control>,
    /// Who is told.
    pub tell: Arc<dyn Tell>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Event ids and jitter.
    pub ids: Ids,
    /// What is done where partitions and lanes do not fit.
    pub unfit: Unfit,
}

/// What a topic holds, by its name.
enum Holds {
    /// The change events of a direction.
    Changes(Direction),
    /// The facts of a site.
    Facts(SiteName),
    /// The notices of this site, or anything else: of any of its buckets.
    Own,
}

#[async_trait]
impl Watch for LogWatch {
    async fn topic(&self, topic: &TopicName, now: TopicNow) -> bool {
        let id = now.id.map(|id| id.to_string());
        let seen = TopicSeen { id, partitions: now.partitions, now: now.partitions, given_up: false, gone: None };
        match self.control.topic_seen(topic) {
            None => self.remember(topic, seen).await,
            Some(before) if before.id.is_some() && seen.id.is_some() && before.id != seen.id => {
                let message = format!("topic {topic} was deleted and made anew: what the old one had unread is gone");
                self.request(topic, Why::TopicRecreated, &message, 0).await;
                self.tell(EventType::TopicRecreated, topic, None, &message).await;
                self.forget_offsets(topic).await;
                self.remember(topic, seen).await;
            }
            Some(before) if before.now != seen.now => {
                let message = format!(
                    "topic {topic} has {} partitions and was set up with {}: a key's changes may stand in two of them, and \
                     the order between these is not kept",
                    seen.now, before.partitions
                );
                tracing::error!(%topic, "{message}");
                self.tell(EventType::PartitionsChanged, topic, None, &message).await;
                self.remember(topic, TopicSeen { id: seen.id.or(before.id), now: seen.now, gone: None, ..before })
                    .await;
            }
            Some(before) if before.id.is_none() && seen.id.is_some() => {
                self.remember(topic, TopicSeen { id: seen.id, gone: None, ..before }).await;
            }
            Some(before) if before.gone.is_some() => self.remember(topic, TopicSeen { gone: None, ..before }).await,
            Some(_) => {}
        }
        let holds = self.holds(topic);
        // Capture owns a key by its notices alone; apply by several topics, which must agree about the lane.
        if matches!(holds, Holds::Own) || now.partitions % now.lanes.max(1) == 0 {
            return true;
        }
        let message =
            format!("topic {topic} has {} partitions, which {} lanes cannot share", now.partitions, now.lanes);
        for direction in self.directions(&holds).await {
            (self.unfit)(direction, message.clone()).await;
        }
        false
    }

    async fn known(&self) -> BTreeSet<TopicName> {
        let mut known = BTreeSet::new();
        for (topic, seen) in self.control.topics_seen() {
            if seen.gone.is_some() && !self.replicated(&topic) {
                self.control.remove(Key::Topic(topic)).await;
            } else {
                known.insert(topic);
            }
        }
        known
    }

    fn misses(&self, topic: &TopicName) -> bool {
        self.control.topic_seen(topic).is_some_and(|seen| seen.gone.is_some())
    }

    async fn gone(&self, topic: &TopicName) {
        let Some(seen) = self.control.topic_seen(topic).filter(|seen| seen.gone.is_none()) else { return };
        let (source, bucket) = self.concerns(topic);
        let gone = TopicGone { since_us: self.clock.now_us(), source, bucket };
        let (message, remedy, given_up) = (TopicGone::message(topic), gone.remedy(), seen.given_up);
        self.forget_offsets(topic).await;
        self.remember(topic, TopicSeen { gone: Some(gone), ..seen }).await;
        if given_up {
            tracing::info!(%topic, "its bucket was disabled, and it is gone");
        } else {
            tracing::error!(%topic, remedy, "{message}");
            self.tell(EventType::TopicGone, topic, None, &message).await;
        }
    }

    async fn lost(&self, lost: &Lost) {
        let Lost { partition, from, to, records } = lost;
        let message =
            format!("records {from} to {to} of {partition} were deleted before they were read ({records} not done)");
        self.request(&partition.topic, Why::RecordsLost, &message, *records).await;
        self.tell(EventType::RecordsLost, &partition.topic, Some(lost), &message).await;
    }

    fn rewind(&self, partition: &TopicPartition) -> Option<i64> {
        self.control.rewind(partition).map(|rewind| rewind.to)
    }

    async fn rewound(&self, partition: &TopicPartition, offset: Option<i64>) {
        match offset {
            Some(offset) => tracing::info!(%partition, offset, "read once more, as a person asked"),
            None => tracing::info!(%partition, "nothing from there on was read before: it goes on as it was"),
        }
        self.control.remove(Key::Rewind(partition.clone())).await;
    }
}

impl LogWatch {
    async fn remember(&self, topic: &TopicName, seen: TopicSeen) {
        self.control.put(Entry::Topic(topic.clone(), seen)).await;
    }

    /// What stands on record of a topic's offsets says nothing about those of another one by its name.
    async fn forget_offsets(&self, topic: &TopicName) {
        for key in self.control.about(topic) {
            self.control.remove(key).await;
        }
    }

    fn holds(&self, topic: &TopicName) -> Holds {
        for source in self.homes.keys() {
            if let Some(bucket) = self.topics.bucket_of_changes(source, topic) {
                return Holds::Changes((source.clone(), bucket));
            }
            if *topic == self.topics.facts(source) {
                return Holds::Facts(source.clone());
            }
        }
        Holds::Own
    }

    /// Whether the configuration has anything to do with a topic.
    fn replicated(&self, topic: &TopicName) -> bool {
        match self.holds(topic) {
            Holds::Changes((source, bucket)) => (self.carries)(&source, &bucket),
            Holds::Facts(_) => true,
            Holds::Own => *topic == self.topics.notices(&self.here),
        }
    }

    /// The site and bucket that a topic is about.
    fn concerns(&self, topic: &TopicName) -> (SiteName, Option<BucketName>) {
        match self.holds(topic) {
            Holds::Changes((source, bucket)) => (source, Some(bucket)),
            Holds::Facts(source) => (source, None),
            Holds::Own => (self.here.clone(), None),
        }
    }

    /// The directions that a loss concerns: facts of another site what comes from there, facts of this site what comes from
    /// anywhere, notices of this site what goes out from it.
    async fn directions(&self, holds: &Holds) -> Vec<Direction> {
        let sources: Vec<&SiteName> = match holds {
            Holds::Changes(direction) => return vec![direction.clone()],
            Holds::Facts(source) if *source != self.here => vec![source],
            Holds::Facts(_) => self.homes.keys().filter(|source| **source != self.here).collect(),
            Holds::Own => vec![&self.here],
        };
        let mut directions = Vec::new();
        for source in sources {
            directions.extend(self.enabled(source).await.into_iter().map(|bucket| (source.clone(), bucket)));
        }
        directions
    }

    /// The buckets of a source that have change topics; asked for as long as it takes, since what is not on record is
    /// forgotten.
    async fn enabled(&self, source: &SiteName) -> Vec<BucketName> {
        let Some(home) = self.homes.get(source) else { return Vec::new() };
        let mut waits = Backoff::PROMPT.delays(self.ids.seed());
        loop {
            match home.topics().await {
                Ok(topics) => {
                    let buckets = topics.keys().filter_map(|topic| self.topics.bucket_of_changes(source, topic));
                    return buckets.filter(|bucket| (self.carries)(source, bucket)).collect();
                }
                Err(error) => {
                    tracing::warn!(%source, %error, "the buckets to be swept are not known yet; trying again");
                    waits.wait().await;
                }
            }
        }
    }

    async fn request(&self, topic: &TopicName, why: Why, message: &str, records: i64) {
        tracing::error!(%topic, %why, remedy = Sweep::REMEDY, "{message}: a sweep is needed");
        for direction in self.directions(&self.holds(topic)).await {
            let before = self.control.sweep(&direction);
            let (since_us, known) = before.map_or((self.clock.now_us(), 0), |before| (before.since_us, before.records));
            let (message, records) = (message.to_owned(), known.saturating_add(records));
            let sweep = Sweep { why, message, since_us, last_us: self.clock.now_us(), records };
            self.control.put(Entry::Sweep(direction, sweep)).await;
        }
    }

    async fn tell(&self, kind: EventType, topic: &TopicName, lost: Option<&Lost>, message: &str) {
        let (source, bucket) = self.concerns(topic);
        let told = LogTold {
            site: self.here.to_string(),
            source_site: source.to_string(),
            bucket: bucket.as_ref().map(ToString::to_string),
            topic: topic.to_string(),
            partition: lost.map(|lost| lost.partition.partition),
            from: lost.map(|lost| lost.from),
            to: lost.map(|lost| lost.to),
            records: lost.map(|lost| lost.records),
            message: message.to_owned(),
        };
        let way = if source == self.here { self.here.to_string() } else { format!("{source}>{}", self.here) };
        let subject = bucket.map_or_else(|| way.clone(), |bucket| format!("{way}/{bucket}"));
        match CloudEvent::new(kind, self.ids.event_id(), &self.here, subject, self.clock.now_ns(), &told) {
            Ok(event) => self.tell.tell(event).await,
            Err(error) => tracing::error!(%error, "what became of a topic could not be told"),
        }
    }
}

#[cfg(test)]
mod tests;
