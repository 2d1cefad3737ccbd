//! One row about a birth: what a client writes, and what every client reads afterwards.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use twinlog_tests::server::StoreKind;

/// The bytes of a case.
#[derive(Debug, Clone)]
pub enum Body {
    /// One PUT of so many bytes.
    Whole(usize),
    /// One PUT of these bytes.
    Text(&'static str),
    /// A multipart upload with parts of these numbers and sizes.
    Parts(Vec<(i32, usize)>),
}

/// What a store answers to a client whose request it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Which store.
    pub store: StoreKind,
    /// The HTTP status.
    pub status: u16,
    /// The error code.
    pub code: &'static str,
}

/// What a client is to read of one attribute, by the names of [`twinlog_tests::compare::describe`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// This value.
    Value(String),
    /// No such attribute.
    Nothing,
    /// Any value that ends so.
    Ending(String),
}

impl Shown {
    fn fits(&self, value: Option<&String>) -> bool {
        match self {
            Self::Value(wanted) => value == Some(wanted),
            Self::Nothing => value.is_none(),
            Self::Ending(end) => value.is_some_and(|value| value.ends_with(end.as_str())),
        }
    }
}

/// One row.
#[derive(Debug, Clone)]
pub struct Case {
    /// `noun/name`: unique, and what a failure is told by.
    pub name: String,
    /// The object's key, after the site's name and a slash.
    pub key: String,
    /// Its bytes.
    pub body: Body,
    /// Header lines as the client sends them.
    pub headers: Vec<(String, String)>,
    /// The checksum that the client sends along.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    /// What is read at both sites.
    pub shows: BTreeMap<String, Shown>,
    /// Stores that refuse it.
    pub refusals: Vec<Refusal>,
}

/// A row of this noun and name: a small object without anything.
pub fn case(noun: &str, name: &str) -> Case {
    let name = format!("{noun}/{name}");
    Case {
        key: name.clone(),
        name,
        body: Body::Whole(100),
        headers: Vec::new(),
        checksum: None,
        shows: BTreeMap::new(),
        refusals: Vec::new(),
    }
}

impl Case {
    /// With these bytes.
    pub fn body(self, body: Body) -> Self {
        Self { body, ..self }
    }

    /// Under this key.
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: key.into(), ..self }
    }

    /// The client sends this header; nothing is said of what it becomes.
    pub fn sends(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The client sends this content header, and it is read verbatim.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.sends(name, value).shows(name, value)
    }

    /// The client sends this user metadata, and it is read verbatim.
    pub fn metadata(self, name: &str, value: &str) -> Self {
        self.sends(&format!("x-amz-meta-{name}"), value).shows(&format!("metadata {name}"), value)
    }

    /// The client sends these tags with the object.
    pub fn tags(self, tags: &[(String, String)]) -> Self {
        let form = |text: &str| percent_encoding(text);
        let pairs: Vec<String> = tags.iter().map(|(key, value)| format!("{}={}", form(key), form(value))).collect();
        self.sends("x-amz-tagging", pairs.join("&")).tagged(tags)
    }

    /// These tags are read.
    pub fn tagged(mut self, tags: &[(String, String)]) -> Self {
        for (key, value) in tags {
            self = self.shows(&format!("tag {key}"), value);
        }
        self
    }

    /// The client sends a checksum along.
    pub fn checksum(self, algorithm: ChecksumAlgorithm, kind: ChecksumType) -> Self {
        Self { checksum: Some((algorithm, kind)), ..self }
    }

    /// An attribute with its value.
    pub fn shows(self, attribute: &str, value: impl Into<String>) -> Self {
        self.shown(attribute, Shown::Value(value.into()))
    }

    /// An attribute that is not there.
    pub fn lacks(self, attribute: &str) -> Self {
        self.shown(attribute, Shown::Nothing)
    }

    /// An attribute.
    pub fn shown(mut self, attribute: &str, shown: Shown) -> Self {
        self.shows.insert(attribute.to_owned(), shown);
        self
    }

    /// This store refuses it, with this answer.
    pub fn refused(mut self, store: StoreKind, status: u16, code: &'static str) -> Self {
        self.refusals.push(Refusal { store, status, code });
        self
    }

    /// Every store refuses it, with this answer.
    pub fn refused_everywhere(self, status: u16, code: &'static str) -> Self {
        StoreKind::ALL.into_iter().fold(self, |case, store| case.refused(store, status, code))
    }

    /// How this store refuses it, if it does.
    pub fn refusal(&self, store: StoreKind) -> Option<Refusal> {
        self.refusals.iter().copied().find(|refusal| refusal.store == store)
    }
}

/// What of this is not as it should be, one sentence each.
pub fn faults(wanted: &BTreeMap<String, Shown>, attributes: &BTreeMap<String, String>) -> Vec<String> {
    let wrong = wanted.iter().filter(|(name, shown)| !shown.fits(attributes.get(*name)));
    wrong.map(|(name, shown)| format!("{name} is {:?}, wanted {shown:?}", attributes.get(name))).collect()
}

/// Every byte but letters and digits as `%XX`.
fn percent_encoding(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(byte).collect()
}
