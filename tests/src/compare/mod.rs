//! Compares two buckets version by version through S3, reading all that a client can read.
//!
//! What is compared and what is exempt is [`twinlog_verify`]'s, whose own tests plant a difference of every kind. The
//! reading is not: it is done here with plain S3 calls, so that what Twinlog's reading overlooks, and so never carries
//! over, shows.

mod describe;
mod listing;

use std::fmt;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use twinlog_site::{ListFrom, ListedVersion, VersionPage};
use twinlog_verify::{Described, Description, Scope, Side, VerifyError};

pub use listing::{Listed, Listing, list, list_from};

use crate::refused::Refused;

/// One of the two buckets.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// What differences call it, e.g. the site's name.
    pub label: String,
    /// A client that may read everything.
    pub client: Client,
    /// The bucket.
    pub name: String,
}

impl Bucket {
    /// Whether a key has an object.
    ///
    /// # Errors
    /// Where the store says neither.
    pub async fn has(&self, key: &str) -> Result<bool, Refused> {
        let head = self.client.head_object().bucket(&self.name).key(key).send();
        match head.await.map_err(Refused::doing(format!("HEAD {key}"))) {
            Ok(_) => Ok(true),
            Err(refused) if refused.status == Some(404) => Ok(false),
            Err(refused) => Err(refused),
        }
    }
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The listings only.
    Listings,
    /// Everything, and bodies of at most so many bytes.
    Everything {
        /// Larger bodies are not read, only counted.
        bodies_up_to: u64,
    },
}

impl Depth {
    /// Everything there is.
    pub const ALL: Self = Self::Everything { bodies_up_to: u64::MAX };
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Versions and markers that at least one of the two has.
    pub versions: usize,
    /// Bytes of bodies that were read and compared, at one side.
    pub bytes: u64,
    /// Bodies that were too large to be read.
    pub unread: usize,
    /// Keys whose versions stand in another order only where times tie across the sites.
    pub ties: usize,
    /// What differs, one sentence each, by key.
    pub differences: Vec<String>,
}

impl Comparison {
    /// Whether nothing differs.
    #[must_use]
    pub fn equal(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More than these are counted, not shown.
        const SHOWN: usize = 40;
        write!(to, "{} versions, {} differences", self.versions, self.differences.len())?;
        for difference in self.differences.iter().take(SHOWN) {
            write!(to, "\n  {difference}")?;
        }
        match self.differences.len().checked_sub(SHOWN) {
            Some(more @ 1..) => write!(to, "\n  and {more} more"),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Side for Bucket {
    type Error = Refused;

    fn label(&self) -> &str {
        &self.label
    }

    async fn page(&self, from: &ListFrom) -> Result<VersionPage, Refused> {
        listing::page(self, from).await
    }

    async fn describe(&self, version: &ListedVersion, bodies_up_to: Option<u64>) -> Result<Described, Refused> {
        Ok(match describe::describe(self, version, bodies_up_to).await {
            Ok(description) => Described::Object(description),
            Err(refused) => Described::Unreadable(refused.to_string()),
        })
    }
}

/// All that a client can read of one listed object version; its body where it has at most `bodies_up_to` bytes.
///
/// # Errors
/// What the store refused, or a body that broke off.
pub async fn describe(bucket: &Bucket, listed: &Listed, bodies_up_to: u64) -> Result<Description, Refused> {
    describe::describe(bucket, &listing::line(bucket, listed.clone())?, Some(bodies_up_to)).await
}

/// Compares two buckets. A version that cannot be read is a difference.
///
/// # Errors
/// Where one of the buckets cannot be listed.
pub async fn compare(left: &Bucket, right: &Bucket, depth: Depth) -> Result<Comparison, Refused> {
    let depth = match depth {
        Depth::Listings => twinlog_verify::Depth::Listings,
        Depth::Everything { bodies_up_to } => twinlog_verify::Depth::Bodies { up_to: bodies_up_to },
    };
    let scope = Scope { prefix: String::new(), depth };
    let report = twinlog_verify::compare([left, right], &scope).await.map_err(|error| match error {
        VerifyError::Side(refused) => refused,
        error @ VerifyError::Disorder { .. } => {
            Refused { doing: "merging the listings".to_owned(), code: None, status: None, answer: error.to_string() }
        }
    })?;
    let differences = report.differences.iter().map(|of| of.told(&left.label, &right.label).to_string());
    Ok(Comparison {
        versions: count(report.versions),
        bytes: report.bytes,
        unread: count(report.unread),
        ties: count(report.ties),
        differences: differences.collect(),
    })
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
