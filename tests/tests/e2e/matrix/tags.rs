//! Tags: at birth, and changed later.

use twinlog_tests::server::StoreKind;

use super::{
    case::{Body, Case, case},
    deed::Deed,
    story::{Story, story},
};

const NOUN: &str = "tags";

/// Tags as pairs.
pub type Tags = Vec<(String, String)>;

pub fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Ten tags of the longest keys and values, 128 and 256 characters, of this text repeated.
fn longest(text: &str) -> Tags {
    let fill = |characters: usize| text.chars().cycle().take(characters).collect::<String>();
    (0..10).map(|number| (format!("{number}{}", fill(127)), fill(256))).collect()
}

/// All the characters that S3 allows besides letters and digits; each but four is three bytes in a header.
const MARKS: &str = "+-=._:/@ ";

pub fn cases() -> Vec<Case> {
    let of = |name, pairs: &[(&str, &str)]| case(NOUN, name).tags(&tags(pairs));
    vec![
        case(NOUN, "none").lacks("tag a"),
        of("one", &[("a", "1")]),
        of("empty value", &[("empty", "")]),
        of("marks", &[("a/b", "c:d@e+ f=g"), ("100-_.", "x y")]),
        of(
            "ten",
            &[
                ("0", "a"),
                ("1", "b"),
                ("2", "c"),
                ("3", "d"),
                ("4", "e"),
                ("5", "f"),
                ("6", "g"),
                ("7", "h"),
                ("8", "i"),
                ("9", "j"),
            ],
        ),
        of("of a multipart upload", &[("in", "parts")]).body(Body::Parts(vec![(1, 7)])),
        case(NOUN, "ten of the longest").tags(&longest("t")),
        case(NOUN, "ten of the longest, of a multipart upload").tags(&longest("t")).body(Body::Parts(vec![(1, 7)])),
        case(NOUN, "ten of the longest marks").tags(&longest(MARKS)).refused(StoreKind::MinIo, 400, "MetadataTooLarge"),
        of("beyond ASCII", &[("grün", "日本")]).refused(StoreKind::MinIo, 400, "InvalidTag"),
        of(
            "eleven",
            &[
                ("0", ""),
                ("1", ""),
                ("2", ""),
                ("3", ""),
                ("4", ""),
                ("5", ""),
                ("6", ""),
                ("7", ""),
                ("8", ""),
                ("9", ""),
                ("10", ""),
            ],
        )
        .refused(StoreKind::MinIo, 400, "BadRequest")
        .refused(StoreKind::RustFs, 400, "InvalidTag"),
    ]
}

pub fn stories() -> Vec<Story> {
    let born = |name| story(case(NOUN, name).sends("x-amz-tagging", "born=1"));
    let later = |text: &str| tags(&[("later", text)]);
    vec![
        story(case(NOUN, "first")).first(Deed::Tag(later("1"))).ends_with_tags(&later("1")),
        born("replaced").first(Deed::Tag(later("2"))).ends_with_tags(&later("2")).lacks("tag born"),
        born("removed").first(Deed::Untag).lacks("tag born"),
        born("removed and set again")
            .first(Deed::Untag)
            .second(Deed::Tag(later("3")))
            .ends_with_tags(&later("3"))
            .lacks("tag born"),
        born("set twice")
            .first(Deed::Tag(later("4")))
            .second(Deed::Tag(later("5")))
            .ends_with_tags(&later("5"))
            .lacks("tag born"),
        born("of the latest, unnamed")
            .first(Deed::Unnamed(Box::new(Deed::Tag(later("6")))))
            .ends_with_tags(&later("6"))
            .lacks("tag born"),
        born("removed of the latest, unnamed").first(Deed::Unnamed(Box::new(Deed::Untag))).lacks("tag born"),
        born("the longest").first(Deed::Tag(longest(MARKS))).ends_with_tags(&longest(MARKS)).lacks("tag born"),
    ]
}
