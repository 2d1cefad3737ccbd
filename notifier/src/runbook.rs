//! Where `docs/runbook.md` speaks of a subject.

use crate::subject::{Kind, Subject};

/// The section, as its heading is: a hold's reason, else the kind.
#[must_use]
pub fn section(subject: &Subject) -> &str {
    match subject.kind {
        Kind::Hold => &subject.reason,
        kind => of_kind(kind),
    }
}

/// The section of a kind that is no hold.
#[must_use]
pub const fn of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Hold => "holds",
        Kind::Breaker => "site-away",
        Kind::DeadLetters => "dead-letters",
        Kind::Lag => "lag",
        Kind::Vanished => "vanished-versions",
        Kind::RecordsLost => "records-lost",
        Kind::Retention => "retention",
        Kind::Conflict => "conflicts",
        Kind::Other => "other-events",
    }
}

/// The link to the section, below the configured address of the runbook.
#[must_use]
pub fn link(base: &str, subject: &Subject) -> String {
    format!("{base}#{}", section(subject))
}

#[cfg(test)]
mod tests {
    use twinlog_control::{DirtyBucket, Reason, Stuck, TopicGone};

    use super::*;

    const RUNBOOK: &str = include_str!("../../docs/runbook.md");

    /// Guarantees: whatever links to the runbook finds a section that says what it means, how to look and what to do.
    #[test]
    fn every_alert_and_reason_has_its_section() {
        let reasons = Reason::ALL.iter().map(|reason| reason.as_str()).chain([
            Stuck::REASON,
            DirtyBucket::REASON,
            TopicGone::REASON,
        ]);
        let sections = Kind::ALL.into_iter().map(of_kind).chain(reasons);
        for name in sections {
            let begins = RUNBOOK.find(&format!("\n### {name}\n"));
            let Some(rest) = begins.map(|at| &RUNBOOK[at + 4..]) else {
                panic!("docs/runbook.md has no section {name}")
            };
            let text = &rest[..rest.find("\n##").unwrap_or(rest.len())];
            for part in ["**Means.**", "**Look.**", "**Do.**"] {
                assert!(text.contains(part), "{name} lacks {part}");
            }
        }
        for alert in Kind::ALL.into_iter().filter_map(Kind::alert) {
            assert!(RUNBOOK.contains(&format!("Alert `{alert}`")), "docs/runbook.md does not speak of {alert}");
        }
    }

    #[test]
    fn a_hold_links_to_its_reason() {
        let subject =
            Subject { kind: Kind::Hold, source: "east".into(), bucket: "photos".into(), reason: "delete-storm".into() };
        assert_eq!(link("https://runbook.example/r.md", &subject), "https://runbook.example/r.md#delete-storm");
    }
}
