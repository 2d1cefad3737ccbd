//! Stopping: the first SIGTERM or SIGINT drains, the second ends the process at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;

/// The two steps of a stop.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Cancelled first: nothing new is taken in, what is in flight is finished.
    pub work: CancellationToken,
    /// Cancelled once that is done: what the work needed ends too.
    pub rest: CancellationToken,
}

impl Stop {
    /// Stops on signals.
    pub fn on_signals() -> Result<Self, Failure> {
        let stop = Self { work: CancellationToken::new(), rest: CancellationToken::new() };
        let failed = |error| Failure::internal(format!("signals cannot be heard: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let work = stop.work.clone();
        // Lives as long as the process: the second signal may come at any time.
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if work.is_cancelled() {
                    tracing::warn!(
                        "stopped at once by a second signal: what was in flight is done again at the next start"
                    );
                    std::process::exit(AT_ONCE);
                }
                tracing::info!("stopping: what is in flight is finished first; a second signal stops at once");
                work.cancel();
            }
        });
        Ok(stop)
    }
}

/// The exit code of a process that was stopped at once: 128 and SIGINT, as shells have it.
const AT_ONCE: i32 = 130;
