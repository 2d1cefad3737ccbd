//! The producer's observer, as metrics.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, UpDownCounter};
use twinlog_producer::notice::Door;
use twinlog_producer::observe::{Dropped, Observer, Settled};
use twinlog_schemas::{BucketName, SiteName, Told};

use super::meters::Metrics;
use super::names;
use super::readiness::Reported;

/// Counts what the producer beside a site does.
pub struct ProducerMetrics {
    site: KeyValue,
    /// Told whether the listen stream is connected.
    listening: Option<Reported>,
    received: Counter<u64>,
    dropped: Counter<u64>,
    malformed: Counter<u64>,
    unauthorised: Counter<u64>,
    refused: Counter<u64>,
    quarantine_dropped: Counter<u64>,
    connected: Gauge<f64>,
    deaf: Counter<f64>,
    in_flight: UpDownCounter<i64>,
    captured: Counter<u64>,
    settled: Counter<u64>,
    changes: Counter<u64>,
    capture_seconds: Histogram<f64>,
    read_seconds: Histogram<f64>,
    facts: Counter<u64>,
    retries: Counter<u64>,
    dirty: Gauge<f64>,
    lost: Counter<u64>,
}

impl ProducerMetrics {
    /// Metrics of the producer beside `site`. `listening` is where its readiness is reported, for stores with a listen
    /// stream.
    pub fn new(metrics: &Metrics, site: &SiteName, listening: Option<Reported>) -> Self {
        Self {
            site: KeyValue::new(names::SITE, site.to_string()),
            listening,
            received: metrics.counter(names::NOTICES_RECEIVED),
            dropped: metrics.counter(names::NOTICES_DROPPED),
            malformed: metrics.counter(names::NOTICES_MALFORMED),
            unauthorised: metrics.counter(names::INTAKE_UNAUTHORISED),
            refused: metrics.counter(names::NOTICES_REFUSED),
            quarantine_dropped: metrics.counter(names::QUARANTINE_DROPPED),
            connected: metrics.gauge(names::LISTEN_CONNECTED),
            deaf: metrics.counter_of_seconds(names::LISTEN_DEAF_SECONDS),
            in_flight: metrics.level(names::NOTICES_IN_FLIGHT),
            captured: metrics.counter(names::NOTICES_CAPTURED),
            settled: metrics.counter(names::NOTICES_SETTLED),
            changes: metrics.counter(names::CHANGES_PRODUCED),
            capture_seconds: metrics.seconds(names::CAPTURE_SECONDS),
            read_seconds: metrics.seconds(names::CAPTURE_READ_SECONDS),
            facts: metrics.counter(names::FACTS_PRODUCED),
            retries: metrics.counter(names::CAPTURE_RETRIES),
            dirty: metrics.gauge(names::BUCKET_DIRTY),
            lost: metrics.counter(names::NOTICES_LOST),
        }
    }

    fn alone(&self) -> [KeyValue; 1] {
        [self.site.clone()]
    }

    fn by_bucket(&self, bucket: &BucketName) -> [KeyValue; 2] {
        [self.site.clone(), KeyValue::new(names::BUCKET, bucket.to_string())]
    }

    fn by(&self, label: &'static str, value: &'static str) -> [KeyValue; 2] {
        [self.site.clone(), KeyValue::new(label, value)]
    }

    fn by_bucket_and(&self, bucket: &BucketName, label: &'static str, value: &'static str) -> [KeyValue; 3] {
        let [site, bucket] = self.by_bucket(bucket);
        [site, bucket, KeyValue::new(label, value)]
    }
}

impl Observer for ProducerMetrics {
    fn received(&self, door: Door, bucket: &BucketName) {
        self.received.add(1, &self.by_bucket_and(bucket, names::DOOR, door.as_str()));
    }

    fn dropped(&self, door: Door, why: Dropped) {
        let [site, door] = self.by(names::DOOR, door.as_str());
        self.dropped.add(1, &[site, door, KeyValue::new(names::REASON, why.as_str())]);
    }

    fn malformed(&self, door: Door) {
        self.malformed.add(1, &self.by(names::DOOR, door.as_str()));
    }

    fn unauthorised(&self) {
        self.unauthorised.add(1, &self.alone());
    }

    fn refused(&self, door: Door) {
        self.refused.add(1, &self.by(names::DOOR, door.as_str()));
    }

    fn quarantine_overflowed(&self) {
        self.quarantine_dropped.add(1, &self.alone());
    }

    fn listening(&self, connected: bool) {
        self.connected.record(f64::from(u8::from(connected)), &self.alone());
        if let Some(reported) = &self.listening {
            if connected {
                reported.ready("connected")
            } else {
                reported.not_ready("not connected; the other doors go on")
            }
        }
    }

    fn deaf(&self, how_long: Duration) {
        self.deaf.add(how_long.as_secs_f64(), &self.alone());
    }

    fn in_flight(&self, change: i64) {
        self.in_flight.add(change, &self.alone());
    }

    fn captured(&self, bucket: &BucketName) {
        self.captured.add(1, &self.by_bucket(bucket));
    }

    fn settled(&self, bucket: &BucketName, how: Settled) {
        self.settled.add(1, &self.by_bucket_and(bucket, names::OUTCOME, how.as_str()));
    }

    fn change_produced(&self, bucket: &BucketName, told: Told, since_noticed: Duration) {
        self.changes.add(1, &self.by_bucket_and(bucket, names::KIND, told_word(told)));
        self.capture_seconds.record(since_noticed.as_secs_f64(), &self.by_bucket(bucket));
    }

    fn fact_produced(&self, bucket: &BucketName, kind: &'static str) {
        self.facts.add(1, &self.by_bucket_and(bucket, names::KIND, kind));
    }

    fn read(&self, bucket: &BucketName, took: Duration) {
        self.read_seconds.record(took.as_secs_f64(), &self.by_bucket(bucket));
    }

    fn retried(&self, operation: &'static str) {
        self.retries.add(1, &self.by(names::OPERATION, operation));
    }

    fn dirty(&self, bucket: &BucketName) {
        self.dirty.record(1.0, &self.by_bucket(bucket));
    }

    fn mended(&self, bucket: &BucketName) {
        self.dirty.record(0.0, &self.by_bucket(bucket));
    }

    fn gap(&self, records: i64) {
        self.lost.add(u64::try_from(records).unwrap_or(0), &self.alone());
    }
}

fn told_word(told: Told) -> &'static str {
    match told {
        Told::Born => "born",
        Told::Tags => "tags",
        Told::Retention => "retention",
        Told::LegalHold => "legal_hold",
        Told::Removed => "removed",
        Told::Examined => "examined",
        Told::Unknown => "unknown",
    }
}
