//! One alert, in the form of Alertmanager's v2 API.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlog_control::Standing;
use twinlog_schemas::SiteName;

use crate::message::{Wording, remedy};
use crate::runbook;
use crate::subject::{Kind, Subject};

/// An alert: its labels say which it is, whoever sends it and however often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    labels: BTreeMap<&'static str, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
}

impl Alert {
    /// The alert of what stands, or stood, until `ends_ms`; nothing for what is no alert.
    pub(super) fn of(
        here: &SiteName,
        wording: &Wording,
        subject: &Subject,
        standing: &Standing,
        ends_ms: i64,
    ) -> Option<Self> {
        let name = subject.kind.alert()?;
        let labels = BTreeMap::from([
            ("alertname", name.to_owned()),
            ("site", here.to_string()),
            ("link", subject.link(here)),
            ("bucket", subject.bucket.clone()),
            ("reason", subject.reason.clone()),
            ("severity", severity(subject).to_owned()),
        ]);
        let annotations = BTreeMap::from([
            ("summary", summary(here, subject)),
            ("description", wording.standing(subject, &standing.message, standing.count)),
            ("remedy", remedy(subject, &standing.remedy)),
            ("runbook_url", runbook::link(&wording.runbook, subject)),
        ]);
        // One without a value is none to Alertmanager.
        let said = |(_, value): &(&'static str, String)| !value.is_empty();
        let labels = labels.into_iter().filter(said).collect();
        let annotations = annotations.into_iter().filter(said).collect();
        Some(Self { labels, annotations, starts_at: text(standing.since_us / 1_000), ends_at: text(ends_ms) })
    }
}

/// What needs a person now, and what can wait for the morning. A pause was a person's wish.
fn severity(subject: &Subject) -> &'static str {
    match subject.kind {
        Kind::Hold if subject.reason == "paused" => "info",
        Kind::Hold | Kind::Vanished | Kind::RecordsLost | Kind::Retention => "critical",
        Kind::Breaker | Kind::DeadLetters | Kind::Lag | Kind::Conflict | Kind::Other => "warning",
    }
}

fn summary(here: &SiteName, subject: &Subject) -> String {
    let (text, reason) = (subject.text(here), &subject.reason);
    match subject.kind {
        Kind::Hold => format!("{text} is held: {reason}"),
        Kind::Breaker => format!("{text} waits for {reason}"),
        Kind::DeadLetters => format!("{text}: changes became dead letters: {reason}"),
        Kind::Lag => format!("{text}: replication lags behind its threshold"),
        Kind::Vanished => format!("{text}: versions are on one side only"),
        Kind::RecordsLost => format!("{text}: records of the log are gone unread: {reason}"),
        Kind::Retention => format!("{text}: half of the retention of what waits is used up"),
        Kind::Conflict | Kind::Other => format!("{text}: {reason}"),
    }
}

fn text(ms: i64) -> String {
    let at =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_alert_is_as_the_api_wants_it() {
        let wording = Wording { keys: true, runbook: "https://runbook.example".into() };
        let here = SiteName::new("west").unwrap();
        let subject =
            Subject { kind: Kind::Hold, source: "east".into(), bucket: String::new(), reason: "credentials".into() };
        let standing = Standing { since_us: 1_500_000, message: "refused".into(), ..Standing::default() };
        let alert = Alert::of(&here, &wording, &subject, &standing, 61_000).unwrap();
        let json = serde_json::to_value(alert).unwrap();
        assert_eq!(json["startsAt"], "1970-01-01T00:00:01.5Z");
        assert_eq!(json["endsAt"], "1970-01-01T00:01:01Z");
        assert_eq!(json["labels"]["alertname"], "TwinlogHold");
        assert_eq!(json["labels"]["link"], "east>west");
        assert_eq!(json["labels"].get("bucket"), None);
        assert_eq!(json["annotations"]["runbook_url"], "https://runbook.example#credentials");
    }

    #[test]
    fn only_what_stands_is_an_alert() {
        let wording = Wording { keys: true, runbook: String::new() };
        let here = SiteName::new("west").unwrap();
        for kind in Kind::ALL {
            let subject = Subject { kind, source: "east".into(), bucket: "photos".into(), reason: "r".into() };
            let alert = Alert::of(&here, &wording, &subject, &Standing::default(), 1);
            assert_eq!(alert.is_some(), kind.ends() != crate::Ends::AtOnce, "{kind:?}");
        }
    }
}
