//! Waiting for a server to answer.

use std::time::{Duration, Instant};

use super::{Process, ServerError};
use crate::until::pause;

/// Looks with `probe` until it succeeds. `process` is watched meanwhile, so that a server that died is not waited for.
///
/// # Errors
/// [`ServerError::Exited`] as soon as the process ends; [`ServerError::NotReady`] with what the last look said after
/// `within`.
pub async fn ready<F>(process: &mut Process, within: Duration, mut probe: F) -> Result<(), ServerError>
where
    F: AsyncFnMut() -> Result<(), String>,
{
    let mut last = "no answer yet".to_owned();
    let begun = Instant::now();
    let looking = async {
        loop {
            if let Some(status) = process.ended()? {
                return Err(ServerError::Exited {
                    name: process.name().to_owned(),
                    status,
                    log: process.log().to_owned(),
                    tail: process.log_tail(),
                });
            }
            match probe().await {
                Ok(()) => return Ok(()),
                Err(found) => last = found,
            }
            tokio::time::sleep(pause(begun.elapsed())).await;
        }
    };
    if let Ok(outcome) = tokio::time::timeout(within, looking).await {
        return outcome;
    }
    Err(ServerError::NotReady {
        name: process.name().to_owned(),
        after: within,
        last,
        log: process.log().to_owned(),
        tail: process.log_tail(),
    })
}
