//! The consumer's observer, as metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, UpDownCounter};
use twinlog_consumer::conflict::Conflict;
use twinlog_consumer::dead::open::Label;
use twinlog_consumer::failure::End;
use twinlog_consumer::observe::{Observer, Outcome, Stream};
use twinlog_schemas::SiteName;

use super::meters::Metrics;
use super::names;

/// Counts what the consumers that write into a site do.
pub struct ConsumerMetrics {
    site: KeyValue,
    events: Counter<u64>,
    facts: Counter<u64>,
    rules: Counter<u64>,
    lag: Histogram<f64>,
    bytes: Counter<u64>,
    writes: Counter<u64>,
    retries: Counter<u64>,
    unproved: Counter<u64>,
    dead: Counter<u64>,
    open: Gauge<f64>,
    hold: Gauge<f64>,
    in_flight: UpDownCounter<i64>,
    link_hold: Gauge<f64>,
    breaker: Gauge<f64>,
    doubts: Counter<u64>,
    conflicts: Counter<u64>,
    lost: Counter<u64>,
    /// The reason under which a link's bucket is shown as held, so that its release clears that series.
    held: Mutex<BTreeMap<(String, String), String>>,
}

impl ConsumerMetrics {
    /// Metrics of the consumers that write into `site`.
    pub fn new(metrics: &Metrics, site: &SiteName) -> Self {
        Self {
            site: KeyValue::new(names::SITE, site.to_string()),
            events: metrics.counter(names::EVENTS_DONE),
            facts: metrics.counter(names::FACTS_DONE),
            rules: metrics.counter(names::RULES),
            lag: metrics.seconds(names::REPLICATION_LAG_SECONDS),
            bytes: metrics.counter(names::REPLICATED_BYTES),
            writes: metrics.counter(names::REPLICA_WRITES),
            retries: metrics.counter(names::RETRIES),
            unproved: metrics.counter(names::UNPROVED),
            dead: metrics.counter(names::DEAD_LETTERS),
            open: metrics.gauge(names::DEAD_LETTERS_OPEN),
            hold: metrics.gauge(names::HOLD),
            in_flight: metrics.level(names::EVENTS_IN_FLIGHT),
            link_hold: metrics.gauge(names::LINK_HOLD),
            breaker: metrics.gauge(names::BREAKER),
            doubts: metrics.counter(names::DOUBTS),
            conflicts: metrics.counter(names::CONFLICTS),
            lost: metrics.counter(names::RECORDS_LOST),
            held: Mutex::default(),
        }
    }
}

fn link(stream: Stream<'_>) -> String {
    format!("{}>{}", stream.source, stream.target)
}

fn by_bucket(stream: Stream<'_>) -> [KeyValue; 2] {
    [KeyValue::new(names::LINK, link(stream)), KeyValue::new(names::BUCKET, stream.bucket.to_string())]
}

fn by_bucket_and(stream: Stream<'_>, label: &'static str, value: &str) -> [KeyValue; 3] {
    let [link, bucket] = by_bucket(stream);
    [link, bucket, KeyValue::new(label, value.to_owned())]
}

impl Observer for ConsumerMetrics {
    fn event_done(&self, stream: Stream<'_>, outcome: Outcome, rule: &'static str) {
        self.events.add(1, &by_bucket_and(stream, names::OUTCOME, outcome.name()));
        self.rules.add(1, &[KeyValue::new(names::LINK, link(stream)), KeyValue::new(names::RULE, rule)]);
    }

    fn fact_done(&self, stream: Stream<'_>, outcome: Outcome) {
        self.facts.add(1, &by_bucket_and(stream, names::OUTCOME, outcome.name()));
    }

    fn replicated(&self, stream: Stream<'_>, lag_seconds: f64, bytes: u64) {
        // A source's clock that is ahead would make the lag negative.
        self.lag.record(lag_seconds.max(0.0), &by_bucket(stream));
        self.bytes.add(bytes, &by_bucket(stream));
    }

    fn unproved(&self, stream: Stream<'_>) {
        self.unproved.add(1, &by_bucket(stream));
    }

    fn replica_write(&self, stream: Stream<'_>, what: &'static str) {
        self.writes.add(1, &by_bucket_and(stream, names::KIND, what));
    }

    fn retried(&self, stream: Stream<'_>, reason: &str) {
        self.retries.add(1, &by_bucket_and(stream, names::REASON, reason));
    }

    fn dead_letter(&self, stream: Stream<'_>, reason: &str) {
        self.dead.add(1, &by_bucket_and(stream, names::REASON, reason));
    }

    fn dead_letters_open(&self, label: &Label, target: &SiteName, open: u64) {
        let known = |name: &str| if name.is_empty() { "unknown".to_owned() } else { name.to_owned() };
        let labels = [
            KeyValue::new(names::LINK, format!("{}>{target}", known(&label.source))),
            KeyValue::new(names::BUCKET, known(&label.bucket)),
            KeyValue::new(names::REASON, label.reason.clone()),
        ];
        #[expect(clippy::cast_precision_loss, reason = "far fewer letters than 2^52 are remembered")]
        self.open.record(open as f64, &labels);
    }

    fn held(&self, stream: Stream<'_>, reason: Option<&str>) {
        let direction = (link(stream), stream.bucket.to_string());
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match reason {
            Some(reason) => held.insert(direction, reason.to_owned()),
            None => held.remove(&direction),
        };
        drop(held);
        if let Some(before) = before {
            self.hold.record(0.0, &by_bucket_and(stream, names::REASON, &before));
        }
        if let Some(reason) = reason {
            self.hold.record(1.0, &by_bucket_and(stream, names::REASON, reason));
        }
    }

    fn in_flight(&self, stream: Stream<'_>, change: i64) {
        self.in_flight.add(change, &[KeyValue::new(names::LINK, link(stream))]);
    }

    fn link_held(&self, source: &SiteName, target: &SiteName, reason: Option<&str>) {
        let link = format!("{source}>{target}");
        let labels =
            |reason: &str| [KeyValue::new(names::LINK, link.clone()), KeyValue::new(names::REASON, reason.to_owned())];
        let direction = (link.clone(), String::new());
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match reason {
            Some(reason) => held.insert(direction, reason.to_owned()),
            None => held.remove(&direction),
        };
        drop(held);
        before.iter().for_each(|before| self.link_hold.record(0.0, &labels(before)));
        reason.iter().for_each(|reason| self.link_hold.record(1.0, &labels(reason)));
    }

    fn breaker(&self, source: &SiteName, target: &SiteName, end: End, open: bool) {
        let away = if end == End::Source { source } else { target };
        let labels =
            [KeyValue::new(names::LINK, format!("{source}>{target}")), KeyValue::new(names::SITE, away.to_string())];
        self.breaker.record(f64::from(u8::from(open)), &labels);
    }

    fn doubted(&self, stream: Stream<'_>) {
        self.doubts.add(1, &by_bucket(stream));
    }

    fn conflict_decided(&self, stream: Stream<'_>, conflict: &Conflict) {
        let [link, bucket, category] = by_bucket_and(stream, names::CATEGORY, conflict.contested.name());
        let tied = KeyValue::new(names::TIED, conflict.tied());
        self.conflicts.add(1, &[link, bucket, category, tied]);
    }

    fn gap(&self, topic: &str, records: i64) {
        let labels = [self.site.clone(), KeyValue::new(names::TOPIC, topic.to_owned())];
        self.lost.add(u64::try_from(records).unwrap_or(0), &labels);
    }
}
