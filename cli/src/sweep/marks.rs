//! Taking back that buckets are dirty, once they were swept.

use std::collections::{BTreeMap, BTreeSet};

use twinlog_control::{Entry, Key, Unbroken};
use twinlog_schemas::SiteName;

use crate::bucket::{SKEW_US, control};
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::verify::pairs::Pair;

/// Takes the marks of buckets back that were swept with every site that they are replicated with; `swept` says when each
/// sweep began. What a mark told of later than that stays. Running processes follow, and put a mark back whose bucket
/// they could not capture since.
pub async fn take_back(deployment: &Deployment, swept: &BTreeMap<Pair, i64>) -> Result<(), Failure> {
    let sites: BTreeSet<&SiteName> = swept.keys().flat_map(|pair| pair.sites()).collect();
    for site in sites {
        let control = control(deployment, site).await?;
        for dirty in control.dirty() {
            let bucket = &dirty.bucket;
            let links = deployment.config.links_of(bucket).filter(|link| link.source == *site || link.target == *site);
            let begun: Option<Vec<i64>> =
                links.map(|link| swept.get(&Pair::new(link, bucket.clone())).copied()).collect();
            let Some(begun_us) = begun.and_then(|begun| begun.into_iter().min()) else { continue };
            if dirty.since_us >= begun_us {
                continue;
            }
            let first_us = control.unbroken(bucket).map_or(0, |known| known.first_us);
            let unbroken = Unbroken { since_us: Some(begun_us + SKEW_US), first_us };
            control.put(Entry::Unbroken(bucket.clone(), unbroken)).await;
            control.remove(Key::Dirty(bucket.clone())).await;
            tracing::info!(%site, %bucket, "dirty bucket is swept");
        }
    }
    Ok(())
}
