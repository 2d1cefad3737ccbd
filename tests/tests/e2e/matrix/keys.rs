//! Keys: each crosses under its own name.

use super::case::{Body, Case, case};
use twinlog_tests::server::StoreKind;

const NOUN: &str = "keys";
/// The longest key, in bytes.
const LONGEST: usize = 1024;
/// The longest segment that a store keeps as the name of a folder.
const SEGMENT: usize = 255;

pub fn cases() -> Vec<Case> {
    let verbatim = [
        "space in name",
        "two  spaces",
        "trailing space ",
        " leading space",
        "plus+and%percent",
        "100%25",
        "percent%2Fslash",
        "lone %zz",
        "quote'\"back`tick",
        "back\\slash",
        "amp&lt;<xml>&#38;",
        "question?hash#",
        "question?versionId=null",
        "semi;colon:comma,=@$!*()[]{}|~^",
        "tab\there",
        "..dots../a..b/..c",
        "...",
        ".hidden",
        "composed \u{e9}",
        "decomposed e\u{301}",
        "emoji \u{1f600} \u{1f469}\u{200d}\u{1f4bb}",
        "right to left \u{202e}abc",
        "no-break\u{a0}space",
        "\u{65e5}\u{672c}\u{8a9e}",
        "CASE",
        "case",
        "null",
        "xl.meta",
        "part.1",
    ];
    let mut cases: Vec<Case> = verbatim.iter().map(|key| case(NOUN, key)).collect();
    cases.extend([
        case(NOUN, "longest").key(long("keys/longest/", LONGEST - "east/".len())),
        case(NOUN, "longest of a multipart upload")
            .key(long("keys/longest of parts/", LONGEST - "east/".len()))
            .body(Body::Parts(vec![(1, 7)])),
        case(NOUN, "longest segment").key(format!("keys/{}", "s".repeat(SEGMENT))),
        case(NOUN, "longest segment beyond ASCII").key(format!("keys/{}", "\u{e9}".repeat(SEGMENT / 2))),
        case(NOUN, "folder").key("keys/folder/"),
        case(NOUN, "folder with a body").key("keys/full folder/").body(Body::Whole(20_000)),
        case(NOUN, "below the folder").key("keys/folder/below"),
        case(NOUN, "odd name of a multipart upload").key("keys/parts + % \u{e9}").body(Body::Parts(vec![(1, 7)])),
    ]);
    cases.extend(refused());
    cases
}

/// Names that neither store keeps.
fn refused() -> impl Iterator<Item = Case> {
    let both = |name, key: &str, code| {
        let case = case(NOUN, name).key(key);
        case.refused(StoreKind::MinIo, 400, code).refused(StoreKind::RustFs, 400, "InvalidArgument")
    };
    let long = long("keys/too long/", LONGEST + 1 - "east/".len());
    [
        both("empty segment", "keys//empty", "XMinioInvalidObjectName"),
        both("segment of one dot", "keys/./dot", "XMinioInvalidResourceName"),
        both("segment of two dots", "keys/../dots", "XMinioInvalidResourceName"),
        case(NOUN, "too long").key(long).refused_everywhere(400, "KeyTooLongError"),
        case(NOUN, "line break").key("keys/line\nbreak").refused(StoreKind::RustFs, 400, "InvalidArgument"),
        case(NOUN, "segment too long")
            .key(format!("keys/{}", "s".repeat(SEGMENT + 1)))
            .refused(StoreKind::MinIo, 400, "XMinioInvalidObjectName")
            .refused(StoreKind::RustFs, 500, "InternalError"),
    ]
    .into_iter()
}

/// A key of so many bytes, in segments that a store can keep.
fn long(prefix: &str, bytes: usize) -> String {
    let mut key = prefix.to_owned();
    while key.len() < bytes {
        let room = (bytes - key.len()).min(SEGMENT);
        // Never ending in a slash, nor leaving room for one only.
        let segment = if bytes - key.len() == SEGMENT + 1 { room - 1 } else { room };
        key.push_str(&"k".repeat(segment));
        if key.len() < bytes {
            key.push('/');
        }
    }
    key
}
