//! User metadata.

use twinlog_tests::server::StoreKind;

use super::case::{Body, Case, case};

const NOUN: &str = "metadata";
/// What S3 allows: names and values of all user metadata together, in bytes. MinIO counts the prefix of a name too.
const LONGEST: usize = 2048;
const PREFIX: usize = "x-amz-meta-".len();

pub fn cases(kind: StoreKind) -> Vec<Case> {
    let longest = "m".repeat(LONGEST - PREFIX - 1);
    let many = (0..40).fold(case(NOUN, "forty"), |case, number| case.metadata(&format!("n{number}"), "value"));
    vec![
        case(NOUN, "none"),
        case(NOUN, "one").metadata("colour", "light blue"),
        case(NOUN, "empty value").metadata("empty", ""),
        case(NOUN, "punctuation").metadata("marks", "a=b; c=\"d\", e\\f + %41 'g' <h> & {i}"),
        case(NOUN, "inner spaces").metadata("wide", "a  b"),
        case(NOUN, "odd names").metadata("x-y_z.1", "1").metadata("with-5", "5"),
        case(NOUN, "upper case name").sends("X-Amz-Meta-MixedCase", "Value").shows("metadata mixedcase", "Value"),
        case(NOUN, "encoded words").metadata("words", "=?UTF-8?B?Z3LDvG4=?="),
        many,
        case(NOUN, "longest").metadata("l", &longest),
        case(NOUN, "longest of a multipart upload").metadata("l", &longest).body(Body::Parts(vec![(1, 7)])),
        case(NOUN, "longer than S3 allows").metadata("l", &"m".repeat(6000)).refused(
            StoreKind::MinIo,
            400,
            "MetadataTooLarge",
        ),
        beyond_ascii(kind),
    ]
}

/// Both stores show it in the encoded words of RFC 2047, each in its own encoding.
fn beyond_ascii(kind: StoreKind) -> Case {
    let shown = match kind {
        StoreKind::RustFs => "=?UTF-8?B?Z3LDvG4=?=",
        StoreKind::MinIo => "=?UTF-8?q?gr=C3=BCn?=",
    };
    case(NOUN, "beyond ASCII").sends("x-amz-meta-colour", "grün").shows("metadata colour", shown)
}
