//! Tests of merging the subscription.
#![allow(clippy::unwrap_used, reason = "tests")]

use aws_sdk_s3::types::{FilterRule, NotificationConfigurationFilter, S3KeyFilter};

use super::*;

const OURS: &str = "arn:rustfs:sqs:us-east-1:twinlog:webhook";

fn wanted() -> Wanted {
    Wanted { arns: vec![OURS.to_owned()], events: &["s3:ObjectCreated:*", "s3:ObjectRemoved:*"] }
}

fn entry(arn: &str, events: &[&str], prefix: Option<&str>) -> QueueConfiguration {
    let rules = prefix.map(|prefix| FilterRule::builder().name("prefix".into()).value(prefix).build());
    let filter = rules.map(|rule| {
        NotificationConfigurationFilter::builder().key(S3KeyFilter::builder().filter_rules(rule).build()).build()
    });
    let events = events.iter().map(|event| Event::from(*event)).collect();
    QueueConfiguration::builder()
        .id("theirs")
        .queue_arn(arn)
        .set_events(Some(events))
        .set_filter(filter)
        .build()
        .unwrap()
}

fn merged(queues: &[QueueConfiguration], on: bool) -> Option<Vec<QueueConfiguration>> {
    wanted().merged(queues, on).map(|(queues, _)| queues.into_iter().map(Result::unwrap).collect())
}

#[test]
fn what_is_missing_is_added_and_the_rest_stays() {
    let other = entry("arn:rustfs:sqs:us-east-1:theirs:webhook", &["s3:ObjectAccessed:*"], Some("logs/"));
    let filtered = entry(OURS, &["s3:ObjectCreated:*"], Some("only/"));
    let next = merged(&[other.clone(), filtered.clone()], true).unwrap();
    assert_eq!(next[..2], [other, filtered]);
    assert_eq!(next[2].queue_arn(), OURS);
    assert_eq!(next[2].id(), Some("twinlog-twinlog"));
    assert_eq!(merged(&next, true), None);
}

#[test]
fn half_a_subscription_is_replaced() {
    let half = entry("arn:rustfs:sqs::twinlog:webhook", &["s3:ObjectCreated:*"], None);
    let compared = wanted().compare(std::slice::from_ref(&half));
    assert_eq!(compared.missing, [format!("s3:ObjectRemoved:* to {OURS}")]);
    let next = merged(&[half], true).unwrap();
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].events().len(), 2);
}

#[test]
fn taking_out_leaves_the_others() {
    let other = entry("arn:rustfs:sqs:us-east-1:theirs:webhook", &["s3:ObjectCreated:*"], None);
    let both = merged(std::slice::from_ref(&other), true).unwrap();
    assert_eq!(merged(&both, false).as_deref(), Some(std::slice::from_ref(&other)));
    assert_eq!(merged(std::slice::from_ref(&other), false), None);
}
