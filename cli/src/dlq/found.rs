//! A letter with what became of it, and whether it is one of those meant. Pure.

use std::collections::BTreeSet;

use twinlog_dead::{Content, History, Letter, State};
use twinlog_log::Position;
use twinlog_schemas::{BucketName, SiteName, VersionId};

use super::args::{Filter, Place, StateChoice};

/// A letter, and what is on record of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The site into which the record could not be applied.
    pub into: SiteName,
    /// The letter.
    pub letter: Letter,
    /// What its record says.
    pub content: Content,
    /// What was said of the letter.
    pub history: Option<History>,
}

impl Found {
    /// Its state; `None` is open.
    pub fn state(&self) -> Option<State> {
        self.history.as_ref().and_then(History::state)
    }

    /// `east>west`; `?>west` where nobody knows the source.
    pub fn link(&self) -> String {
        let source = self.letter.source.as_ref().map_or("?", SiteName::as_str);
        format!("{source}>{}", self.into)
    }

    /// The object key, where it is known: of a record that cannot be read, from the record's own key.
    pub fn key(&self) -> Option<String> {
        if let Some(version) = self.content.version() {
            return Some(version.key.as_str().to_owned());
        }
        let bucket = self.letter.bucket.as_ref()?;
        let key = String::from_utf8_lossy(self.letter.key.as_deref()?).into_owned();
        Some(key.strip_prefix(bucket.as_str())?.strip_prefix('/')?.to_owned())
    }

    /// The version id, where the record can be read.
    pub fn version_id(&self) -> Option<VersionId> {
        self.content.version().map(|version| version.version_id)
    }
}

/// Which letters are meant.
#[derive(Debug, Clone)]
pub struct Choice {
    filter: Filter,
    letters: BTreeSet<Position>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    state: StateChoice,
}

impl Choice {
    /// Those that fit `filter`, and are named if any is.
    pub fn new(filter: Filter, letters: &[Place], now_ms: i64) -> Self {
        let state = if letters.is_empty() { StateChoice::Open } else { StateChoice::All };
        Self {
            since_ms: filter.since.map(|moment| moment.ms(now_ms)),
            until_ms: filter.until.map(|moment| moment.ms(now_ms)),
            state: filter.state.unwrap_or(state),
            letters: letters.iter().map(|place| place.0.clone()).collect(),
            filter,
        }
    }

    /// The one letter of this name, of each site.
    pub fn one(letter: &Place, into: Option<SiteName>) -> Self {
        Self::new(Filter { into, ..Filter::default() }, std::slice::from_ref(letter), 0)
    }

    /// Whether letters of this site may be meant.
    pub fn may_be_into(&self, site: &SiteName) -> bool {
        self.filter.into.as_ref().is_none_or(|into| into == site)
    }

    /// How many at most.
    pub fn limit(&self) -> usize {
        self.filter.limit.unwrap_or(usize::MAX)
    }

    /// The one letter that is named, if it is one.
    pub fn only(&self) -> Option<&Position> {
        self.letters.first().filter(|_| self.letters.len() == 1)
    }

    /// Those that are named, each of which should be found at some site.
    pub fn named(&self) -> impl Iterator<Item = &Position> {
        self.letters.iter()
    }

    /// Whether this letter is meant.
    pub fn fits(&self, found: &Found) -> bool {
        let Filter { into, from, bucket, prefix, reason, .. } = &self.filter;
        let letter = &found.letter;
        let is = |wanted: &Option<SiteName>, site: Option<&SiteName>| wanted.is_none() || wanted.as_ref() == site;
        let in_bucket = |wanted: &BucketName| letter.bucket.as_ref() == Some(wanted);
        let begins = |prefix: &String| found.key().is_some_and(|key| key.starts_with(prefix));
        is(into, Some(&found.into))
            && is(from, letter.source.as_ref())
            && bucket.as_ref().is_none_or(in_bucket)
            && reason.as_ref().is_none_or(|reason| letter.reason == *reason)
            && self.since_ms.is_none_or(|since| since <= letter.at_ms)
            && self.until_ms.is_none_or(|until| letter.at_ms < until)
            && self.state.fits(found.state())
            && (self.letters.is_empty() || self.letters.contains(&letter.cause.at))
            && prefix.as_ref().is_none_or(begins)
    }
}
