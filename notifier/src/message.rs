//! Putting what is told into words: a CloudEvent.

use twinlog_control::Sweep;
use twinlog_schemas::{CloudEvent, EventType, ExampleTold, NotificationTold, SiteName};

use crate::runbook;
use crate::subject::{Ends, Kind, Subject};
use crate::windows::{Telling, Tells};

/// How notifications are worded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wording {
    /// Whether object keys, and error messages, which may name some, go out.
    pub keys: bool,
    /// Where the runbook is.
    pub runbook: String,
}

impl Wording {
    /// The notification.
    pub(crate) fn event(
        &self,
        here: &SiteName,
        subject: &Subject,
        telling: &Telling,
        now_ns: i64,
    ) -> Result<CloudEvent, serde_json::Error> {
        let told = NotificationTold {
            source_site: subject.source.clone(),
            target_site: here.to_string(),
            bucket: Some(subject.bucket.clone()).filter(|bucket| !bucket.is_empty()),
            reason: subject.reason.clone(),
            failure_reason: telling.said.failure_reason.map(str::to_owned),
            count: telling.count,
            total: telling.total,
            examples: telling.examples.iter().map(|example| self.example(example)).collect(),
            message: self.message(subject, telling),
            remedy: remedy(subject, &telling.said.remedy),
            runbook: runbook::link(&self.runbook, subject),
            since_us: telling.since_us,
        };
        let text = subject.text(here);
        let kind = event_type(subject.kind, telling.tells);
        let event = CloudEvent::new(kind.unwrap_or(EventType::Recovered), telling.id, here, text, now_ns, &told)?;
        let event = event.by_notifier(here);
        // An event of a type that is not known keeps it.
        Ok(if kind.is_none() { CloudEvent { kind: subject.reason.clone(), ..event } } else { event })
    }

    fn example(&self, example: &ExampleTold) -> ExampleTold {
        if self.keys { example.clone() } else { ExampleTold { key: None, message: None, ..example.clone() } }
    }

    fn message(&self, subject: &Subject, telling: &Telling) -> String {
        let said = if self.keys { telling.said.message.as_str() } else { "" };
        let (reason, count) = (&subject.reason, telling.count);
        match (subject.kind, telling.tells) {
            (Kind::DeadLetters, Tells::Begun) => format!("{count} changes could not be applied: {reason}"),
            (Kind::Vanished, Tells::Begun) => format!("{count} versions are on one side only: {said}"),
            (Kind::Conflict, _) => format!("{count} conflicts were decided; {said}"),
            (kind, Tells::Over) if kind.ends() == Ends::ByQuiet => {
                format!("no more of it for a while; {} in all: {reason}", telling.total)
            }
            (Kind::Breaker, Tells::Over) => format!("{reason} works again"),
            (_, Tells::Over) if said.is_empty() => format!("it is over: {reason}"),
            (Kind::Hold, Tells::Over) => format!("it goes on; it was held: {said}"),
            _ if said.is_empty() => reason.clone(),
            _ => said.to_owned(),
        }
    }

    /// The words of what stands, for an alert.
    pub(crate) fn standing(&self, subject: &Subject, message: &str, count: u64) -> String {
        match subject.kind {
            Kind::DeadLetters => format!("{count} changes could not be applied: {}", subject.reason),
            Kind::Vanished => format!("{count} versions are on one side only"),
            _ if self.keys && !message.is_empty() => message.to_owned(),
            _ => subject.reason.clone(),
        }
    }
}

/// What a person can do, where the event does not say.
pub(crate) fn remedy(subject: &Subject, said: &str) -> String {
    let default = match subject.kind {
        Kind::DeadLetters => "mend the reason, then replay them: `twinlog dlq list`, `twinlog dlq replay`",
        Kind::Vanished => "find out whether they were removed, then sweep with leave to create, or to remove",
        Kind::RecordsLost => Sweep::REMEDY,
        Kind::Retention => "find out why it waits, or raise the topic's retention with Kafka's tools",
        _ => "",
    };
    if said.is_empty() { default.to_owned() } else { said.to_owned() }
}

