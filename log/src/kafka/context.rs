//! What librdkafka tells besides answers: its log lines and its global errors.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::mpsc;

use super::bootstrap::Down;

/// Sends librdkafka's log to `tracing`, and remembers why brokers could not be reached: a request that then times out
/// only says that it did.
#[derive(Clone)]
pub(super) struct Told {
    /// The last global error; replaced by each new one, cleared by [`Told::forget`] when a request succeeds.
    last: Arc<Mutex<Option<(RDKafkaErrorCode, String)>>>,
    down: mpsc::Sender<()>,
}

impl Told {
    /// For one client, and its times without any broker.
    pub(super) fn new() -> (Self, Down) {
        let (down, downs) = mpsc::channel(1);
        (Self { last: Arc::default(), down }, downs)
    }

    pub(super) fn last(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl ClientContext for Told {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning
            | RDKafkaLogLevel::Notice => tracing::warn!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", facility, "{message}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason, "the client reports an error");
        if let Some(code) = error.rdkafka_error_code() {
            if code == RDKafkaErrorCode::AllBrokersDown {
                // One that is not taken yet says the same.
                let _ = self.down.try_send(());
            }
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            // "All brokers are down" follows each real reason and hides it.
            if code != RDKafkaErrorCode::AllBrokersDown || last.is_none() {
                *last = Some((code, reason.to_owned()));
            }
        }
    }
}

impl ConsumerContext for Told {}
