//! Compares two buckets version by version through S3, reading all that a client can read.
//!
//! First the version listings: which versions there are, their kind, time to the millisecond, size, ETag, their order
//! and which is the latest. Then, of every object version on both sides, headers, metadata, tags, locks, checksums, the
//! layout of its parts, and the digest of its body. What differs is told in words; nothing is written anywhere.
//!
//! Exempt is the order of versions whose times tie across sites: no rule of any store decides it.

mod describe;
mod listing;

use std::{collections::BTreeMap, fmt};

use aws_sdk_s3::Client;
use futures::{StreamExt, stream};

pub use listing::{Listed, Listing, list};

use crate::refused::Refused;
use describe::Description;

/// How many versions are read at a time; each is read at both sides at once.
const READ_AT_A_TIME: usize = 8;

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

/// Compares two buckets. A version that cannot be read is a difference.
///
/// # Errors
/// Where one of the buckets cannot be listed.
pub async fn compare(left: &Bucket, right: &Bucket, depth: Depth) -> Result<Comparison, Refused> {
    let (one, other) = futures::try_join!(list(left), list(right))?;
    let found = listing::differences(left, &one, right, &other);
    let mut comparison =
        Comparison { versions: found.versions, differences: found.differences, ..Comparison::default() };
    let Depth::Everything { bodies_up_to } = depth else {
        comparison.ties = found.ties.len();
        return Ok(comparison);
    };
    let pairs = stream::iter(found.objects.iter())
        .map(|version| async move {
            let reading =
                (describe::describe(left, version, bodies_up_to), describe::describe(right, version, bodies_up_to));
            let (one, other) = futures::join!(reading.0, reading.1);
            (version, one, other)
        })
        .buffered(READ_AT_A_TIME);
    let mut origins = BTreeMap::new();
    let mut pairs = std::pin::pin!(pairs);
    while let Some((version, one, other)) = pairs.next().await {
        let at = format!("{:?} version {}", version.key, version.id);
        match (one, other) {
            (Ok(one), Ok(other)) => {
                comparison.bytes += one.body_read.unwrap_or(0);
                comparison.unread += usize::from(one.body_read.is_none());
                origins.insert((version.key.clone(), version.id.clone()), origin(&one, &other));
                differing(&at, (left, &one), (right, &other), &mut comparison.differences);
            }
            (one, other) => {
                for (bucket, error) in [(left, one.err()), (right, other.err())] {
                    comparison
                        .differences
                        .extend(error.map(|error| format!("{at}: {} cannot read it: {error}", bucket.label)));
                }
            }
        }
    }
    for tie in found.ties {
        let mut of = tie.ids.iter().map(|id| origins.get(&(tie.key.clone(), id.clone())).copied().flatten());
        let first = of.next().flatten();
        if first.is_some() && of.all(|origin| origin == first) {
            comparison.differences.push(tie.difference);
        } else {
            comparison.ties += 1;
        }
    }
    comparison.differences.sort();
    Ok(comparison)
}

/// At which of the two a version was written by a client (false: left), where exactly one of them calls it a replica.
fn origin(left: &Description, right: &Description) -> Option<bool> {
    (left.replica != right.replica).then_some(left.replica)
}

fn differing(at: &str, left: (&Bucket, &Description), right: (&Bucket, &Description), into: &mut Vec<String>) {
    let names: std::collections::BTreeSet<&String> =
        left.1.attributes.keys().chain(right.1.attributes.keys()).collect();
    let value = |of: &Description, name: &String| {
        of.attributes.get(name).map_or("nothing".to_owned(), |value| format!("{value:?}"))
    };
    for name in names {
        let (one, other) = (value(left.1, name), value(right.1, name));
        if one != other {
            into.push(format!("{at}: {name} is {one} at {} and {other} at {}", left.0.label, right.0.label));
        }
    }
}
