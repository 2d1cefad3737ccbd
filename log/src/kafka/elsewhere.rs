//! Running what blocks (librdkafka's synchronous calls and destructors) away from the async workers.

use std::fmt::Display;
use std::ops::Deref;
use std::time::Duration;

use rdkafka::error::{KafkaError, KafkaResult};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::backoff::{Backoff, retry};
use crate::error::{LogError, LogErrorKind};

/// Drops a client on a blocking thread: leaving a group and joining threads can take seconds. Without a runtime (the
/// process is ending) it is dropped here.
pub(super) fn drop_elsewhere<T: Send + 'static>(client: T) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(client))),
        Err(_) => drop(client),
    }
}

/// Runs a blocking call; an error only if it panics or the runtime is shutting down.
pub(super) async fn run_elsewhere<T: Send + 'static>(
    operation: &'static str,
    subject: impl Display,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LogError> {
    let done = tokio::task::spawn_blocking(call).await;
    done.map_err(|error| LogError::new(operation, subject, LogErrorKind::Fatal, error.to_string()))
}

/// Runs a blocking request again while it fails transiently, for about `patience`: coordinators move, and right after
/// a broker's start there is none.
pub(super) async fn ask_elsewhere<T: Send + 'static>(
    operation: &'static str,
    subject: impl Display,
    patience: Duration,
    call: impl Fn() -> KafkaResult<T> + Clone + Send + 'static,
    shown: impl Fn(&KafkaError) -> LogError,
) -> Result<T, LogError> {
    let until = Instant::now() + patience;
    let delays = Backoff::new(Duration::from_millis(20), Duration::from_millis(500)).delays(0);
    retry(
        delays,
        |error: &LogError| error.is_transient() && Instant::now() < until,
        |error, _| tracing::debug!(%error, "asking again"),
        || async {
            let answer = run_elsewhere(operation, &subject, call.clone()).await?;
            answer.map_err(|error| shown(&error))
        },
    )
    .await
}

/// A share of a client whose destructor blocks; whichever share is the last drops it elsewhere.
#[derive(Clone)]
pub(super) struct Held<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Held<T> {
    pub(super) fn new(client: T) -> Self {
        Self(Some(client))
    }
}

impl<T: Send + 'static> Deref for Held<T> {
    type Target = T;

    #[expect(clippy::expect_used, reason = "emptied by the destructor alone")]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("a held client is there until it is dropped")
    }
}

impl<T: Send + 'static> Drop for Held<T> {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop_elsewhere(client);
        }
    }
}
