//! The notifier's observer, as metrics.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use twinlog_notifier::{Observer, Sent};
use twinlog_schemas::SiteName;

use super::meters::Metrics;
use super::names;

/// Counts what the notifier beside a site does.
pub struct NotifierMetrics {
    site: KeyValue,
    told: Counter<u64>,
    sent: Counter<u64>,
    lost: Counter<u64>,
}

impl NotifierMetrics {
    /// Metrics of the notifier beside `site`.
    pub fn new(metrics: &Metrics, site: &SiteName) -> Self {
        Self {
            site: KeyValue::new(names::SITE, site.to_string()),
            told: metrics.counter(names::NOTIFICATIONS),
            sent: metrics.counter(names::NOTIFICATIONS_SENT),
            lost: metrics.counter(names::NOTIFICATIONS_LOST),
        }
    }
}

impl Observer for NotifierMetrics {
    fn told(&self, kind: &'static str) {
        self.told.add(1, &[self.site.clone(), KeyValue::new(names::KIND, kind)]);
    }

    fn sent(&self, receiver: &str, how: Sent) {
        let receiver = KeyValue::new(names::RECEIVER, receiver.to_owned());
        self.sent.add(1, &[self.site.clone(), receiver, KeyValue::new(names::OUTCOME, how.name())]);
    }

    fn gap(&self, topic: &str, records: i64) {
        let topic = KeyValue::new(names::TOPIC, topic.to_owned());
        self.lost.add(u64::try_from(records).unwrap_or(0), &[self.site.clone(), topic]);
    }
}
