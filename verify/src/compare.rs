//! The comparison of two buckets, or of some of their keys.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use twinlog_schemas::ObjectKey;

use crate::check::check;
use crate::lines::Lines;
use crate::merge::Merge;
use crate::report::Report;
use crate::side::{Depth, Side, VerifyError};

/// How many versions are read at a time; each is read at both ends at once.
const AT_A_TIME: usize = 8;

/// What of the buckets to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Only keys that begin so.
    pub prefix: String,
    /// How closely.
    pub depth: Depth,
}

/// Compares two buckets. The differences come by key.
///
/// # Errors
/// Where one of them cannot be read.
pub async fn compare<E>(sides: [&dyn Side<Error = E>; 2], scope: &Scope) -> Result<Report, VerifyError<E>> {
    merged(sides, Merge::new(sides.map(|side| Lines::new(side, &scope.prefix))), scope.depth).await
}

/// Compares some keys only.
pub(crate) async fn compare_keys<E>(
    sides: [&dyn Side<Error = E>; 2],
    keys: &BTreeSet<ObjectKey>,
    depth: Depth,
) -> Result<Report, VerifyError<E>> {
    let mut report = Report::default();
    for key in keys {
        report.absorb(merged(sides, Merge::new(sides.map(|side| Lines::of(side, key))), depth).await?);
    }
    Ok(report)
}

async fn merged<E>(
    sides: [&dyn Side<Error = E>; 2],
    merge: Merge<'_, E>,
    depth: Depth,
) -> Result<Report, VerifyError<E>> {
    let steps = stream::try_unfold(merge, async |mut merge| {
        let step = merge.next().await?;
        Ok::<_, VerifyError<E>>(step.map(|step| (step, merge)))
    });
    let looked_at = steps.map(|step| async move { Ok(check(sides, step?, depth).await?) }).buffered(AT_A_TIME);
    looked_at
        .try_fold(Report::default(), async |mut report, found| {
            report.absorb(found);
            Ok(report)
        })
        .await
}
