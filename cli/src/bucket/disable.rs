//! Disabling a bucket: the subscription goes, everything else stays.

use twinlog_control::{Control, Entry, TopicSeen, Unbroken};
use twinlog_log::TopicName;
use twinlog_schemas::BucketName;
use twinlog_site::{SiteErrorKind, SubscriptionChange};

use super::enable::sources;
use super::steer;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::finding::Finding;
use crate::wanted;

/// Takes the subscription of the bucket out at every source, and says which topics remain.
pub async fn disable(deployment: &Deployment, bucket: &BucketName) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for name in sources(&deployment.config, bucket) {
        let subject = format!("notices of {bucket} at {name}");
        let control = steer::control(deployment, &name).await?;
        if let Some(known) = control.unbroken(bucket).filter(|known| known.since_us.is_some()) {
            control.put(Entry::Unbroken(bucket.clone(), Unbroken { since_us: None, ..known })).await;
        }
        findings.push(match deployment.site(&name)?.unsubscribe(bucket).await {
            Ok(SubscriptionChange::Unchanged) => Finding::ok(subject, "there was no subscription"),
            Ok(SubscriptionChange::Changed(what)) => Finding::done(subject, format!("unsubscribed: {what}")),
            Err(error) if error.kind == SiteErrorKind::NoSuchBucket => {
                Finding::ok(subject, "the bucket does not exist there (any more)")
            }
            Err(error) => return Err(deployment.site_failed(&error)),
        });
        let wanted = wanted::of_bucket(&deployment.config, &name, bucket);
        let found = deployment.topic(&wanted.cluster, &wanted.spec.name).await?;
        let partitions = found.map(|info| info.partitions);
        for link in deployment.config.links_from(&name).filter(|link| link.carries(bucket)) {
            let subject = format!("topic {} at {}", wanted.spec.name, link.target);
            match steer::control(deployment, &link.target).await {
                Ok(control) => give_up(&control, &wanted.spec.name, partitions).await,
                Err(failure) => {
                    let todo = format!("{failure}; until it is told so, it takes a topic that is deleted for lost");
                    findings.push(Finding::warn(subject, "could not be told that the bucket is disabled", todo));
                }
            }
        }
        if partitions.is_some() {
            let brokers =
                deployment.config.clusters.get(&wanted.cluster).map_or("", |cluster| cluster.brokers.as_str());
            let what = "it stays: what is in it is still applied, and ends with its retention";
            let delete = format!("kafka-topics.sh --bootstrap-server {brokers} --delete --topic {}", wanted.spec.name);
            findings.push(Finding::warn(
                format!("topic {}", wanted.spec.name),
                what,
                format!("to delete it: {delete}"),
            ));
        }
    }
    Ok(findings)
}

/// That the topic goes, or is gone, is well from now on. `partitions`: how many it has, if it is there.
async fn give_up(control: &Control, topic: &TopicName, partitions: Option<i32>) {
    let unseen = || partitions.map(|now| TopicSeen { id: None, partitions: now, now, given_up: true, gone: None });
    let seen = control.topic_seen(topic).map(|seen| TopicSeen { given_up: true, ..seen });
    if let Some(seen) = seen.or_else(unseen) {
        control.put(Entry::Topic(topic.clone(), seen)).await;
    }
}
