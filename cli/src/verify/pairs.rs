//! Which buckets of which pairs of sites are compared.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt, TryStreamExt};
use twinlog_schemas::{BucketName, SiteName};
use twinlog_site::SiteErrorKind;

use crate::config::LinkConfig;
use crate::deployment::Deployment;
use crate::exit::Failure;

/// Questions to stores at a time.
const ASKING_AT_ONCE: usize = 16;

/// A bucket at two sites, in the order of their names: two links make one pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The bucket.
    pub bucket: BucketName,
    /// The site whose name comes first.
    pub left: SiteName,
    /// The other.
    pub right: SiteName,
}

impl Pair {
    /// The bucket at both ends of a link.
    pub fn new(link: &LinkConfig, bucket: BucketName) -> Self {
        Self::between(&link.source, &link.target, bucket)
    }

    /// The bucket at these two sites.
    pub fn between(one: &SiteName, other: &SiteName, bucket: BucketName) -> Self {
        Self { bucket, left: one.min(other).clone(), right: one.max(other).clone() }
    }

    /// Both sites.
    pub fn sites(&self) -> [&SiteName; 2] {
        [&self.left, &self.right]
    }

    /// The site that this one is compared with.
    pub fn other(&self, site: &SiteName) -> &SiteName {
        if *site == self.left { &self.right } else { &self.left }
    }
}

/// The bucket that was named, or else every enabled one, of every link that touches the site.
pub async fn pairs(
    deployment: &Deployment,
    at: Option<&SiteName>,
    bucket: Option<&BucketName>,
) -> Result<BTreeSet<Pair>, Failure> {
    if let Some(site) = at {
        deployment.site(site)?;
    }
    let touches = |link: &&LinkConfig| at.is_none_or(|site| *site == link.source || *site == link.target);
    let mut pairs = BTreeSet::new();
    for link in deployment.config.links.iter().filter(touches) {
        let buckets = match bucket {
            Some(bucket) => vec![bucket.clone()],
            None => enabled(deployment, link).await?,
        };
        let carried = buckets.into_iter().filter(|bucket| link.carries(bucket));
        pairs.extend(carried.map(|bucket| Pair::new(link, bucket)));
    }
    if pairs.is_empty() {
        let at = at.map_or(String::new(), |site| format!(" from or to {site}"));
        return Err(Failure::config(match bucket {
            Some(bucket) => format!("no link{at} carries bucket {bucket}: see the buckets of the [[links]] sections"),
            None => format!("no bucket is enabled on any link{at}: enable one, or name one with --bucket"),
        }));
    }
    Ok(pairs)
}

/// The buckets of whose changes the link's source tells Twinlog.
async fn enabled(deployment: &Deployment, link: &LinkConfig) -> Result<Vec<BucketName>, Failure> {
    let source = deployment.site(&link.source)?;
    let seen = source.buckets().await.map_err(|error| deployment.site_failed(&error))?;
    let told = stream::iter(seen.into_iter().filter(|bucket| link.carries(bucket)))
        .map(|bucket| async move {
            match source.subscription(&bucket).await {
                Ok(subscription) => Ok((!subscription.present.is_empty()).then_some(bucket)),
                // Removed since it was listed.
                Err(error) if error.kind == SiteErrorKind::NoSuchBucket => Ok(None),
                Err(error) => Err(deployment.site_failed(&error)),
            }
        })
        .buffer_unordered(ASKING_AT_ONCE);
    told.try_filter_map(async |bucket| Ok(bucket)).try_collect().await
}
