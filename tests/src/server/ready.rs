//! Waiting for a server to answer.

use std::time::Duration;

use super::{Process, ServerError};

/// How often a starting server is looked at.
const LOOK: Duration = Duration::from_millis(25);

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
            tokio::time::sleep(LOOK).await;
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
