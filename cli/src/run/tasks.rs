//! The tasks of a process: each has a name, and one that ends by itself with an error ends the process.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;

/// Tasks that end together.
pub struct Tasks {
    set: JoinSet<(&'static str, Result<(), Failure>)>,
    stop: CancellationToken,
}

impl Tasks {
    /// No tasks yet; they are asked to end by `stop`.
    pub fn new(stop: CancellationToken) -> Self {
        Self { set: JoinSet::new(), stop }
    }

    /// Adds a task. It ends when `stop` is cancelled, or by an error.
    pub fn add(&mut self, name: &'static str, task: impl Future<Output = Result<(), Failure>> + Send + 'static) {
        self.set.spawn(async move { (name, task.await) });
    }

    /// Waits until `stop` is cancelled or a task fails (then `stop` is cancelled by this); the first failure.
    pub async fn watch(&mut self) -> Result<(), Failure> {
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                ended = self.set.join_next() => match ended {
                    Some(ended) => outcome(ended).inspect_err(|failure| {
                        tracing::error!(error = %failure, "a task failed: the process stops");
                        self.stop.cancel();
                    })?,
                    None => stop.cancelled().await,
                },
            }
        }
    }

    /// Waits for all tasks to end, at most `within`; then they are aborted, and that is told.
    pub async fn join(&mut self, within: Duration) -> Result<(), Failure> {
        let mut first = Ok(());
        let all = async {
            while let Some(ended) = self.set.join_next().await {
                first = std::mem::replace(&mut first, Ok(())).and(outcome(ended));
            }
        };
        if timeout(within, all).await.is_err() {
            let left = self.set.len();
            tracing::warn!(left, ?within, "not everything ended in time: it is done again at the next start");
            self.set.shutdown().await;
        }
        first
    }
}

fn outcome(ended: Result<(&'static str, Result<(), Failure>), tokio::task::JoinError>) -> Result<(), Failure> {
    match ended {
        Ok((name, Ok(()))) => {
            tracing::debug!(task = name, "task has ended");
            Ok(())
        }
        Ok((name, Err(failure))) => {
            tracing::error!(task = name, error = %failure, "task has failed");
            Err(failure)
        }
        Err(error) => Err(Failure::internal(format!("a task ended unexpectedly: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[tokio::test]
    async fn a_failing_task_stops_the_others_and_is_told() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(stop.clone());
        let other = stop.clone();
        tasks.add("waits", async move {
            other.cancelled().await;
            Ok(())
        });
        tasks.add("fails", async { Err(Failure::unavailable("gone")) });
        let failure = tasks.watch().await.err().map(|failure| failure.exit);
        assert_eq!(failure, Some(Exit::Unavailable));
        assert!(stop.is_cancelled());
        assert!(tasks.join(Duration::from_secs(60)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_given_up() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(stop.clone());
        tasks.add("hangs", std::future::pending());
        stop.cancel();
        assert!(tasks.watch().await.is_ok());
        assert!(tasks.join(Duration::from_secs(20)).await.is_ok());
        assert!(tasks.set.is_empty());
    }
}
