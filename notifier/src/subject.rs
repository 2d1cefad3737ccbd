//! What notifications are about: the groups that events and dead letters are gathered in.

use twinlog_control::StandingKey;
use twinlog_schemas::SiteName;

/// What kind of thing a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Something is held.
    Hold,
    /// An end of a link does not answer, or lets nothing succeed.
    Breaker,
    /// Changes cannot be applied.
    DeadLetters,
    /// A bucket's oldest waiting change is older than the link's threshold.
    Lag,
    /// Versions are on one side only, and nothing says why.
    Vanished,
    /// The log deleted records that nobody had read.
    RecordsLost,
    /// Half of a change topic's retention is used up by what waits.
    Retention,
    /// Sites changed the same thing, and a rule decided.
    Conflict,
    /// An event of a type that the notifier knows nothing of: passed on.
    Other,
}

/// How a subject of a kind comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// An event says so.
    ByWord,
    /// Nothing more has come for a while.
    ByQuiet,
    /// It has no end: each is told, and that is it.
    AtOnce,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Hold,
        Self::Breaker,
        Self::DeadLetters,
        Self::Lag,
        Self::Vanished,
        Self::RecordsLost,
        Self::Retention,
        Self::Conflict,
        Self::Other,
    ];

    /// The word, in metrics and in the control topic.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Breaker => "breaker",
            Self::DeadLetters => "dead-letters",
            Self::Lag => "lag",
            Self::Vanished => "vanished",
            Self::RecordsLost => "records-lost",
            Self::Retention => "retention",
            Self::Conflict => "conflict",
            Self::Other => "other",
        }
    }

    /// How it ends.
    #[must_use]
    pub const fn ends(self) -> Ends {
        match self {
            Self::Hold | Self::Breaker | Self::Lag | Self::Retention => Ends::ByWord,
            Self::DeadLetters | Self::Vanished | Self::RecordsLost => Ends::ByQuiet,
            Self::Conflict | Self::Other => Ends::AtOnce,
        }
    }

    /// The alert's name; `None` for what is no alert.
    #[must_use]
    pub const fn alert(self) -> Option<&'static str> {
        match self {
            Self::Hold => Some("TwinlogHold"),
            Self::Breaker => Some("TwinlogSiteAway"),
            Self::DeadLetters => Some("TwinlogDeadLetters"),
            Self::Lag => Some("TwinlogLag"),
            Self::Vanished => Some("TwinlogVanished"),
            Self::RecordsLost => Some("TwinlogRecordsLost"),
            Self::Retention => Some("TwinlogRetention"),
            Self::Conflict | Self::Other => None,
        }
    }
}

/// A group: everything of one kind, link, bucket and reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// What kind.
    pub kind: Kind,
    /// The source of the link into the notifier's site, or that site itself; empty where nothing says which.
    pub source: String,
    /// The bucket; empty where it is a whole link, or nothing says which.
    pub bucket: String,
    /// The reason's word; of a breaker the site that does not answer, of [`Kind::Other`] the event's type.
    pub reason: String,
}

impl Subject {
    /// The link, as metrics and labels have it; `east>*` for what is at east itself, and concerns whatever leads out of it.
    #[must_use]
    pub fn link(&self, here: &SiteName) -> String {
        if self.source == here.as_str() {
            return format!("{here}>*");
        }
        format!("{}>{here}", if self.source.is_empty() { "?" } else { &self.source })
    }

    /// The CloudEvent's subject: `east>west/bucket`, or the link.
    #[must_use]
    pub fn text(&self, here: &SiteName) -> String {
        let link = self.link(here);
        if self.bucket.is_empty() { link } else { format!("{link}/{}", self.bucket) }
    }

    /// Under what it stands in the control topic. Words from records of other makes may have a `/`, keys may not.
    #[must_use]
    pub fn standing_key(&self) -> StandingKey {
        let word = |word: &str| word.replace('/', "|");
        StandingKey {
            kind: self.kind.word().to_owned(),
            source: word(&self.source),
            bucket: word(&self.bucket),
            reason: word(&self.reason),
        }
    }

    /// The subject of a record of the control topic; `None` for a kind of a newer release.
    #[must_use]
    pub fn of(key: StandingKey) -> Option<Self> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == key.kind)?;
        Some(Self { kind, source: key.source, bucket: key.bucket, reason: key.reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_found_again_by_what_stands() {
        for kind in Kind::ALL {
            let subject = Subject { kind, source: "east".into(), bucket: String::new(), reason: "digest".into() };
            assert_eq!(Subject::of(subject.standing_key()), Some(subject));
        }
        let newer =
            StandingKey { kind: "moon".into(), source: String::new(), bucket: String::new(), reason: "x".into() };
        assert_eq!(Subject::of(newer), None);
    }
}
