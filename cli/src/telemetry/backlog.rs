//! What waits in Kafka, computed from offsets: what a group has committed against where the topic ends. No counter of
//! ours is in it, so a restart changes nothing.
//!
//! Nothing is polled: a scrape asks, and what was asked within the last moments is told again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use twinlog_log::clock::Clock;
use twinlog_log::{Log, LogError, Reader, TopicName, TopicPartition, Watermarks};

use super::meters::Metrics;
use super::names;

/// Within so long an answer is told again instead of asking anew.
const FRESH: Duration = Duration::from_secs(1);
/// A scrape waits no longer; what is not known by then is told the next time.
const PATIENCE: Duration = Duration::from_secs(4);

/// The labels under which a topic is shown; `None` for topics that are not followed.
pub type Labels = Arc<dyn Fn(&TopicName) -> Option<Vec<KeyValue>> + Send + Sync>;

/// Topics of which one group is to be followed, and how they are shown.
pub struct Follows {
    /// The cluster.
    pub log: Arc<dyn Log>,
    /// The group whose commits say what is done.
    pub group: String,
    /// How its topics are shown.
    pub labels: Labels,
    /// How many records wait.
    pub records: Gauge<f64>,
    /// How old the oldest is.
    pub oldest: Gauge<f64>,
}

impl Follows {
    /// Change events of links into a site.
    pub fn events(metrics: &Metrics, log: Arc<dyn Log>, group: String, labels: Labels) -> Self {
        let (records, oldest) = (metrics.gauge(names::BACKLOG_EVENTS), metrics.gauge(names::BACKLOG_OLDEST_SECONDS));
        Self { log, group, labels, records, oldest }
    }

    /// A site's notices.
    pub fn notices(metrics: &Metrics, log: Arc<dyn Log>, group: String, site: &str, topic: TopicName) -> Self {
        let (records, oldest) = (metrics.gauge(names::NOTICES_BACKLOG), metrics.gauge(names::NOTICES_OLDEST_SECONDS));
        let site = KeyValue::new(names::SITE, site.to_owned());
        Self { log, group, labels: Arc::new(move |name| (*name == topic).then(|| vec![site.clone()])), records, oldest }
    }

    /// What a webhook of the notifier beside a site is not past yet.
    pub fn notifications(
        metrics: &Metrics,
        log: Arc<dyn Log>,
        group: String,
        (site, receiver): (&str, &str),
        topic: TopicName,
    ) -> Self {
        let records = metrics.gauge(names::NOTIFICATIONS_BACKLOG);
        let oldest = metrics.gauge(names::NOTIFICATIONS_OLDEST_SECONDS);
        let labels =
            vec![KeyValue::new(names::SITE, site.to_owned()), KeyValue::new(names::RECEIVER, receiver.to_owned())];
        Self { log, group, labels: Arc::new(move |name| (*name == topic).then(|| labels.clone())), records, oldest }
    }
}

/// The backlog of a process.
pub struct Backlog {
    follows: Vec<Follows>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: Option<Instant>,
    /// By the place in `follows`.
    seen: BTreeMap<usize, Seen>,
}

/// What of one topic waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// How many records.
    pub records: i64,
    /// How old the oldest is; 0 where there is none.
    pub age_ms: i64,
}

/// What was learnt of one group's topics.
#[derive(Default)]
pub struct Seen {
    /// Opened when something waits for the first time, and kept: a reader is a client with connections of its own.
    reader: Option<Box<dyn Reader>>,
    /// The offset and time of the first record that waited, so that one that stands still is read once.
    times: BTreeMap<TopicPartition, (i64, i64)>,
}

/// What waits in one partition.
struct Waiting {
    partition: TopicPartition,
    from: i64,
    records: i64,
}

impl Backlog {
    /// A backlog of these topics.
    pub fn new(follows: Vec<Follows>, clock: Arc<dyn Clock>) -> Self {
        Self { follows, clock, state: Mutex::default() }
    }

    /// Brings the gauges up to date, as far as the clusters answer in time.
    pub async fn refresh(&self) {
        let mut state = self.state.lock().await;
        if state.asked.is_some_and(|asked| asked.elapsed() < FRESH) {
            return;
        }
        state.asked = Some(Instant::now());
        let all = async {
            for (number, follows) in self.follows.iter().enumerate() {
                if let Err(error) = self.one(follows, state.seen.entry(number).or_default()).await {
                    tracing::warn!(group = %follows.group, %error, "backlog not known");
                }
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("backlog not known: the cluster does not answer in time");
        }
    }

    async fn one(&self, follows: &Follows, seen: &mut Seen) -> Result<(), LogError> {
        let topics = follows.log.topics_lately().await?;
        for (topic, info) in topics {
            let Some(labels) = (follows.labels)(&topic) else { continue };
            let of = (&follows.log, follows.group.as_str());
            let Lag { records, age_ms } = seen.lag(of, &topic, info.partitions, self.clock.now_ms()).await?;
            follows.records.record(whole(records), &labels);
            follows.oldest.record(whole(age_ms) / 1_000.0, &labels);
        }
        Ok(())
    }
}

/// A group on its cluster.
type Of<'a> = (&'a Arc<dyn Log>, &'a str);

async fn waiting((log, group): Of<'_>, partitions: Vec<TopicPartition>) -> Result<Vec<Waiting>, LogError> {
    let committed = log.committed(group, &partitions).await?;
    let waits = |(partition, ends): (TopicPartition, Result<Watermarks, LogError>)| {
        let ends = ends?;
        let from = committed.get(&partition).map_or(ends.first, |committed| committed.offset.max(ends.first));
        Ok(Waiting { partition, from, records: (ends.next - from).max(0) })
    };
    log.ends(&partitions).await.into_iter().map(waits).collect()
}

impl Seen {
    /// What waits of a topic for a group.
    pub async fn lag(&mut self, of: Of<'_>, topic: &TopicName, partitions: i32, now_ms: i64) -> Result<Lag, LogError> {
        let partitions = (0..partitions).map(|partition| TopicPartition { topic: topic.clone(), partition });
        let waiting = waiting(of, partitions.collect()).await?;
        let records: i64 = waiting.iter().map(|waiting| waiting.records).sum();
        let mut oldest_ms = None;
        for waiting in waiting.into_iter().filter(|waiting| waiting.records > 0) {
            if let Some(time) = self.time_of(of, &waiting).await? {
                oldest_ms = Some(oldest_ms.map_or(time, |oldest: i64| oldest.min(time)));
            }
        }
        Ok(Lag { records, age_ms: oldest_ms.map_or(0, |oldest| (now_ms - oldest).max(0)) })
    }

    /// The time of the first record that waits: read, since offsets do not tell it.
    async fn time_of(&mut self, (log, group): Of<'_>, waiting: &Waiting) -> Result<Option<i64>, LogError> {
        if let Some((_, time)) = self.times.get(&waiting.partition).filter(|(offset, _)| *offset == waiting.from) {
            return Ok(Some(*time));
        }
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(log.reader(&format!("{group}.age")).await?),
        };
        let time = reader.assign(&waiting.partition, waiting.from).await?.next().await?.timestamp_ms;
        self.times.extend(time.map(|time| (waiting.partition.clone(), (waiting.from, time))));
        Ok(time)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge: 2^53 records or milliseconds are beyond anything")]
fn whole(number: i64) -> f64 {
    number as f64
}
