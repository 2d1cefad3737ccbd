//! A comparison that waits until what is under way has arrived.

use crate::compare::{Scope, compare, compare_keys};
use crate::report::Report;
use crate::side::{Side, VerifyError};

/// Compares two buckets, then the keys that differ again, for as long as some do and `again` says so: it waits a
/// while, or says that the time is over. What changes in other keys meanwhile is not looked at.
///
/// # Errors
/// Where one of them cannot be read.
pub async fn until_equal<E>(
    sides: [&dyn Side<Error = E>; 2],
    scope: &Scope,
    mut again: impl AsyncFnMut(&Report) -> bool,
) -> Result<Report, VerifyError<E>> {
    let mut report = compare(sides, scope).await?;
    while !report.equal() && again(&report).await {
        match report.again() {
            Some(keys) => {
                let found = compare_keys(sides, keys, scope.depth).await?;
                report.replace(found);
            }
            None => report = compare(sides, scope).await?,
        }
    }
    Ok(report)
}
