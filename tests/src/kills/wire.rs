//! What Twinlog asked of the stores that changes them, seen at the wire.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::proxy::{Lines, Proxy, Wanted};

/// Keeps what is asked of both stores about one bucket.
pub struct Watch {
    lines: [Vec<Lines>; 2],
    bucket: String,
}

/// Writes by the version they are of: key and version id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    /// PUTs of an object, and uploads begun.
    pub births: BTreeMap<(String, String), usize>,
    /// DELETEs: of a marker that is made, or of a version that is removed.
    pub deletes: BTreeMap<(String, String), usize>,
    /// Parts by upload id and number.
    pub parts: BTreeMap<(String, String), usize>,
}

impl Watch {
    /// From now on.
    #[must_use]
    pub fn begin(ways: &[Proxy; 2], bucket: &str) -> Self {
        let path = format!("/{bucket}/");
        let keep = |way: &Proxy| ["PUT", "POST", "DELETE"].map(|method| way.lines(Wanted::new(method, &path))).to_vec();
        Self { lines: [keep(&ways[0]), keep(&ways[1])], bucket: bucket.to_owned() }
    }

    /// What was asked of a store so far.
    #[must_use]
    pub fn writes(&self, site: usize) -> Writes {
        let mut writes = Writes::default();
        for line in self.lines[site].iter().flat_map(Lines::so_far) {
            writes.count(&line, &self.bucket);
        }
        writes
    }
}

impl Writes {
    fn count(&mut self, line: &str, bucket: &str) {
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let Some(key) = path.strip_prefix(&format!("/{bucket}/")) else { return };
        let query: BTreeMap<&str, &str> =
            query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        let decoded = |value: &&str| percent_decode_str(value).decode_utf8_lossy().into_owned();
        let of = |name: &str| query.get(name).map(decoded);
        let attribute = ["tagging", "retention", "legal-hold"].iter().any(|name| query.contains_key(name));
        let counted = match (method, of("versionId"), of("uploadId")) {
            ("PUT", _, Some(upload)) => Some((&mut self.parts, (upload, of("partNumber").unwrap_or_default()))),
            ("PUT", Some(version), None) if !attribute => Some((&mut self.births, (key.to_owned(), version))),
            ("POST", Some(version), None) => Some((&mut self.births, (key.to_owned(), version))),
            ("DELETE", Some(version), None) if !attribute => Some((&mut self.deletes, (key.to_owned(), version))),
            _ => None,
        };
        if let Some((counts, at)) = counted {
            *counts.entry(at).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_told_from_each_other() {
        let mut writes = Writes::default();
        for line in [
            "PUT /b/k1?versionId=v%2D1&x-id=PutObject HTTP/1.1",
            "PUT /b/k1?versionId=v-1&x-id=PutObject HTTP/1.1",
            "PUT /b/k1?tagging&versionId=v HTTP/1.1",
            "PUT /b/k1?legal-hold=&versionId=v HTTP/1.1",
            "POST /b/k2?uploads&versionId=w HTTP/1.1",
            "PUT /b/k2?partNumber=1&uploadId=u HTTP/1.1",
            "PUT /b/k2?partNumber=1&uploadId=u HTTP/1.1",
            "POST /b/k2?uploadId=u HTTP/1.1",
            "DELETE /b/k1?versionId=v HTTP/1.1",
            "DELETE /b/k2?uploadId=u HTTP/1.1",
            "PUT /other/k1?versionId=v HTTP/1.1",
        ] {
            writes.count(line, "b");
        }
        let at = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(writes.births, [(at("k1", "v-1"), 2), (at("k2", "w"), 1)].into());
        assert_eq!(writes.deletes, [(at("k1", "v"), 1)].into());
        assert_eq!(writes.parts, [(at("u", "1"), 2)].into());
    }
}
