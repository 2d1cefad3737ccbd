//! Taking back that buckets are dirty, or that the log lost records of them, once they were swept.

use std::collections::{BTreeMap, BTreeSet};

use twinlog_control::{Control, Entry, Key, Unbroken};
use twinlog_schemas::{BucketName, SiteName};

use crate::bucket::{SKEW_US, control};
use crate::config::Config;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::verify::pairs::Pair;

/// Takes the marks of buckets back that were swept with every site that they concern; `swept` says when each sweep began.
/// What a mark told of later than that stays. Running processes follow, and put a mark back whose bucket they could not
/// capture since.
pub async fn take_back(deployment: &Deployment, swept: &BTreeMap<Pair, i64>) -> Result<(), Failure> {
    let sites: BTreeSet<&SiteName> = swept.keys().flat_map(|pair| pair.sites()).collect();
    let mut controls = BTreeMap::new();
    for site in sites {
        controls.insert(site.clone(), control(deployment, site).await?);
    }
    for (site, control) in &controls {
        for dirty in control.dirty() {
            let begun_us = all_begun(&deployment.config, site, &dirty.bucket, swept);
            let Some(begun_us) = begun_us.filter(|begun_us| dirty.since_us < *begun_us) else { continue };
            whole_since(control, &dirty.bucket, begun_us).await;
            control.remove(Key::Dirty(dirty.bucket.clone())).await;
            tracing::info!(%site, bucket = %dirty.bucket, "dirty bucket is swept");
        }
        for (direction, sweep) in control.sweeps() {
            let (source, bucket) = &direction;
            let begun_us = if source == site {
                all_begun(&deployment.config, site, bucket, swept)
            } else {
                swept.get(&Pair::between(source, site, bucket.clone())).copied()
            };
            let Some(begun_us) = begun_us.filter(|begun_us| sweep.last_us < *begun_us) else { continue };
            if let Some(told_by) = controls.get(source) {
                whole_since(told_by, bucket, begun_us).await;
            }
            control.remove(Key::Sweep(direction.clone())).await;
            tracing::info!(%site, %source, %bucket, "bucket of which records were lost is swept");
        }
    }
    Ok(())
}

/// When the first of the sweeps of a bucket began that concern what a site tells, if it was swept with all its peers.
fn all_begun(config: &Config, site: &SiteName, bucket: &BucketName, swept: &BTreeMap<Pair, i64>) -> Option<i64> {
    let links = config.links_of(bucket).filter(|link| link.source == *site || link.target == *site);
    let begun: Option<Vec<i64>> = links.map(|link| swept.get(&Pair::new(link, bucket.clone())).copied()).collect();
    begun?.into_iter().min()
}

/// What a site told of a bucket is whole from now on, and no longer known to be from before.
async fn whole_since(control: &Control, bucket: &BucketName, begun_us: i64) {
    let first_us = control.unbroken(bucket).map_or(0, |known| known.first_us);
    let unbroken = Unbroken { since_us: Some(begun_us + SKEW_US), first_us };
    control.put(Entry::Unbroken(bucket.clone(), unbroken)).await;
}
