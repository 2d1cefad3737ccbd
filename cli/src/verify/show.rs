//! What came out of a comparison, for people and for machines.

use std::collections::BTreeMap;

use serde::Serialize;
use twinlog_schemas::VersionId;
use twinlog_verify::{Difference, Report, Tie};

use crate::exit::Failure;
use crate::show::shown;

use super::pairs::Pair;

/// One bucket at two sites.
pub struct Verdict<'a> {
    pair: &'a Pair,
    report: &'a Report,
}

/// The verdict as JSON, one line each.
#[derive(Serialize)]
struct Line<'a> {
    bucket: &'a str,
    sites: [&'a str; 2],
    equal: bool,
    versions: u64,
    body_bytes: u64,
    ties: u64,
    tied: Vec<TieLine<'a>>,
    differing: u64,
    differences: Vec<DifferenceLine<'a>>,
}

#[derive(Serialize)]
struct TieLine<'a> {
    key: &'a str,
    modified_ms: i64,
    /// The versions in their order, by site.
    orders: BTreeMap<&'a str, &'a [VersionId]>,
}

#[derive(Serialize)]
struct DifferenceLine<'a> {
    key: &'a str,
    version_id: Option<&'a str>,
    what: &'a str,
    /// By site; null where there is none.
    values: BTreeMap<&'a str, Option<&'a str>>,
}

impl<'a> Verdict<'a> {
    /// What `report` says of the pair.
    pub fn new(pair: &'a Pair, report: &'a Report) -> Self {
        Self { pair, report }
    }

    /// One line of JSON.
    pub fn json(&self) -> Result<String, Failure> {
        let Pair { bucket, left, right } = self.pair;
        let difference = |of: &'a Difference| DifferenceLine {
            key: of.key.as_str(),
            version_id: of.version_id.as_ref().map(VersionId::as_str),
            what: &of.what,
            values: [(left.as_str(), of.left.as_deref()), (right.as_str(), of.right.as_deref())].into(),
        };
        let tie = |of: &'a Tie| TieLine {
            key: of.key.as_str(),
            modified_ms: of.modified_ms,
            orders: [(left.as_str(), of.left.as_slice()), (right.as_str(), of.right.as_slice())].into(),
        };
        let line = Line {
            bucket: bucket.as_str(),
            sites: [left.as_str(), right.as_str()],
            equal: self.report.equal(),
            versions: self.report.versions,
            body_bytes: self.report.bytes,
            ties: self.report.ties,
            tied: self.report.tied.iter().map(tie).collect(),
            differing: self.report.differing,
            differences: self.report.differences.iter().map(difference).collect(),
        };
        serde_json::to_string(&line).map_err(|error| Failure::internal(error.to_string()))
    }

    /// A line, and a table of the differences where there are any.
    pub fn text(&self) -> String {
        let Pair { bucket, left, right } = self.pair;
        let Report { versions, bytes, ties, differing, differences, .. } = self.report;
        let word = if self.report.equal() { "equal" } else { "DIFFERENT" };
        let mut text = format!("bucket {bucket}: {left} and {right} are {word}: {versions} versions compared");
        if *bytes > 0 {
            text.push_str(&format!(", {bytes} bytes of bodies"));
        }
        if *ties > 0 {
            text.push_str(&format!(", {ties} times another order of versions whose times tie across the sites"));
        }
        if *differing == 0 {
            return text + "\n" + &self.tied();
        }
        text.push_str(&format!(", {differing} differences\n"));
        text.push_str(&self.tied());
        text.push_str(&self.table());
        match differing - differences.len() as u64 {
            0 => text,
            more => text + &format!("and {more} more\n"),
        }
    }

    /// A line for each tie.
    fn tied(&self) -> String {
        let Pair { left, right, .. } = self.pair;
        let ids = |of: &[VersionId]| of.iter().map(VersionId::as_str).collect::<Vec<_>>().join(", ");
        let line = |of: &Tie| {
            let (key, at_left, at_right) = (shown(of.key.as_str()), ids(&of.left), ids(&of.right));
            format!("tie at {} ms of {key}: {at_left} at {left}; {at_right} at {right}\n", of.modified_ms)
        };
        self.report.tied.iter().map(line).collect()
    }

    fn table(&self) -> String {
        let Pair { left, right, .. } = self.pair;
        let heading = ["KEY", "VERSION", "WHAT"].map(str::to_owned).into_iter();
        let heading = heading.chain([left, right].map(|site| format!("AT {}", site.as_str().to_uppercase())));
        let value = |value: &Option<String>| value.as_deref().map_or("-".to_owned(), shown);
        let rows = self.report.differences.iter().map(|of| {
            let version = of.version_id.as_ref().map_or("-", VersionId::as_str);
            vec![shown(of.key.as_str()), version.to_owned(), shown(&of.what), value(&of.left), value(&of.right)]
        });
        crate::show::table(&std::iter::once(heading.collect()).chain(rows).collect::<Vec<_>>())
    }
}
