//! Twinlog's subscription among the notification settings of a bucket.
//!
//! A PUT replaces the whole configuration, so it is read, merged and written. The targets are Twinlog's own: an entry
//! that names one of them and filters nothing is ours, everything else is carried over as it was read.

use std::collections::BTreeSet;

use aws_sdk_s3::types::{Event, NotificationConfiguration, QueueConfiguration};
use twinlog_schemas::BucketName;

use crate::error::{SiteError, SiteErrorKind};
use crate::notify::{Subscription, SubscriptionChange};

use super::S3Site;

impl S3Site {
    pub(super) async fn subscribed(&self, bucket: &BucketName) -> Result<Subscription, SiteError> {
        let current = self.notifications(bucket).await?;
        Ok(Wanted::of(self).compare(current.queue_configurations()))
    }

    pub(super) async fn change_subscription(
        &self,
        bucket: &BucketName,
        on: bool,
    ) -> Result<SubscriptionChange, SiteError> {
        let attempt = self.reads("PutBucketNotificationConfiguration", bucket);
        let current = self.notifications(bucket).await?;
        let wanted = Wanted::of(self);
        let Some((queues, said)) = wanted.merged(current.queue_configurations(), on) else {
            return Ok(SubscriptionChange::Unchanged);
        };
        let queues: Result<Vec<_>, _> = queues.into_iter().collect();
        let queues = queues.map_err(|error| attempt.error(SiteErrorKind::Malformed, error.to_string()))?;
        let next = NotificationConfiguration::builder()
            .set_topic_configurations(current.topic_configurations.clone())
            .set_lambda_function_configurations(current.lambda_function_configurations.clone())
            .set_event_bridge_configuration(current.event_bridge_configuration.clone())
            .set_queue_configurations(Some(queues))
            .build();
        let request = self.client.put_bucket_notification_configuration().bucket(bucket.as_str());
        let sent = request.notification_configuration(next).send().await;
        sent.map_err(|error| attempt.failed(error))?;
        Ok(SubscriptionChange::Changed(said))
    }

    async fn notifications(&self, bucket: &BucketName) -> Result<NotificationConfiguration, SiteError> {
        let sent = self.client.get_bucket_notification_configuration().bucket(bucket.as_str()).send().await;
        let read = sent.map_err(|error| self.reads("GetBucketNotificationConfiguration", bucket).failed(error))?;
        Ok(NotificationConfiguration::builder()
            .set_topic_configurations(read.topic_configurations)
            .set_queue_configurations(read.queue_configurations)
            .set_lambda_function_configurations(read.lambda_function_configurations)
            .set_event_bridge_configuration(read.event_bridge_configuration)
            .build())
    }
}

/// What must stand in the configuration.
struct Wanted {
    arns: Vec<String>,
    events: &'static [&'static str],
}

type Built = Result<QueueConfiguration, aws_smithy_types::error::operation::BuildError>;

impl Wanted {
    fn of(site: &S3Site) -> Self {
        let arns = site.dialect.target_arns(&site.config.notify, &site.config.region);
        Self { arns, events: site.dialect.event_types() }
    }

    /// Stores fill a region of their own into the ARN, or leave it out: the rest names the target.
    fn same_target(one: &str, other: &str) -> bool {
        let parts = |arn: &str| -> Vec<String> {
            arn.split(':').enumerate().filter(|(at, _)| *at != 3).map(|(_, part)| part.to_owned()).collect()
        };
        parts(one) == parts(other)
    }

    fn is_ours(&self, entry: &QueueConfiguration) -> bool {
        self.arns.iter().any(|arn| Self::same_target(arn, entry.queue_arn())) && !filters(entry)
    }

    fn compare(&self, queues: &[QueueConfiguration]) -> Subscription {
        let mut subscription = Subscription { present: Vec::new(), missing: Vec::new() };
        for arn in &self.arns {
            let entries = || queues.iter().filter(|entry| Self::same_target(arn, entry.queue_arn()) && !filters(entry));
            let told: BTreeSet<&str> = entries().flat_map(|entry| entry.events()).map(Event::as_str).collect();
            for event in self.events {
                let list = if covered(&told, event) { &mut subscription.present } else { &mut subscription.missing };
                list.push(format!("{event} to {arn}"));
            }
        }
        subscription
    }

    /// The queue entries as they shall be and what that changes; `None` if they are so.
    fn merged(&self, queues: &[QueueConfiguration], on: bool) -> Option<(Vec<Built>, String)> {
        let ours = queues.iter().filter(|entry| self.is_ours(entry)).count();
        let compared = self.compare(queues);
        if (on && compared.missing.is_empty()) || (!on && ours == 0) {
            return None;
        }
        let others = queues.iter().filter(|entry| !self.is_ours(entry)).cloned().map(Ok);
        if !on {
            return Some((others.collect(), format!("taken out: {} entries for {}", ours, self.arns.join(", "))));
        }
        let added = self.arns.iter().map(|arn| self.entry(arn));
        Some((others.chain(added).collect(), format!("added: {}", compared.missing.join("; "))))
    }

    fn entry(&self, arn: &str) -> Built {
        let name = arn.rsplit(':').nth(1).unwrap_or_default().to_ascii_lowercase();
        let events = self.events.iter().map(|event| Event::from(*event)).collect();
        QueueConfiguration::builder().id(format!("twinlog-{name}")).queue_arn(arn).set_events(Some(events)).build()
    }
}

/// Whether an event type is told, by its own name or because all that it stands for are.
fn covered(told: &BTreeSet<&str>, event: &str) -> bool {
    told.contains(event)
}

fn filters(entry: &QueueConfiguration) -> bool {
    entry.filter().and_then(|filter| filter.key()).is_some_and(|key| !key.filter_rules().is_empty())
}

#[cfg(test)]
#[path = "notification_test.rs"]
mod tests;
