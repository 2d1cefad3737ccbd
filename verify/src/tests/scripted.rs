//! A side that says what it was told to say, in small pages.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Mutex;

use async_trait::async_trait;
use twinlog_schemas::{ObjectKey, VersionId, VersionKind};
use twinlog_site::{ListFrom, ListedVersion, VersionPage};

use crate::compare::{Scope, compare};
use crate::report::Report;
use crate::side::{Depth, Described, Description, Side};

pub const ALL: Depth = Depth::Bodies { up_to: u64::MAX };

/// A bucket as a list of lines, in the store's order, and what reading each tells.
pub struct Scripted {
    name: &'static str,
    page: usize,
    pub lines: Mutex<Vec<ListedVersion>>,
    pub described: Mutex<BTreeMap<VersionId, Described>>,
}

impl Scripted {
    pub fn new(name: &'static str, lines: Vec<ListedVersion>) -> Self {
        let object = |line: &ListedVersion| {
            let mut description = Description { body_read: Some(1), ..Description::default() };
            description.put("ETag", line.etag.as_ref());
            (line.version_id.clone(), Described::Object(description))
        };
        let described = lines.iter().map(object).collect();
        Self { name, page: 2, lines: Mutex::new(lines), described: Mutex::new(described) }
    }

    /// Changes what reading a version tells.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Description)) {
        let mut described = self.described.lock().unwrap();
        match described.get_mut(&VersionId::new(id).unwrap()).unwrap() {
            Described::Object(description) => change(description),
            other => panic!("{id} is {other:?}"),
        }
    }
}

#[async_trait]
impl Side for Scripted {
    type Error = Infallible;

    fn label(&self) -> &str {
        self.name
    }

    async fn page(&self, from: &ListFrom) -> Result<VersionPage, Infallible> {
        let begin: usize = from.version_marker.as_ref().map_or(0, |marker| marker.parse().unwrap());
        let lines = self.lines.lock().unwrap();
        let fitting: Vec<_> = lines.iter().filter(|line| line.key.as_str().starts_with(&from.prefix)).collect();
        let end = (begin + self.page).min(fitting.len());
        let versions = fitting[begin.min(end)..end].iter().map(|line| (*line).clone()).collect();
        let next = ListFrom { version_marker: Some(end.to_string()), ..from.clone() };
        Ok(VersionPage { versions, next: (end < fitting.len()).then_some(next) })
    }

    async fn describe(&self, version: &ListedVersion, _: Option<u64>) -> Result<Described, Infallible> {
        Ok(self.described.lock().unwrap().get(&version.version_id).cloned().unwrap_or(Described::Gone))
    }
}

pub fn line(key: &str, id: &str, modified_ms: i64) -> ListedVersion {
    ListedVersion {
        key: ObjectKey::new(key).unwrap(),
        version_id: VersionId::new(id).unwrap(),
        kind: VersionKind::Object,
        modified_ms,
        is_latest: false,
        etag: Some("e".to_owned()),
        size: Some(1),
    }
}

pub async fn compared(left: &Scripted, right: &Scripted, depth: Depth) -> Report {
    compare([left, right], &Scope { prefix: String::new(), depth }).await.unwrap()
}

/// The differences in words.
pub fn told(report: &Report) -> Vec<String> {
    report.differences.iter().map(|difference| difference.told("east", "west").to_string()).collect()
}
