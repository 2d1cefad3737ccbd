//! What a scripted Kafka answers: librdkafka's own mock cluster, which speaks the protocol over TCP.

use std::time::Duration;

use bytes::Bytes;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Code};
use twinlog_failure::{AtCapture, of_log};
use twinlog_log::{Headers, KafkaConfig, KafkaLog, Log, LogError, LogErrorKind as Kind, Record, TopicName};

const TOPIC: &str = "topic";

struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    log: KafkaLog,
}

impl Cluster {
    async fn open() -> Self {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic(TOPIC, 1, 1).unwrap();
        let config = KafkaConfig {
            delivery_timeout: Duration::from_secs(6),
            request_timeout: Duration::from_secs(2),
            ..KafkaConfig::new(mock.bootstrap_servers(), "failures")
        };
        Self { mock, log: KafkaLog::connect(config).await.unwrap() }
    }

    async fn append(&self, topic: &str) -> Result<(), LogError> {
        let record = Record {
            topic: TopicName::new(topic).unwrap(),
            partition: 0,
            key: Some(Bytes::from_static(b"key")),
            value: Some(Bytes::from_static(b"value")),
            headers: Headers::default(),
            timestamp_ms: 1,
        };
        self.log.append(record).await.map(drop)
    }
}

#[track_caller]
fn means(name: &str, error: &LogError, kind: Kind, verdict: AtCapture) {
    assert_eq!((error.kind, of_log(kind)), (kind, verdict), "{name}: {error}");
}

/// Scenario: the broker refuses one append with each code. Guarantees: its kind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_are_refused() {
    let dead = AtCapture::Dead("too-large");
    for (name, code, kind, verdict) in [
        ("too large", Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Kind::TooLarge, dead),
        ("no permission", Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, Kind::Refused, AtCapture::Retry),
        ("no record", Code::RD_KAFKA_RESP_ERR_INVALID_RECORD, Kind::Fatal, AtCapture::Retry),
    ] {
        let cluster = Cluster::open().await;
        cluster.append(TOPIC).await.unwrap();
        cluster.mock.request_errors(Api::Produce, &[code]);
        means(name, &cluster.append(TOPIC).await.unwrap_err(), kind, verdict);
    }
}

/// Scenario: the broker has too few replicas for a moment. Guarantee: the client asks again by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_not_told() {
    let cluster = Cluster::open().await;
    cluster.append(TOPIC).await.unwrap();
    cluster.mock.request_errors(Api::Produce, &[Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 2]);
    cluster.append(TOPIC).await.unwrap();
}

/// Scenario: the broker is gone for longer than an append waits, and comes back. Guarantees: it may pass, and does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_is_away() {
    let cluster = Cluster::open().await;
    cluster.append(TOPIC).await.unwrap();
    cluster.mock.broker_down(1).unwrap();
    means("broker away", &cluster.append(TOPIC).await.unwrap_err(), Kind::Transient, AtCapture::Retry);
    cluster.mock.broker_up(1).unwrap();
    let mut again = cluster.append(TOPIC).await;
    for _ in 0..5 {
        if again.is_ok() {
            break;
        }
        again = cluster.append(TOPIC).await;
    }
    again.unwrap();
}

/// Scenario: the topic is not there. Guarantee: the bucket is dirty, not the site.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_topic_is_not_there() {
    let cluster = Cluster::open().await;
    cluster.mock.topic_error("gone", Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    means("no topic", &cluster.append("gone").await.unwrap_err(), Kind::UnknownTopic, AtCapture::Dirty);
    cluster.append(TOPIC).await.unwrap();
}
