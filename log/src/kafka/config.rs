//! How a Kafka cluster is reached, and the client settings that Twinlog's guarantees rest on.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// One cluster. [`KafkaConfig::new`] has the defaults.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// What the brokers call this process in their logs and quotas.
    pub client_id: String,
    /// Further librdkafka settings by name, e.g. `security.protocol`, `sasl.password`. They come before Twinlog's own,
    /// so that none of them weakens a guarantee. Values are never shown.
    pub options: BTreeMap<String, String>,
    /// How long an append keeps trying before it answers a transient error.
    pub delivery_timeout: Duration,
    /// How long a request for metadata, offsets or a new topic may take; until all brokers know a new topic may take longer.
    pub request_timeout: Duration,
    /// How long a record may wait for company before it is sent. Batches are of one partition, so waiting only pays
    /// where a partition gets many records within it; while a broker is busy batches come about without it.
    pub linger: Duration,
    /// Bytes of unread records that are fetched ahead per partition; a partition may hold one fetch more.
    pub queue_bytes: usize,
    /// Silence after which a member of a group is taken for dead. Brokers allow 6 s to 30 min by default.
    pub session_timeout: Duration,
    /// How long a rebalance waits for members to release what they drain before it goes on without them.
    pub rebalance_timeout: Duration,
}

impl KafkaConfig {
    /// A cluster at `brokers` with the defaults, unencrypted.
    #[must_use]
    pub fn new(brokers: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            client_id: client_id.into(),
            options: BTreeMap::new(),
            delivery_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            linger: Duration::ZERO,
            queue_bytes: 128 * 1024,
            session_timeout: Duration::from_secs(10),
            rebalance_timeout: Duration::from_secs(60),
        }
    }

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.options {
            config.set(name, value);
        }
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("allow.auto.create.topics", "false")
            .set("socket.nagle.disable", "true")
            .set("socket.keepalive.enable", "true")
            // An answer that was lost on its way holds a connection up for as long as this; by default for a minute.
            .set("socket.timeout.ms", "30000")
            // Half of it is also the time between any two connections of a client that has none, whatever the longest is:
            // how often each of a process's dozen clients tries a Kafka that is away, and how long each that begins waits
            // between the server it was told and the broker it learns of there.
            .set("reconnect.backoff.ms", "200")
            .set("reconnect.backoff.max.ms", "2000")
            // A topic that metadata does not show is unknown after this, not after librdkafka's 30 s.
            .set("topic.metadata.propagation.max.ms", "3000")
            .set_log_level(RDKafkaLogLevel::Warning);
        config
    }

    /// Settings of the one producer.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.base();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", millis(self.linger))
            .set("message.timeout.ms", millis(self.delivery_timeout))
            .set("compression.codec", "zstd")
            .set("compression.level", "1")
            // The topic decides what is too large, not the client.
            .set("message.max.bytes", "100000000")
            .set("queue.buffering.max.messages", "100000")
            .set("queue.buffering.max.kbytes", "65536");
        config
    }

    /// Settings of a client that only asks for metadata.
    pub(super) fn asking(&self) -> ClientConfig {
        let mut config = self.base();
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        config
    }

    /// Settings of a client that creates and deletes.
    pub(super) fn administering(&self) -> ClientConfig {
        self.base()
    }

    /// Settings of a reader with partitions assigned by hand.
    pub(super) fn reader(&self, group: &str, pace: Pace) -> ClientConfig {
        let mut config = self.asking();
        config
            .set("group.id", group)
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "false")
            .set("check.crcs", "true")
            .set("isolation.level", "read_committed")
            // One long poll per broker: answered when there is enough, or when it has lasted. A partition that is
            // assigned meanwhile waits for its end.
            .set("fetch.min.bytes", pace.enough().to_string())
            .set("fetch.wait.max.ms", millis(pace.longest()))
            .set("fetch.message.max.bytes", "65536")
            .set("fetch.max.bytes", "8388608")
            // With a queue per partition these bounds are per partition.
            .set("queued.min.messages", "2000")
            .set("queued.max.messages.kbytes", self.queue_bytes.div_ceil(1024).max(1).to_string())
            // How long a partition with a full queue is left alone; with the default second, queues this short run dry.
            .set("fetch.queue.backoff.ms", "20");
        config
    }

    /// Settings of a member of a group over a topic without data.
    pub(super) fn member(&self, group: &str, member: &str) -> ClientConfig {
        let mut config = self.asking();
        config
            .set("group.id", group)
            .set("client.id", format!("{}.{member}", self.client_id))
            .set("auto.offset.reset", "latest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", millis(self.session_timeout))
            .set("heartbeat.interval.ms", millis((self.session_timeout / 10).max(Duration::from_millis(500))))
            .set("max.poll.interval.ms", millis(self.rebalance_timeout.max(self.session_timeout)))
            .set("fetch.wait.max.ms", "10000");
        config
    }
}

/// How soon a record is to be fetched once it stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// At once, alone if need be.
    Prompt,
    /// Likewise, of one partition that stays the same.
    Steady,
    /// With others if some come soon: fetches are what a busy broker spends most on.
    Unhurried,
}

impl Pace {
    /// The bytes that end a fetch's waiting.
    const fn enough(self) -> usize {
        match self {
            Self::Prompt | Self::Steady => 1,
            Self::Unhurried => 64 * 1024,
        }
    }

    /// The longest that a fetch waits. Each that ends without a record costs broker and client all the same: an idle
    /// process has a dozen readers.
    const fn longest(self) -> Duration {
        match self {
            Self::Prompt | Self::Unhurried => Duration::from_secs(1),
            Self::Steady => Duration::from_secs(5),
        }
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("brokers", &self.brokers)
            .field("client_id", &self.client_id)
            .field("options", &self.options.keys().map(|name| format!("{name}=…")).collect::<Vec<_>>())
            .field("delivery_timeout", &self.delivery_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("linger", &self.linger)
            .field("queue_bytes", &self.queue_bytes)
            .field("session_timeout", &self.session_timeout)
            .field("rebalance_timeout", &self.rebalance_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let mut config = KafkaConfig::new("127.0.0.1:9092", "twinlog");
        config.options.insert("sasl.password".to_owned(), "s3cr3t".to_owned());
        let shown = format!("{config:?}");
        assert!(shown.contains("sasl.password") && !shown.contains("s3cr3t"), "{shown}");
    }

    #[test]
    fn options_cannot_weaken_a_guarantee() {
        let mut config = KafkaConfig::new("127.0.0.1:9092", "twinlog");
        config.options.insert("acks".to_owned(), "0".to_owned());
        config.options.insert("auto.offset.reset".to_owned(), "latest".to_owned());
        assert_eq!(config.producer().get("acks"), Some("all"));
        assert_eq!(config.reader("g", Pace::Prompt).get("auto.offset.reset"), Some("error"));
    }
}