/// The type; `None` where the subject's reason is one.
fn event_type(kind: Kind, tells: Tells) -> Option<EventType> {
    Some(match (kind, tells) {
        (Kind::Hold, Tells::Begun) => EventType::HoldBegun,
        (Kind::Hold, Tells::Over) => EventType::HoldEnded,
        (Kind::Breaker, Tells::Begun) => EventType::BreakerOpened,
        (Kind::Breaker, Tells::Over) => EventType::BreakerClosed,
        (Kind::DeadLetters, Tells::Begun) => EventType::ReplicationFailed,
        (Kind::Lag, Tells::Begun) => EventType::ThresholdMissed,
        (Kind::Lag, Tells::Over) => EventType::ThresholdRegained,
        (Kind::Vanished, Tells::Begun) => EventType::Vanished,
        (Kind::RecordsLost, Tells::Begun) => EventType::RecordsLost,
        (Kind::DeadLetters | Kind::Vanished | Kind::RecordsLost, Tells::Over) => EventType::Recovered,
        (Kind::Retention, Tells::Begun) => EventType::RetentionBegun,
        (Kind::Retention, Tells::Over) => EventType::RetentionEnded,
        (Kind::Conflict, _) => EventType::ConflictDecided,
        (Kind::Other, _) => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use twinlog_schemas::EventId;

    use super::*;
    use crate::signal::Said;

    fn telling(tells: Tells) -> Telling {
        let example = ExampleTold { at: "t/0/7".into(), key: Some("secret-plans".into()), message: Some("k".into()) };
        let said = Said { message: "secret-plans: refused".into(), ..Said::default() };
        let id = EventId::new(1, [1; 10]);
        Telling { id, tells, count: 10_000, total: 10_500, since_us: 7, said, examples: vec![example] }
    }

    fn event(kind: Kind, tells: Tells, keys: bool) -> CloudEvent {
        let wording = Wording { keys, runbook: "https://runbook.example/".into() };
        let subject =
            Subject { kind, source: "east".into(), bucket: "photos".into(), reason: "io.twinlog.other".into() };
        wording.event(&SiteName::new("west").unwrap(), &subject, &telling(tells), 1).unwrap()
    }

    #[test]
    fn keys_go_out_only_where_they_may() {
        for kind in Kind::ALL {
            for tells in [Tells::Begun, Tells::Over] {
                let json = String::from_utf8(event(kind, tells, false).to_json().unwrap()).unwrap();
                assert!(!json.contains("secret-plans"), "{json}");
            }
        }
        let json = event(Kind::DeadLetters, Tells::Begun, true).to_json().unwrap();
        assert!(String::from_utf8(json).unwrap().contains("secret-plans"));
    }

    #[test]
    fn types_are_those_of_what_is_told() {
        assert_eq!(event(Kind::DeadLetters, Tells::Begun, true).kind, "s3:Replication:OperationFailedReplication");
        assert_eq!(event(Kind::DeadLetters, Tells::Over, true).kind, "io.twinlog.recovered");
        assert_eq!(event(Kind::Lag, Tells::Over, true).kind, "s3:Replication:OperationReplicatedAfterThreshold");
        assert_eq!(event(Kind::Other, Tells::Begun, true).kind, "io.twinlog.other");
        let hold = event(Kind::Hold, Tells::Begun, true);
        assert_eq!((hold.source.as_str(), hold.subject.as_str()), ("/twinlog/west/notifier", "east>west/photos"));
        let told: NotificationTold = serde_json::from_value(hold.data).unwrap();
        assert_eq!((told.count, told.runbook.as_str()), (10_000, "https://runbook.example/#io.twinlog.other"));
    }
}
