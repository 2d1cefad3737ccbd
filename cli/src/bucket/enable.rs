//! Enabling a bucket: look at everything, refuse before anything is changed, then create, subscribe, and say of each
//! thing whether it was done now or stood already. A second run changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use twinlog_control::{Entry, TopicSeen, Unbroken};
use twinlog_log::clock::{Clock, SystemClock};
use twinlog_log::{LogErrorKind, TopicName};
use twinlog_schemas::{BucketName, SiteName};
use twinlog_site::{BucketState, ListFrom, SiteErrorKind, SubscriptionChange};

use super::set_up::Ends;
use super::steer::control;
use crate::config::Config;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::finding::{Finding, Level, any_failed};
use crate::wanted::{self, Wanted};

/// Topics created at a time.
const CREATING_AT_ONCE: usize = 6;

/// Enables the bucket on every link that carries it. With a failed finding nothing was subscribed; a failed finding
/// about the bucket itself means that nothing at all was changed.
pub async fn enable(deployment: &Deployment, bucket: &BucketName) -> Result<Vec<Finding>, Failure> {
    let states = states(deployment, bucket).await?;
    let mut findings = ends(&deployment.config, bucket, &states);
    if any_failed(&findings) {
        return Ok(findings);
    }
    findings.extend(topics(deployment, bucket).await?);
    if any_failed(&findings) {
        return Ok(findings);
    }
    findings.extend(accept(deployment, bucket).await?);
    for site in sources(&deployment.config, bucket) {
        findings.extend(subscribe(deployment, &site, bucket).await?);
    }
    Ok(findings)
}

/// The last line of the report.
pub fn verdict(config: &Config, bucket: &BucketName, findings: &[Finding]) -> String {
    let links = config.links_of(bucket).map(|link| link.name()).collect::<Vec<_>>().join(", ");
    if any_failed(findings) {
        return format!("bucket {bucket} is not enabled: mend what is marked FAIL and run this again");
    }
    let changed = findings.iter().any(|finding| finding.level == Level::Done);
    let suffix = if changed { "" } else { "; nothing had to be changed" };
    format!("bucket {bucket} is enabled: {links}{suffix}")
}

/// The bucket's state at each site of its links; `None` where it does not exist.
pub async fn states(
    deployment: &Deployment,
    bucket: &BucketName,
) -> Result<BTreeMap<SiteName, Option<BucketState>>, Failure> {
    let sites = deployment.config.sites_of(bucket);
    let asked = join_all(sites.into_iter().map(|name| async move {
        let state = match deployment.site(&name)?.bucket_state(bucket).await {
            Ok(state) => Some(state),
            Err(error) if error.kind == SiteErrorKind::NoSuchBucket => None,
            Err(error) => return Err(deployment.site_failed(&error)),
        };
        Ok((name, state))
    }));
    asked.await.into_iter().collect()
}

/// What there is to say about the bucket at both ends of each link.
pub fn ends(config: &Config, bucket: &BucketName, states: &BTreeMap<SiteName, Option<BucketState>>) -> Vec<Finding> {
    let state = |site| states.get(site).and_then(Option::as_ref);
    let checks = config.links_of(bucket).flat_map(|link| {
        let (source, target) = (state(&link.source), state(&link.target));
        Ends { link, bucket: bucket.as_str(), source, target }.check()
    });
    checks.collect()
}

/// The sites from which the bucket is replicated.
pub fn sources(config: &Config, bucket: &BucketName) -> std::collections::BTreeSet<SiteName> {
    config.links_of(bucket).map(|link| link.source.clone()).collect()
}

async fn topics(deployment: &Deployment, bucket: &BucketName) -> Result<Vec<Finding>, Failure> {
    let one = async |wanted: Wanted| match deployment.topic(&wanted.cluster, &wanted.spec.name).await? {
        None if deployment.config.topics.create => create(deployment, &wanted).await,
        found => Ok(wanted::check(&wanted, found.as_ref(), deployment.config.topics.lanes)),
    };
    let wanted = wanted::for_bucket(&deployment.config, bucket);
    let findings = stream::iter(wanted).map(one).buffered(CREATING_AT_ONCE).collect::<Vec<_>>().await;
    findings.into_iter().collect()
}

