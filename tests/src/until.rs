//! Waiting for something to become true: looked at again and again, never slept for a fixed time.

use std::time::{Duration, Instant};

use crate::lab_error::LabError;

/// Between two looks, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];

/// How long to wait for the next look after having waited so long: what is soon true is soon seen, and what takes long is
/// not held up by being looked at.
#[must_use]
pub fn pause(waited: Duration) -> Duration {
    (waited / 5).clamp(PAUSES[0], PAUSES[1])
}

/// Looks until `look` answers with `Ok(Ok(_))`; `Ok(Err(_))` says in words how it stands.
///
/// # Errors
/// [`LabError::NotInTime`] when `within` is over, and whatever `look` itself fails with.
pub async fn until<T, F>(what: &str, within: Duration, mut look: F) -> Result<T, LabError>
where
    F: AsyncFnMut() -> Result<Result<T, String>, LabError>,
{
    let mut last = "not looked at yet".to_owned();
    let begun = Instant::now();
    let looking = async {
        loop {
            match look().await? {
                Ok(found) => return Ok(found),
                Err(stands) => last = stands,
            }
            tokio::time::sleep(pause(begun.elapsed())).await;
        }
    };
    match tokio::time::timeout(within, looking).await {
        Ok(found) => found,
        Err(_) => Err(LabError::NotInTime { what: what.to_owned(), within, last }),
    }
}
