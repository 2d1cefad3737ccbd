//! Understanding the events of a site's events topic.

use serde::de::DeserializeOwned;
use twinlog_control::TopicGone;
use twinlog_schemas::{
    BreakerTold, CloudEvent, ConflictTold, EventType, HoldTold, LogTold, RetentionTold, ThresholdTold, VanishedTold,
};

use crate::s3_reason;
use crate::signal::{Change, Said, Signal};
use crate::subject::{Kind, Subject};

/// What an event says. One whose data is not what its type promises is passed on as [`Kind::Other`].
pub(crate) fn signal(event: &CloudEvent, at_ms: i64) -> Signal {
    known(event, at_ms).unwrap_or_else(|| other(event, at_ms))
}

fn known(event: &CloudEvent, at_ms: i64) -> Option<Signal> {
    let signal = |kind, change, (source, bucket, reason): (String, String, String), count, said| {
        Some(Signal { subject: Subject { kind, source, bucket, reason }, change, at_ms, count, said })
    };
    match event.event_type()? {
        kind @ (EventType::HoldBegun | EventType::HoldEnded) => {
            let HoldTold { source_site, bucket, reason, message, remedy, since_us, .. } = data(event)?;
            let change = if kind == EventType::HoldBegun { Change::Begun } else { Change::Over };
            let failure_reason = s3_reason::of_hold(&reason);
            let said = Said { message, remedy, since_us: Some(since_us), failure_reason, example: None };
            signal(Kind::Hold, change, (source_site, bucket.unwrap_or_default(), reason), 1, said)
        }
        kind @ (EventType::BreakerOpened | EventType::BreakerClosed) => {
            let BreakerTold { source_site, away, message, since_us, .. } = data(event)?;
            let opened = kind == EventType::BreakerOpened;
            let change = if opened { Change::Begun } else { Change::Over };
            // A breaker that closes says when it closed.
            let since_us = opened.then_some(since_us);
            let remedy = format!("look at {away} and the way to it; what waits goes on by itself once it works");
            let said = Said { message, remedy, since_us, ..Said::default() };
            signal(Kind::Breaker, change, (source_site, String::new(), away), 1, said)
        }
        kind @ (EventType::ThresholdMissed | EventType::ThresholdRegained) => {
            let ThresholdTold { source_site, bucket, threshold_seconds, oldest_seconds, waiting, .. } = data(event)?;
            let change = if kind == EventType::ThresholdMissed { Change::Begun } else { Change::Over };
            let message = format!(
                "{waiting} changes wait, the oldest for {oldest_seconds} s; the threshold is {threshold_seconds} s"
            );
            let remedy =
                "`twinlog status` says whether it is held or its site away; else give it time, or more consumers";
            let said = Said { message, remedy: remedy.to_owned(), ..Said::default() };
            signal(Kind::Lag, change, (source_site, bucket, "lag-threshold".to_owned()), 1, said)
        }
        EventType::Vanished => {
            let VanishedTold { source_site, bucket, versions, message, .. } = data(event)?;
            let said = Said { message, ..Said::default() };
            signal(Kind::Vanished, Change::Begun, (source_site, bucket, "vanished".to_owned()), versions, said)
        }
        EventType::TopicGone => {
            let LogTold { source_site, bucket, message, .. } = data(event)?;
            let of_bucket = bucket.as_deref().and_then(|bucket| bucket.parse().ok());
            let gone = TopicGone { since_us: at_ms * 1_000, source: source_site.parse().ok()?, bucket: of_bucket };
            let said = Said { message, remedy: gone.remedy().to_owned(), ..Said::default() };
            let of = (source_site, bucket.unwrap_or_default(), TopicGone::REASON.to_owned());
            signal(Kind::Hold, Change::Begun, of, 1, said)
        }
        kind @ (EventType::RecordsLost | EventType::TopicRecreated) => {
            let LogTold { source_site, bucket, records, message, .. } = data(event)?;
            let reason = if kind == EventType::RecordsLost { "records-lost" } else { "topic-recreated" };
            let count = records.and_then(|records| u64::try_from(records).ok()).unwrap_or(1);
            let of = (source_site, bucket.unwrap_or_default(), reason.to_owned());
            signal(Kind::RecordsLost, Change::Begun, of, count, Said { message, ..Said::default() })
        }
        kind @ (EventType::RetentionBegun | EventType::RetentionEnded) => {
            let RetentionTold { source_site, bucket, message, since_us, .. } = data(event)?;
            let change = if kind == EventType::RetentionBegun { Change::Begun } else { Change::Over };
            let said = Said { message, since_us: Some(since_us), ..Said::default() };
            signal(Kind::Retention, change, (source_site, bucket, "half-used".to_owned()), 1, said)
        }
        EventType::ConflictDecided => {
            let ConflictTold { bucket, category, winner, .. } = data(event)?;
            let message =
                format!("{category} was changed at two sites at once; the change made at {} holds", winner.site);
            let said = Said { message, ..Said::default() };
            signal(Kind::Conflict, Change::Begun, (winner.site, bucket, category), 1, said)
        }
        // The last two are written by notifiers alone: one of another site's on this topic is passed on.
        EventType::PartitionsChanged | EventType::ReplicationFailed | EventType::Recovered => None,
    }
}