/// Takes the number of partitions that the bucket's topics have as the one that they were set up with, and the topics as
/// wanted again.
async fn accept(deployment: &Deployment, bucket: &BucketName) -> Result<Vec<Finding>, Failure> {
    let ours: BTreeSet<TopicName> =
        wanted::for_bucket(&deployment.config, bucket).into_iter().map(|wanted| wanted.spec.name).collect();
    let mut findings = Vec::new();
    for site in deployment.config.sites_of(bucket) {
        let control = control(deployment, &site).await?;
        for (topic, seen) in control.topics_seen().into_iter().filter(|(topic, _)| ours.contains(topic)) {
            if seen.partitions == seen.now {
                if seen.given_up {
                    control.put(Entry::Topic(topic, TopicSeen { given_up: false, ..seen })).await;
                }
                continue;
            }
            let what = format!("its {} partitions are accepted; it was set up with {}", seen.now, seen.partitions);
            findings.push(Finding::done(format!("topic {topic} at {site}"), what));
            control.put(Entry::Topic(topic, TopicSeen { partitions: seen.now, given_up: false, ..seen })).await;
        }
    }
    Ok(findings)
}

async fn create(deployment: &Deployment, wanted: &Wanted) -> Result<Finding, Failure> {
    let spec = &wanted.spec;
    match deployment.cluster(&wanted.cluster)?.create_topic(spec).await {
        Ok(()) => Ok(Finding::done(format!("topic {}", spec.name), format!("created, {} partitions", spec.partitions))),
        // Somebody else was quicker: theirs is looked at as any other.
        Err(error) if error.kind == LogErrorKind::TopicExists => {
            let found = deployment.topic(&wanted.cluster, &spec.name).await?;
            Ok(wanted::check(wanted, found.as_ref(), deployment.config.topics.lanes))
        }
        Err(error) => Err(deployment.cluster_failed(&wanted.cluster, &error)),
    }
}

async fn subscribe(deployment: &Deployment, name: &SiteName, bucket: &BucketName) -> Result<Vec<Finding>, Failure> {
    let site = deployment.site(name)?;
    let subject = format!("notices of {bucket} at {name}");
    let change = match site.subscribe(bucket).await {
        Ok(change) => change,
        Err(error) if error.kind.is_of_the_way() => return Err(deployment.site_failed(&error)),
        Err(error) => {
            let target = deployment.config.sites.get(name).map_or("", |site| site.targets.sure.as_str());
            let advice = format!(
                "set up the webhook target {target} in the store's configuration (its endpoint is /notices/{name} of the intake), or name the right one in [sites.{name}.targets]"
            );
            return Ok(vec![Finding::fail(subject, error.to_string(), advice)]);
        }
    };
    tell_since(deployment, name, bucket, &change).await?;
    Ok(match change {
        SubscriptionChange::Unchanged => vec![Finding::ok(subject, "subscribed already")],
        SubscriptionChange::Changed(what) => {
            let mut findings = vec![Finding::done(subject.clone(), format!("subscribed: {what}"))];
            let first = ListFrom { limit: Some(1), ..ListFrom::default() };
            let listed = site.list_versions(bucket, &first).await.map_err(|error| deployment.site_failed(&error))?;
            if !listed.versions.is_empty() {
                let what = "the bucket is not empty: versions written until now are not replicated by themselves";
                let advice = format!("once Twinlog runs at both ends: `twinlog sweep --bucket {bucket}`");
                findings.push(Finding::warn(subject, what, advice));
            }
            findings
        }
    })
}

/// A birth by the store's clock and what is on record by ours may be so far apart.
pub const SKEW_US: i64 = 2_000_000;

/// Puts on record since when every notice of the bucket comes: from this moment on where the subscription was made now.
/// A bucket that was enabled by an older release is known to be whole from now on only. Running processes hear by
/// this record that there may be new topics, so it is put though it says nothing new.
async fn tell_since(
    deployment: &Deployment,
    site: &SiteName,
    bucket: &BucketName,
    change: &SubscriptionChange,
) -> Result<(), Failure> {
    let control = control(deployment, site).await?;
    let now_us = SystemClock.now_us() + SKEW_US;
    let known = control.unbroken(bucket);
    let unchanged = matches!(change, SubscriptionChange::Unchanged);
    let since_us = known.and_then(|known| known.since_us).filter(|_| unchanged).or(Some(now_us));
    let first_us = known.map_or(if unchanged { 0 } else { now_us }, |known| known.first_us);
    control.put(Entry::Unbroken(bucket.clone(), Unbroken { since_us, first_us })).await;
    Ok(())
}
