//! The open dead letters of a site, counted.

use std::collections::BTreeMap;

use serde::Serialize;
use twinlog_schemas::{BucketName, SiteName};

use crate::deployment::Deployment;
use crate::dlq::args::Filter;
use crate::dlq::{Choice, Reading};
use crate::exit::Failure;

/// More letters than these are not read for a status.
const MOST: i64 = 20_000;

/// Open dead letters of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Open {
    pub link: String,
    pub bucket: String,
    pub reason: String,
    pub letters: u64,
}

impl Open {
    /// A line for people.
    pub fn note(&self) -> String {
        let Self { link, bucket, reason, letters } = self;
        let (verb, s) = if *letters == 1 { ("is", "") } else { ("are", "s") };
        format!(
            "{link} {bucket}: {letters} dead letter{s} {verb} open: {reason}\n  to do: `twinlog dlq list`, mend it, `twinlog dlq replay`"
        )
    }
}

/// Counts them; `None` where `kept` letters are too many to read.
pub async fn open(
    deployment: &Deployment,
    site: &SiteName,
    kept: i64,
    bucket: Option<&BucketName>,
) -> Result<Option<Vec<Open>>, Failure> {
    if kept > MOST {
        return Ok(None);
    }
    let mut counts: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    if kept > 0 {
        let filter = Filter { into: Some(site.clone()), bucket: bucket.cloned(), ..Filter::default() };
        let mut reading = Reading::begin(deployment, Choice::new(filter, &[], 0)).await?;
        while let Some(found) = reading.next().await? {
            let bucket = found.letter.bucket.as_ref().map_or("?", BucketName::as_str).to_owned();
            *counts.entry((found.link(), bucket, found.letter.reason)).or_default() += 1;
        }
    }
    let open = counts.into_iter().map(|((link, bucket, reason), letters)| Open { link, bucket, reason, letters });
    Ok(Some(open.collect()))
}
