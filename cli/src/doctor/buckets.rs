//! Buckets: set up alike at both ends, subscribed, and every permission there.

use std::collections::BTreeSet;

use twinlog_schemas::{BucketName, SiteName};

use super::clusters::Existing;
use crate::bucket::{ends, states};
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::finding::Finding;
use crate::wanted;

/// Examines `only`, or every enabled bucket: one whose change topic exists. Buckets with a site that cannot be reached
/// are left out.
pub async fn examine(
    deployment: &Deployment,
    existing: &Existing,
    reachable: &BTreeSet<SiteName>,
    only: Option<&BucketName>,
) -> Result<Vec<Finding>, Failure> {
    let buckets = only.map_or_else(|| enabled(deployment, existing), |bucket| BTreeSet::from([bucket.clone()]));
    if buckets.is_empty() {
        let advice = "`twinlog bucket enable <bucket>`; `twinlog doctor --bucket <bucket>` examines one beforehand";
        return Ok(vec![Finding::warn("buckets", "none is enabled", advice)]);
    }
    let mut findings = Vec::new();
    for bucket in &buckets {
        let sites = deployment.config.sites_of(bucket);
        if sites.is_empty() {
            let advice = "add it to the buckets of a link, or delete its change topics";
            findings.push(Finding::warn(format!("bucket {bucket}"), "no link carries it", advice));
        } else if sites.is_subset(reachable) {
            findings.extend(one(deployment, bucket, &sites).await);
        } else {
            let what = "not examined, because one of its sites cannot be reached";
            findings.push(Finding::warn(format!("bucket {bucket}"), what, "mend that first"));
        }
    }
    Ok(findings)
}

fn enabled(deployment: &Deployment, existing: &Existing) -> BTreeSet<BucketName> {
    let config = &deployment.config;
    let of_site = |(name, site): (&SiteName, &crate::config::SiteConfig)| {
        let topics = existing.get(&site.cluster).into_iter().flatten();
        topics.filter_map(|(topic, _)| wanted::bucket_of(config, name, topic)).collect::<Vec<_>>()
    };
    config.sites.iter().flat_map(of_site).collect()
}

async fn one(deployment: &Deployment, bucket: &BucketName, sites: &BTreeSet<SiteName>) -> Vec<Finding> {
    let states = match states(deployment, bucket).await {
        Ok(states) => states,
        Err(failure) => {
            let subject = format!("bucket {bucket}");
            return vec![Finding::fail(subject, "its set-up cannot be read", failure.to_string())];
        }
    };
    let mut findings = ends(&deployment.config, bucket, &states);
    for name in sites {
        if states.get(name).is_some_and(Option::is_some) {
            findings.push(permissions(deployment, name, bucket).await);
        }
    }
    for name in crate::bucket::sources(&deployment.config, bucket) {
        if states.get(&name).is_some_and(Option::is_some) {
            findings.push(subscription(deployment, &name, bucket).await);
        }
    }
    findings
}

async fn permissions(deployment: &Deployment, name: &SiteName, bucket: &BucketName) -> Finding {
    let subject = format!("permissions on {bucket} at {name}");
    let missing = match deployment.site(name) {
        Ok(site) => site.missing_permissions(bucket).await.map_err(|error| deployment.site_failed(&error)),
        Err(failure) => Err(failure),
    };
    match missing {
        Ok(missing) if missing.is_empty() => Finding::ok(subject, "enough, proved by explicit calls"),
        Ok(missing) => {
            let advice = "add them to the policy of Twinlog's principal at the store";
            Finding::fail(subject, format!("missing {}", missing.join(", ")), advice)
        }
        Err(failure) => Finding::fail(subject, "cannot be proved", failure.to_string()),
    }
}

async fn subscription(deployment: &Deployment, name: &SiteName, bucket: &BucketName) -> Finding {
    let subject = format!("notices of {bucket} at {name}");
    let read = match deployment.site(name) {
        Ok(site) => site.subscription(bucket).await.map_err(|error| deployment.site_failed(&error)),
        Err(failure) => Err(failure),
    };
    match read {
        Ok(subscription) if subscription.missing.is_empty() => Finding::ok(subject, "subscribed"),
        Ok(subscription) => {
            let what = format!("not subscribed: {}", subscription.missing.join(", "));
            Finding::fail(subject, what, format!("twinlog bucket enable {bucket}"))
        }
        Err(failure) => Finding::fail(subject, "the subscription cannot be read", failure.to_string()),
    }
}