fn data<T: DeserializeOwned>(event: &CloudEvent) -> Option<T> {
    serde_json::from_value(event.data.clone()).ok()
}

/// By the envelope alone.
fn other(event: &CloudEvent, at_ms: i64) -> Signal {
    let source = event.subject.split_once('>').map_or("", |(source, _)| source);
    let bucket = event.subject.split_once('/').map_or("", |(_, bucket)| bucket);
    let text = |name: &str| event.data.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    Signal {
        subject: Subject {
            kind: Kind::Other,
            source: source.to_owned(),
            bucket: bucket.to_owned(),
            reason: event.kind.clone(),
        },
        change: Change::Begun,
        at_ms,
        count: 1,
        said: Said { message: text("message"), remedy: text("remedy"), ..Said::default() },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(kind: &str, data: serde_json::Value) -> CloudEvent {
        CloudEvent {
            specversion: "1.0".into(),
            id: "1".into(),
            source: "/twinlog/west".into(),
            kind: kind.into(),
            subject: "east>west/photos".into(),
            time: "1970-01-01T00:00:00Z".into(),
            datacontenttype: "application/json".into(),
            data,
        }
    }

    #[test]
    fn a_hold_begins_and_ends_as_one_subject() {
        let told = json!({"source_site": "east", "target_site": "west", "bucket": "photos", "since_us": 5,
            "reason": "target-versioning-off", "message": "Suspended", "remedy": "enable it"});
        let begun = signal(&event("io.twinlog.hold.begun", told.clone()), 9);
        let ended = signal(&event("io.twinlog.hold.ended", told), 11);
        assert_eq!(begun.subject, ended.subject);
        assert_eq!((begun.change, ended.change), (Change::Begun, Change::Over));
        assert_eq!(begun.said.failure_reason, Some("DstBucketUnversioned"));
        assert_eq!((begun.subject.kind, begun.subject.source.as_str()), (Kind::Hold, "east"));
    }

    #[test]
    fn an_unknown_type_is_passed_on_by_its_envelope() {
        let told = signal(&event("io.twinlog.retention.half", json!({"message": "half of it is gone"})), 9);
        let Subject { kind, source, bucket, reason } = told.subject;
        assert_eq!((kind, source.as_str(), bucket.as_str()), (Kind::Other, "east", "photos"));
        assert_eq!((reason.as_str(), told.said.message.as_str()), ("io.twinlog.retention.half", "half of it is gone"));
    }

    proptest! {
        #[test]
        fn no_data_is_dropped(which in 0..EventType::ALL.len(), words in ".*") {
            let told = signal(&event(EventType::ALL[which].as_str(), json!({"message": words})), 9);
            prop_assert_eq!(told.subject.kind, Kind::Other);
            prop_assert_eq!(told.said.message, words);
        }
    }
}
