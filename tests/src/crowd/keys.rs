//! The keys that all clients of a crowd share: few enough to meet on, and among them every kind that needs care.

/// Keys that are versioned.
pub const VERSIONED: [&str; 14] = [
    "plain",
    "report.txt",
    "a/b/c",
    "a/b-c",
    "a/b",
    "with space",
    "plus+and%25percent",
    "quote'\"&<amp>",
    "question?hash#",
    "emoji 😀",
    "composed é",
    "decomposed e\u{301}",
    "Case",
    "case",
];

/// Keys that end in `/`: the stores keep them as null versions, in a versioned bucket too.
pub const NULL: [&str; 2] = ["folder/", "a/b/folder/"];

/// Whether a request in words is about one of the keys that are null versions.
pub fn null_named_in(doing: &str) -> bool {
    NULL.iter().any(|key| doing.contains(&format!("{key:?}")))
}
