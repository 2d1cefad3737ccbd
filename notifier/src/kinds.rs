//! What people are told of each kind of event that producers, consumers, sweeps and the watch over the log write.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use twinlog_schemas::{
    BreakerTold, ChangeTold, CloudEvent, ConflictTold, EventType, HoldTold, LogTold, NotificationTold, RetentionTold,
    ThresholdTold, VanishedTold,
};

use super::tests::{World, site};

/// The data that an event of a type bears; `None` for those that notifiers alone write.
fn data(kind: EventType) -> Option<Value> {
    use EventType as E;
    let (source_site, target_site, bucket) = ("east".to_owned(), "west".to_owned(), "photos".to_owned());
    let message = "what was seen".to_owned();
    Some(match kind {
        E::HoldBegun | E::HoldEnded => json!(HoldTold {
            source_site,
            target_site,
            bucket: Some(bucket),
            reason: "delete-storm".into(),
            message,
            remedy: "release it".into(),
            since_us: 5,
        }),
        E::BreakerOpened | E::BreakerClosed => {
            json!(BreakerTold { source_site, target_site, away: "west".into(), message, since_us: 5 })
        }
        E::ThresholdMissed | E::ThresholdRegained => json!(ThresholdTold {
            source_site,
            target_site,
            bucket,
            threshold_seconds: 900,
            oldest_seconds: 901,
            waiting: 7,
        }),
        E::Vanished => json!(VanishedTold { source_site, target_site, bucket, versions: 3, message }),
        E::RecordsLost | E::TopicRecreated | E::TopicGone | E::PartitionsChanged => json!(LogTold {
            site: target_site,
            source_site,
            bucket: Some(bucket),
            topic: "t.changes.east.photos".into(),
            partition: Some(1),
            from: Some(5),
            to: Some(9),
            records: Some(4),
            message,
        }),
        E::RetentionBegun | E::RetentionEnded => json!(RetentionTold {
            source_site,
            target_site,
            bucket,
            used_percent: 60,
            waiting: 7,
            message,
            since_us: 5,
        }),
        E::ConflictDecided => {
            let change = |site: &str| ChangeTold { site: site.into(), changed_at_ns: 1 };
            json!(ConflictTold {
                bucket,
                key: "k".into(),
                version_id: "v".into(),
                category: "tags".into(),
                winner: change("east"),
                loser: change("west"),
                tied: false,
            })
        }
        E::ReplicationFailed | E::Recovered => return None,
    })
}

/// What a person is told of it.
struct Expected {
    kind: &'static str,
    reason: &'static str,
    count: u64,
    runbook: &'static str,
    /// The event that ends it, and what is told of that.
    ends: Option<(EventType, &'static str)>,
}

/// `None` for what ends something, and for what notifiers alone write.
fn expected(kind: EventType) -> Option<Expected> {
    use EventType as E;
    let (kind, reason, count, runbook, ends) = match kind {
        E::HoldBegun => {
            let ends = Some((E::HoldEnded, "io.twinlog.hold.ended"));
            ("io.twinlog.hold.begun", "delete-storm", 1, "delete-storm", ends)
        }
        E::BreakerOpened => {
            let ends = Some((E::BreakerClosed, "io.twinlog.breaker.closed"));
            ("io.twinlog.breaker.opened", "west", 1, "site-away", ends)
        }
        E::ThresholdMissed => {
            let ends = Some((E::ThresholdRegained, "s3:Replication:OperationReplicatedAfterThreshold"));
            ("s3:Replication:OperationMissedThreshold", "lag-threshold", 1, "lag", ends)
        }
        E::RetentionBegun => {
            let ends = Some((E::RetentionEnded, "io.twinlog.retention.regained"));
            ("io.twinlog.retention.half-used", "half-used", 1, "retention", ends)
        }
        E::Vanished => ("io.twinlog.versions.vanished", "vanished", 3, "vanished-versions", None),
        E::RecordsLost => ("io.twinlog.log.records-lost", "records-lost", 4, "records-lost", None),
        E::TopicRecreated => ("io.twinlog.log.records-lost", "topic-recreated", 4, "records-lost", None),
        E::TopicGone => ("io.twinlog.hold.begun", "topic-gone", 1, "topic-gone", None),
        E::PartitionsChanged => {
            let word = "io.twinlog.log.partitions-changed";
            (word, word, 1, "other-events", None)
        }
        E::ConflictDecided => ("io.twinlog.conflict.decided", "tags", 1, "conflicts", None),
        E::HoldEnded | E::BreakerClosed | E::ThresholdRegained | E::RetentionEnded => return None,
        E::ReplicationFailed | E::Recovered => return None,
    };
    Some(Expected { kind, reason, count, runbook, ends })
}

async fn tell(world: &World, kind: EventType) {
    let (id, now, data) = (world.ids.event_id(), world.clock.now_ns(), data(kind).unwrap());
    world.tell().tell(CloudEvent::new(kind, id, &site("west"), "east>west/photos", now, &data).unwrap()).await;
    sleep(Duration::from_secs(15)).await;
}

/// Guarantee: of every kind of event people are told once, under its reason and with a page of the runbook, and of its end
/// where an event says so.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn every_kind_of_event_is_told() {
    for (begins, expected) in EventType::ALL.into_iter().filter_map(|kind| Some((kind, expected(kind)?))) {
        let world = World::new().await;
        let notifier = world.start();
        tell(&world, begins).await;
        let told = world.told();
        assert_eq!(told.len(), 1, "{begins:?}: {told:?}");
        let about: NotificationTold = serde_json::from_value(told[0].data.clone()).unwrap();
        assert_eq!(
            (told[0].kind.as_str(), about.reason.as_str(), about.count),
            (expected.kind, expected.reason, expected.count)
        );
        assert_eq!(about.runbook, format!("https://runbook.example#{}", expected.runbook));
        assert!(told[0].subject.starts_with("east>west") && !about.message.is_empty(), "{told:?}");
        if let Some((ends, over)) = expected.ends {
            tell(&world, ends).await;
            assert_eq!(world.told().iter().filter(|event| event.kind == over).count(), 1, "{:?}", world.told());
        }
        notifier.abort();
    }
}
