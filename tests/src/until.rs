//! Waiting for something to become true: looked at again and again, never slept for a fixed time.

use std::time::Duration;

use crate::lab_error::LabError;

/// How often to look.
const LOOK: Duration = Duration::from_millis(100);

/// Looks until `look` answers with `Ok(Ok(_))`; `Ok(Err(_))` says in words how it stands.
///
/// # Errors
/// [`LabError::NotInTime`] when `within` is over, and whatever `look` itself fails with.
pub async fn until<T, F>(what: &str, within: Duration, mut look: F) -> Result<T, LabError>
where
    F: AsyncFnMut() -> Result<Result<T, String>, LabError>,
{
    let mut last = "not looked at yet".to_owned();
    let looking = async {
        loop {
            match look().await? {
                Ok(found) => return Ok(found),
                Err(stands) => last = stands,
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(within, looking).await {
        Ok(found) => found,
        Err(_) => Err(LabError::NotInTime { what: what.to_owned(), within, last }),
    }
}
