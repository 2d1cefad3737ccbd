//! What waits of a topic, from offsets; the oldest record's own time says for how long.

use tokio::time::timeout;
use twinlog_log::{LogErrorKind, TopicName, TopicPartition};
use twinlog_schemas::SiteName;

use crate::config::LinkConfig;
use crate::deployment::{ASKING, Deployment};
use crate::exit::Failure;

/// What of a change topic is not done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Records.
    pub records: i64,
    /// When the oldest was written, milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
}

/// What of a change topic waits for a link's target.
pub async fn waiting(deployment: &Deployment, link: &LinkConfig, topic: &TopicName) -> Result<Waiting, Failure> {
    let log = deployment.home(&link.source)?;
    let group = deployment.config.topics.names.group(&link.target, "apply");
    let cluster = deployment.config.sites.get(&link.source).map(|site| site.cluster.clone()).unwrap_or_default();
    let failed = |error| deployment.cluster_failed(&cluster, &error);
    let partitions = partitions(deployment, &link.source, topic).await?;
    let committed = log.committed(&group, &partitions).await.map_err(failed)?;
    let mut waiting = Waiting::default();
    for partition in &partitions {
        let ends = log.watermarks(partition).await.map_err(failed)?;
        let done = committed.get(partition).map_or(ends.first, |commit| commit.offset.max(ends.first));
        if done >= ends.next {
            continue;
        }
        waiting.records += ends.next - done;
        let look = async {
            let reader = log.reader(&format!("{group}.status")).await?;
            reader.assign(partition, done).await?.next().await
        };
        // A record that is slow to come leaves the age unknown, no more.
        if let Ok(Ok(record)) = timeout(ASKING, look).await {
            let oldest = record.timestamp_ms.into_iter().chain(waiting.oldest_ms).min();
            waiting.oldest_ms = oldest;
        }
    }
    Ok(waiting)
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
