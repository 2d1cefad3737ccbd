//! Bugs that show over one record: a panic there ends the work on that record and nothing else. A process that stopped
//! would meet the record again at its next start, and so would every other one.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;

/// The work's result, or what its panic said. What it had begun is left as by a process that is killed there, so only work
/// that may be done again from its beginning belongs here.
///
/// # Errors
/// The words of the panic.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| words(panic.as_ref()))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
    said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
