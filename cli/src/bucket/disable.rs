//! Disabling a bucket: the subscription goes, everything else stays.

use twinlog_control::{Entry, Unbroken};
use twinlog_schemas::BucketName;
use twinlog_site::{SiteErrorKind, SubscriptionChange};

use super::enable::sources;
use super::steer::control;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::finding::Finding;
use crate::wanted;

/// Takes the subscription of the bucket out at every source, and says which topics remain.
pub async fn disable(deployment: &Deployment, bucket: &BucketName) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for name in sources(&deployment.config, bucket) {
        let subject = format!("notices of {bucket} at {name}");
        let control = control(deployment, &name).await?;
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
        if deployment.topics(&wanted.cluster).await?.contains_key(&wanted.spec.name) {
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
