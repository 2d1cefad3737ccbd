//! One row about a change: a birth, what clients do to the version in two steps, and how it ends at both sites.

use std::collections::BTreeMap;

use super::{
    case::{Case, Shown},
    deed::Deed,
};

/// How a key ends, at both sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The version is there, and shows these.
    There(BTreeMap<String, Shown>),
    /// The version is gone.
    Gone,
    /// The version is there, under a marker that is the latest.
    Marked,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Story {
    /// The birth, with the row's name.
    pub case: Case,
    /// What is done once the birth has crossed, and once that has crossed.
    pub deeds: [Option<Deed>; 2],
    /// How the version ends.
    pub end: End,
    /// Siblings that come to be by copying, by the ends of their keys, and what their latest versions show.
    pub siblings: Vec<(&'static str, BTreeMap<String, Shown>)>,
}

/// A row about what becomes of this case.
pub fn story(case: Case) -> Story {
    Story { case, deeds: [None, None], end: End::There(BTreeMap::new()), siblings: Vec::new() }
}

impl Story {
    /// What is done first.
    pub fn first(mut self, deed: Deed) -> Self {
        self.deeds[0] = Some(deed);
        self
    }

    /// What is done then.
    pub fn second(mut self, deed: Deed) -> Self {
        self.deeds[1] = Some(deed);
        self
    }

    /// The version ends with this attribute.
    pub fn shows(self, attribute: &str, value: impl Into<String>) -> Self {
        self.shown(attribute, Shown::Value(value.into()))
    }

    /// The version ends without this attribute.
    pub fn lacks(self, attribute: &str) -> Self {
        self.shown(attribute, Shown::Nothing)
    }

    /// The version ends with these tags.
    pub fn ends_with_tags(self, tags: &[(String, String)]) -> Self {
        tags.iter().fold(self, |story, (key, value)| story.shows(&format!("tag {key}"), value))
    }

    /// The version is gone in the end.
    pub fn gone(self) -> Self {
        Self { end: End::Gone, ..self }
    }

    /// The version stands under a marker in the end.
    pub fn marked(self) -> Self {
        Self { end: End::Marked, ..self }
    }

    /// A sibling's latest version shows these in the end.
    pub fn sibling(mut self, end: &'static str, shows: &[(&str, Option<&str>)]) -> Self {
        let shown = |value: &Option<&str>| value.map_or(Shown::Nothing, |value| Shown::Value(value.to_owned()));
        self.siblings.push((end, shows.iter().map(|(name, value)| ((*name).to_owned(), shown(value))).collect()));
        self
    }

    fn shown(mut self, attribute: &str, shown: Shown) -> Self {
        if let End::There(shows) = &mut self.end {
            shows.insert(attribute.to_owned(), shown);
        }
        self
    }
}
