//! Taking back that buckets are dirty, or that the log lost records of them, once they were swept.

use std::collections::{BTreeMap, BTreeSet};

use twinlog_control::{Control, Entry, Key, Unbroken};
use twinlog_schemas::{BucketName, SiteName};

use crate::bucket::{SKEW_US, control};
use crate::config::Config;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::verify::pairs::Pair;

use super::pair::is_whole;

/// Takes the marks of buckets back that were swept with every site that they concern: `swept` says when the sweeps of this
/// run began; whole ones on record count too. What a mark told of later than that stays. Running processes follow, and put a
/// mark back whose bucket they could not capture since.
pub async fn take_back(deployment: &Deployment, swept: &BTreeMap<Pair, i64>) -> Result<(), Failure> {
    let sites: BTreeSet<&SiteName> = swept.keys().flat_map(|pair| pair.sites()).collect();
    let mut controls = BTreeMap::new();
    for site in sites {
        controls.insert(site.clone(), control(deployment, site).await?);
    }
    for (site, control) in &controls {
        for dirty in control.dirty() {
            let bucket = &dirty.bucket;
            let begun_us = all_begun(&deployment.config, control, (site, bucket), swept);
            let Some(begun_us) = begun_us.filter(|begun_us| dirty.since_us < *begun_us) else { continue };
            whole_since(control, bucket, begun_us).await;
            control.remove(Key::Dirty(bucket.clone())).await;
            tracing::info!(%site, %bucket, "dirty bucket is swept");
        }
        for (direction, sweep) in control.sweeps() {
            let (source, bucket) = &direction;
            let begun_us = if source == site {
                all_begun(&deployment.config, control, (site, bucket), swept)
            } else {
                begun(control, &Pair::between(source, site, bucket.clone()), site, swept)
            };
            let Some(begun_us) = begun_us.filter(|begun_us| sweep.last_us < *begun_us) else { continue };
            if let Some(told_by) = controls.get(source) {
                whole_since(told_by, bucket, begun_us).await;
            }
            // Something may have been lost since this was read.
            if crate::bucket::control(deployment, site).await?.sweep(&direction).as_ref() == Some(&sweep) {
                control.remove(Key::Sweep(direction.clone())).await;
                tracing::info!(%site, %source, %bucket, "bucket of which records were lost is swept");
            }
        }
    }
    Ok(())
}

/// When the last whole sweep of a pair that has ended began.
pub fn begun(control: &Control, pair: &Pair, at: &SiteName, swept: &BTreeMap<Pair, i64>) -> Option<i64> {
    let on_record = control.swept(&(pair.other(at).clone(), pair.bucket.clone())).filter(is_whole);
    swept.get(pair).copied().max(on_record.map(|swept| swept.begun_us))
}

/// When the first of the sweeps of a bucket began that concern what a site tells, if it was swept with all its peers.
fn all_begun(
    config: &Config,
    control: &Control,
    (site, bucket): (&SiteName, &BucketName),
    swept: &BTreeMap<Pair, i64>,
) -> Option<i64> {
    let links = config.links_of(bucket).filter(|link| link.source == *site || link.target == *site);
    let begun: Option<Vec<i64>> =
        links.map(|link| begun(control, &Pair::new(link, bucket.clone()), site, swept)).collect();
    begun?.into_iter().min()
}

/// What a site told of a bucket is whole from now on, and no longer known to be from before.
async fn whole_since(control: &Control, bucket: &BucketName, begun_us: i64) {
    let first_us = control.unbroken(bucket).map_or(0, |known| known.first_us);
    let unbroken = Unbroken { since_us: Some(begun_us + SKEW_US), first_us };
    control.put(Entry::Unbroken(bucket.clone(), unbroken)).await;
}
