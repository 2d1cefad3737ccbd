//! The buckets of every link and their state.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use serde::Serialize;
use twinlog_log::TopicName;
use twinlog_schemas::{BucketName, SiteName};
use twinlog_site::SiteErrorKind;

use super::control;
use crate::config::LinkConfig;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::show;
use crate::wanted;

/// Questions to stores at a time.
const ASKING_AT_ONCE: usize = 16;

/// A bucket of a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Row {
    /// The bucket.
    pub bucket: String,
    /// The link, `source>target`.
    pub link: String,
    /// Its state.
    pub state: State,
}

/// The state of a bucket of a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is replicated.
    Enabled,
    /// It could be, and is not.
    Off,
    /// It would be replicated, and is held for this reason.
    Held(String),
    /// Something is missing.
    Incomplete(String),
}

/// Every bucket that a link carries, seen at either end or named in the configuration.
pub async fn list(deployment: &Deployment) -> Result<Vec<Row>, Failure> {
    let mut topics: BTreeMap<String, BTreeSet<TopicName>> = BTreeMap::new();
    for cluster in deployment.clusters.keys() {
        topics.insert(cluster.clone(), deployment.topics(cluster).await?.into_keys().collect());
    }
    let mut seen: BTreeMap<SiteName, BTreeSet<BucketName>> = BTreeMap::new();
    for (name, site) in &deployment.sites {
        let buckets = site.buckets().await.map_err(|error| deployment.site_failed(&error))?;
        seen.insert(name.clone(), buckets.into_iter().collect());
    }
    let wanted = deployment.config.links.iter().flat_map(|link| {
        let at = |site| seen.get(site).into_iter().flatten();
        let all = at(&link.source).chain(at(&link.target)).cloned();
        let named = link.buckets.iter().filter_map(|pattern| pattern.name());
        let carried: BTreeSet<BucketName> = all.filter(|bucket| link.carries(bucket)).chain(named).collect();
        carried.into_iter().map(move |bucket| (link, bucket))
    });
    let mut controls = BTreeMap::new();
    for link in &deployment.config.links {
        if !controls.contains_key(&link.target) {
            controls.insert(link.target.clone(), control(deployment, &link.target).await?);
        }
    }
    let held = |link: &LinkConfig, bucket: &BucketName| {
        controls.get(&link.target).and_then(|control| control.stopped(&(link.source.clone(), bucket.clone())))
    };
    let rows = stream::iter(wanted).map(|(link, bucket)| {
        let held = held(link, &bucket);
        let row = row(deployment, &topics, &seen, link, bucket);
        async move {
            let row = row.await?;
            let state = match (row.state, held) {
                (State::Enabled, Some(reason)) => State::Held(reason.to_string()),
                (state, _) => state,
            };
            Ok(Row { state, ..row })
        }
    });
    let rows: Vec<Result<Row, Failure>> = rows.buffer_unordered(ASKING_AT_ONCE).collect().await;
    let mut rows = rows.into_iter().collect::<Result<Vec<_>, _>>()?;
    rows.sort();
    Ok(rows)
}

/// The rows as a table.
pub fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no link carries a bucket that exists\n".to_owned();
    }
    let heading = ["BUCKET", "LINK", "STATE"].map(str::to_owned).to_vec();
    let cells = rows.iter().map(|row| {
        let state = match &row.state {
            State::Enabled => "enabled".to_owned(),
            State::Held(reason) => format!("held: {reason}"),
            State::Off => "off".to_owned(),
            State::Incomplete(what) => format!("incomplete: {what}"),
        };
        vec![row.bucket.clone(), row.link.clone(), state]
    });
    show::table(&std::iter::once(heading).chain(cells).collect::<Vec<_>>())
}

async fn row(
    deployment: &Deployment,
    topics: &BTreeMap<String, BTreeSet<TopicName>>,
    seen: &BTreeMap<SiteName, BTreeSet<BucketName>>,
    link: &LinkConfig,
    bucket: BucketName,
) -> Result<Row, Failure> {
    let exists = |site| seen.get(site).is_some_and(|buckets| buckets.contains(&bucket));
    let wanted = wanted::of_bucket(&deployment.config, &link.source, &bucket);
    let topic = topics.get(&wanted.cluster).is_some_and(|topics| topics.contains(&wanted.spec.name));
    let state = match [&link.source, &link.target].into_iter().find(|site| !exists(site)) {
        Some(site) if topic => State::Incomplete(format!("the bucket does not exist at {site}")),
        Some(_) => State::Off,
        None => {
            let subscribed = match deployment.site(&link.source)?.subscription(&bucket).await {
                Ok(subscription) => Some((!subscription.present.is_empty(), subscription.missing.is_empty())),
                Err(error) if error.kind == SiteErrorKind::NoSuchBucket => None,
                Err(error) => return Err(deployment.site_failed(&error)),
            };
            match (topic, subscribed) {
                (_, None) => State::Incomplete(format!("the bucket does not exist at {}", link.source)),
                (true, Some((_, true))) => State::Enabled,
                (_, Some((false, _))) => State::Off,
                (true, Some((true, false))) => State::Incomplete("part of the subscription is missing".to_owned()),
                (false, Some((true, _))) => State::Incomplete("its change topic is missing".to_owned()),
            }
        }
    };
    Ok(Row { bucket: bucket.to_string(), link: link.name(), state })
}
