//! What waits of change topics, and how much dead-letter topics hold.

use std::collections::BTreeMap;

use twinlog_log::clock::{Clock, SystemClock};
use twinlog_log::{TopicInfo, TopicName};
use twinlog_schemas::SiteName;

use crate::config::LinkConfig;
use crate::deployment::{ASKING, Deployment};
use crate::exit::Failure;
use crate::retention::{self, Followed, Waiting};

/// What of these change topics waits for a link's target.
pub async fn waiting(
    deployment: &Deployment,
    link: &LinkConfig,
    topics: &BTreeMap<TopicName, TopicInfo>,
) -> Result<BTreeMap<TopicName, Waiting>, Failure> {
    let log = deployment.home(&link.source)?.as_ref();
    let group = deployment.config.topics.names.group(&link.target, "apply");
    let failed = |error| deployment.home_failed(&link.source, &error);
    let retention = log.retention(&topics.keys().cloned().collect::<Vec<_>>()).await.map_err(failed)?;
    let followed = Followed { log, group: &group, topics, retention: &retention, patience: ASKING };
    retention::waiting(&followed, SystemClock.now_ms()).await.map_err(failed)
}

/// How many records a topic of a site has.
pub async fn kept(deployment: &Deployment, site: &SiteName, topic: &TopicName) -> Result<i64, Failure> {
    let ends = deployment.home(site)?.ends_of(topic).await;
    let ends = ends.map_err(|error| deployment.home_failed(site, &error))?;
    Ok(ends.into_iter().flatten().map(|(_, ends)| ends.next - ends.first).sum())
}
