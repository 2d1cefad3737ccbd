//! The one producer of a cluster: order as handed in, no duplicates, answers once all replicas have the record.
//!
//! One task owns the handing-over to librdkafka: when its queue is full the *same* record waits and nothing passes it
//! (rdkafka's `FutureProducer` would retry by timer and so reorder). One thread serves the delivery reports.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::bootstrap;
use super::config::KafkaConfig;
use super::context::Told;
use super::convert::native_headers;
use super::error::{log_error, log_error_told};
use crate::error::{LogError, LogErrorKind};
use crate::record::{Position, Record};
use crate::topic::TopicPartition;

/// How many records are taken from the callers at once.
const BATCH: usize = 512;
/// How long the reports' thread sleeps at most when nothing happens, and what it gives the last records at the end.
const REPORTS_NAP: Duration = Duration::from_millis(500);
const LAST_RECORDS: Duration = Duration::from_secs(5);

type Answer = oneshot::Sender<Result<i64, KafkaError>>;

/// The handle. The owner task ends when it is dropped, after handing over what it was given.
pub(super) struct Producer {
    records: mpsc::UnboundedSender<(Record, Answer)>,
    reports: Arc<Reports>,
}

/// What the delivery callback writes.
struct Reports {
    told: Told,
    /// Appends whose outcome is not known yet: grows when handed in, shrinks when reported.
    in_flight: watch::Sender<usize>,
    /// Woken when a report has made room in librdkafka's queue.
    room: Notify,
    /// Set when the owner task has handed over its last record.
    ended: AtomicBool,
}

/// The producer's context: shares [`Reports`] with the handle.
struct Context(Arc<Reports>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.told.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.told.error(error, reason);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Answer>;

    fn delivery(&self, delivered: &DeliveryResult<'_>, answer: Box<Answer>) {
        let outcome = match delivered {
            Ok(message) => {
                self.0.told.forget();
                Ok(message.offset())
            }
            Err((error, _)) => Err(error.clone()),
        };
        self.0.settle(*answer, outcome);
        self.0.room.notify_one();
    }
}

impl Reports {
    fn settle(&self, answer: Answer, outcome: Result<i64, KafkaError>) {
        // A caller that no longer waits has dropped the receiver; the record stands all the same.
        drop(answer.send(outcome));
        self.in_flight.send_if_modified(|count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}

impl Producer {
    /// Starts the task and the thread. Does not wait for a broker.
    pub(super) fn start(config: &KafkaConfig) -> Result<Self, LogError> {
        let (told, down) = Told::new();
        let reports = Arc::new(Reports {
            told,
            in_flight: watch::Sender::new(0),
            room: Notify::new(),
            ended: AtomicBool::new(false),
        });
        let native = BaseProducer::from_config_and_context(&config.producer(), Context(reports.clone()))
            .map_err(|error| log_error("connect to", &config.brokers, &error))?;
        let native = Arc::new(native);
        bootstrap::keep(down, &config.brokers, &native, |native| native.client());
        let served = native.clone();
        std::thread::Builder::new()
            .name("twinlog-kafka-reports".to_owned())
            .spawn(move || serve_reports(&served))
            .map_err(|error| {
                LogError::new("connect to", &config.brokers, LogErrorKind::Fatal, format!("no thread: {error}"))
            })?;
        let (records, handed_in) = mpsc::unbounded_channel();
        tokio::spawn(hand_over(handed_in, Owner { native: Some(native), reports: reports.clone() }));
        Ok(Self { records, reports })
    }

    /// See [`crate::Log::append`]. The record takes its place in the order before the first suspension.
    pub(super) async fn append(&self, record: Record) -> Result<Position, LogError> {
        let partition = TopicPartition { topic: record.topic.clone(), partition: record.partition };
        let (answer, outcome) = oneshot::channel();
        self.reports.in_flight.send_if_modified(|count| {
            *count += 1;
            false
        });
        if let Err(mpsc::error::SendError((_, answer))) = self.records.send((record, answer)) {
            self.reports.settle(answer, Err(KafkaError::Canceled));
        }
        match outcome.await {
            Ok(Ok(offset)) => Ok(Position { partition, offset }),
            Ok(Err(error)) => Err(log_error_told("append to", &partition, &error, &self.reports.told)),
            Err(_) => Err(log_error("append to", &partition, &KafkaError::Canceled)),
        }
    }

    /// See [`crate::Log::flush`].
    pub(super) async fn flush(&self, deadline: Duration) -> Result<(), LogError> {
        let mut in_flight = self.reports.in_flight.subscribe();
        let settled = tokio::time::timeout(deadline, in_flight.wait_for(|count| *count == 0)).await;
        match settled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                let left = *self.reports.in_flight.borrow();
                let why = format!("{left} records are not acknowledged after {deadline:?}");
                Err(LogError::new("flush", "the producer", LogErrorKind::Transient, why))
            }
        }
    }
}

/// What the owner task owns. However it ends, the reports' thread is the last to hold the native producer, because
/// dropping that one blocks.
struct Owner {
    native: Option<Arc<BaseProducer<Context>>>,
    reports: Arc<Reports>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.native = None;
        self.reports.ended.store(true, Ordering::Release);
    }
}

/// The owner task.
async fn hand_over(mut handed_in: mpsc::UnboundedReceiver<(Record, Answer)>, owner: Owner) {
    let Some(native) = owner.native.as_deref() else { return };
    let mut batch = Vec::with_capacity(BATCH);
    while handed_in.recv_many(&mut batch, BATCH).await > 0 {
        let mut waiting: VecDeque<(Record, Answer)> = batch.drain(..).collect();
        while let Some((record, answer)) = waiting.pop_front() {
            match send(native, &record, answer) {
                Ok(()) => {}
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), answer)) => {
                    // Reports free the queue and store a permit, so that one between the refusal and here counts.
                    waiting.push_front((record, answer));
                    owner.reports.room.notified().await;
                }
                Err((error, answer)) => owner.reports.settle(answer, Err(error)),
            }
        }
    }
}

fn send(native: &BaseProducer<Context>, record: &Record, answer: Answer) -> Result<(), (KafkaError, Answer)> {
    let mut native_record = BaseRecord::<[u8], [u8], _>::with_opaque_to(record.topic.as_str(), Box::new(answer))
        .partition(record.partition)
        .timestamp(record.timestamp_ms);
    native_record.key = record.key.as_deref();
    native_record.payload = record.value.as_deref();
    if !record.headers.0.is_empty() {
        native_record.headers = Some(native_headers(&record.headers));
    }
    native.send(native_record).map_err(|(error, refused)| (error, *refused.delivery_opaque))
}

/// The reports' thread: ends after the owner task, having waited a little for the last records.
fn serve_reports(native: &Arc<BaseProducer<Context>>) {
    loop {
        native.poll(REPORTS_NAP);
        if native.context().0.ended.load(Ordering::Acquire) {
            break;
        }
    }
    if let Err(error) = native.flush(LAST_RECORDS) {
        tracing::warn!(%error, in_flight = native.in_flight_count(), "the producer ended with records unacknowledged");
    }
}
