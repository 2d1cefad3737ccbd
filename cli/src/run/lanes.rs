//! Keeps a lane group running: waits for its topics, begins again when the cluster was away, and reports what is owned.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use twinlog_log::backoff::Backoff;
use twinlog_log::lane::{LaneError, LaneGroup};
use twinlog_log::{Log, LogErrorKind, TopicName};

use crate::exit::Failure;
use crate::telemetry::Reported;

/// Waits between attempts: short, so that enabling the first bucket takes effect at once.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(2));

/// Runs groups made by `group` until `stop`; a bug ends the process, an absent cluster does not.
pub async fn keep(
    group: impl Fn() -> LaneGroup + Send,
    reported: Reported,
    seed: u64,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let mut delays = AGAIN.delays(seed);
    loop {
        let error = match group().run(stop.clone()).await {
            Ok(()) => return Ok(()),
            Err(LaneError::Log(error)) => error,
            Err(bug) => {
                return Err(Failure::internal(format!("{}: {bug}; nothing of it was committed", reported.name())));
            }
        };
        match error.kind {
            LogErrorKind::UnknownTopic => {
                reported.not_ready("no bucket is enabled yet: its topics do not exist (`twinlog bucket enable`)");
                tracing::debug!(%error, "waiting for topics");
            }
            _ => {
                reported.not_ready(error.to_string());
                tracing::warn!(%error, "lanes stopped; beginning again");
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = delays.wait() => {}
        }
    }
}

/// Reports which lanes are owned.
pub async fn report(mut owned: watch::Receiver<BTreeSet<i32>>, reported: Reported, stop: CancellationToken) {
    loop {
        let lanes = owned.borrow_and_update().clone();
        if !lanes.is_empty() {
            reported.ready(format!("owns {lanes:?}"));
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = owned.changed() => if changed.is_err() { return },
        }
        if owned.borrow().is_empty() {
            reported.not_ready("owns none");
        }
    }
}

/// Waits until a topic exists.
pub async fn exists(log: &Arc<dyn Log>, topic: &TopicName, seed: u64) {
    let mut delays = AGAIN.delays(seed);
    loop {
        match log.topic(topic).await {
            Ok(Some(_)) => return,
            Ok(None) => tracing::debug!(%topic, "waiting for a topic"),
            Err(error) => tracing::debug!(%topic, %error, "waiting for a topic"),
        }
        delays.wait().await;
    }
}
