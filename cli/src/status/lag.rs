//! What waits of a topic, from offsets; the oldest record's own time says for how long.

use twinlog_log::clock::{Clock, SystemClock};
use twinlog_log::{LogErrorKind, TopicName, TopicPartition};
use twinlog_schemas::SiteName;

use crate::config::LinkConfig;
use crate::deployment::{ASKING, Deployment};
use crate::exit::Failure;
use crate::retention::{self, Followed, Waiting};

/// What of a change topic waits for a link's target.
pub async fn waiting(deployment: &Deployment, link: &LinkConfig, topic: &TopicName) -> Result<Waiting, Failure> {
    let log = deployment.home(&link.source)?;
    let group = deployment.config.topics.names.group(&link.target, "apply");
    let cluster = deployment.config.sites.get(&link.source).map(|site| site.cluster.clone()).unwrap_or_default();
    let failed = |error| deployment.cluster_failed(&cluster, &error);
    let kept = log.retention(std::slice::from_ref(topic)).await.map_err(failed)?;
    let retention = kept.get(topic).copied().unwrap_or_default();
    let followed = Followed { log: log.as_ref(), group: &group, topic, retention, patience: ASKING };
    retention::waiting(&followed, SystemClock.now_ms()).await.map_err(failed)
}

/// How many records a topic of a site has.
pub async fn kept(deployment: &Deployment, site: &SiteName, topic: &TopicName) -> Result<i64, Failure> {
    let log = deployment.home(site)?;
    let cluster = deployment.config.sites.get(site).map(|site| site.cluster.clone()).unwrap_or_default();
    let mut kept = 0;
    for partition in partitions(deployment, site, topic).await? {
        match log.watermarks(&partition).await {
            Ok(ends) => kept += ends.next - ends.first,
            Err(error) if error.kind == LogErrorKind::UnknownTopic => {}
            Err(error) => return Err(deployment.cluster_failed(&cluster, &error)),
        }
    }
    Ok(kept)
}

async fn partitions(
    deployment: &Deployment,
    site: &SiteName,
    topic: &TopicName,
) -> Result<Vec<TopicPartition>, Failure> {
    let cluster = deployment.config.sites.get(site).map(|site| site.cluster.clone()).unwrap_or_default();
    let info = deployment.home(site)?.topic(topic).await;
    let info = info.map_err(|error| deployment.cluster_failed(&cluster, &error))?;
    let count = info.map_or(0, |info| info.partitions);
    Ok((0..count).map(|partition| TopicPartition { topic: topic.clone(), partition }).collect())
}
