//! Scenario: a real broker, alone, with the log's client on it.
//!
//! Guarantees: `KafkaLog` keeps the contract of `twinlog_log::Log`; what is appended and read while the broker goes
//! away and comes back stands once and in order; a broker that is not there is named, and is a transient error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use twinlog_log::conformance::{self, Subject, record, spec};
use twinlog_log::{Committed, KafkaConfig, KafkaLog, Log, LogError, LogErrorKind, TopicName, TopicPartition};
use twinlog_tests::server::{Kafka, Life, Port};

const PATIENCE: Duration = Duration::from_secs(120);

struct OnKafka(Arc<KafkaLog>);

#[async_trait]
impl Subject for OnKafka {
    fn log(&self) -> Arc<dyn Log> {
        self.0.clone()
    }

    async fn trim(&self, partition: &TopicPartition, before: i64) -> Result<(), LogError> {
        self.0.trim(partition, before).await
    }

    async fn delete_topic(&self, topic: &TopicName) -> Result<(), LogError> {
        self.0.delete_topic(topic).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_conforms_and_survives_its_brokers_absence() {
    let folder = tempfile::tempdir().unwrap();
    let mut kafka = Kafka::start(folder.path(), Life::Bound).await.unwrap();
    let config = KafkaConfig { delivery_timeout: PATIENCE, ..KafkaConfig::new(kafka.brokers(), "conformance") };
    let log = Arc::new(KafkaLog::connect(config).await.unwrap());
    conformance::run(&OnKafka(log.clone()), "conformance").await.unwrap();
    nothing_is_lost_or_reordered_while_the_broker_is_away(&mut kafka, log).await;
}

async fn nothing_is_lost_or_reordered_while_the_broker_is_away(kafka: &mut Kafka, log: Arc<KafkaLog>) {
    let topic = spec("away", 1);
    log.create_topic(&topic).await.unwrap();
    let at = TopicPartition { topic: topic.name, partition: 0 };
    let reader = log.reader("away").await.unwrap();
    let mut records = reader.assign(&at, 0).await.unwrap();
    let commit = Committed { offset: 3, metadata: "kept".to_owned() };
    reader.commit(&at, &commit).await.unwrap();

    let enough = Arc::new(AtomicBool::new(false));
    let appending = tokio::spawn({
        let (log, at, enough) = (log.clone(), at.clone(), enough.clone());
        async move {
            let append = |n: usize| {
                let (log, at) = (log.clone(), at.clone());
                async move { log.append(record(&at, "k", &n.to_string())).await }
            };
            let mut positions = Vec::new();
            while !enough.load(Ordering::Relaxed) {
                let first = positions.len();
                let appends = futures::future::join_all((first..first + 100).map(append));
                let (appended, ()) = tokio::join!(appends, tokio::time::sleep(Duration::from_millis(20)));
                positions.extend(appended.into_iter().map(|position| position.unwrap().offset));
            }
            positions
        }
    });
    for n in 0..500 {
        let read = tokio::time::timeout(PATIENCE, records.next()).await.unwrap().unwrap();
        assert_eq!(read.position.offset, n);
    }
    kafka.stop().await.unwrap();
    let away = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Err(error) = log.flush(Duration::from_millis(100)).await {
                break error;
            }
        }
    });
    assert_eq!(away.await.unwrap().kind, LogErrorKind::Transient);
    kafka.start_again().await.unwrap();
    enough.store(true, Ordering::Relaxed);

    let positions = appending.await.unwrap();
    assert!(positions.is_sorted_by(|one, next| one < next), "{positions:?}");
    let (count, end) = (i64::try_from(positions.len()).unwrap(), positions.last().unwrap() + 1);
    let mut values: Vec<i64> = Vec::new();
    for n in 500..end {
        let read = tokio::time::timeout(PATIENCE, records.next()).await.unwrap().unwrap();
        assert_eq!(read.position.offset, n);
        values.push(std::str::from_utf8(&read.value.unwrap()).unwrap().parse().unwrap());
    }
    // Of what was under way as the broker went, no more than that may stand there twice, in order.
    let under_way = values.len() - usize::try_from(count - 500).unwrap();
    assert!(under_way <= 100, "{under_way} records repeated");
    let next = values.iter().fold(500, |next, value| next + i64::from(*value == next));
    assert_eq!(next, count, "each stands there, the first time in order: {values:?}");
    let committed = log.committed("away", std::slice::from_ref(&at)).await.unwrap();
    assert_eq!(committed.get(&at), Some(&commit));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_is_named() {
    let nowhere = Port::free().unwrap().address();
    let config = KafkaConfig {
        delivery_timeout: Duration::from_secs(2),
        request_timeout: Duration::from_secs(2),
        ..KafkaConfig::new(&nowhere, "conformance")
    };
    let log = KafkaLog::connect(config).await.unwrap();
    let asked = log.topics().await.unwrap_err();
    assert_eq!(asked.kind, LogErrorKind::Transient, "{asked}");
    assert!(asked.to_string().contains(&nowhere), "{asked}");
    let at = TopicPartition { topic: spec("nowhere", 1).name, partition: 0 };
    let appended = log.append(record(&at, "k", "v")).await.unwrap_err();
    assert_eq!(appended.kind, LogErrorKind::Transient, "{appended}");
    assert!(appended.to_string().contains(&nowhere), "{appended}");
    assert_eq!(log.flush(Duration::ZERO).await.map_err(|error| error.kind), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_is_named_without_its_value() {
    let mut config = KafkaConfig::new("127.0.0.1:9092", "conformance");
    config.options.insert("sasl.passwort".to_owned(), "s3cr3t".to_owned());
    let error = KafkaLog::connect(config).await.err().unwrap();
    assert_eq!(error.kind, LogErrorKind::Fatal);
    assert!(error.to_string().contains("sasl.passwort") && !error.to_string().contains("s3cr3t"), "{error}");
}
