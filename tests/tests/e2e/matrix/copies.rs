//! Copies: of a version to another key and onto itself, as it is and anew, and part by part; also of a replica.

use super::{
    bodies::PART,
    case::{Body, Case, case},
    deed::Deed,
    story::{Story, story},
};

const NOUN: &str = "copies";

pub fn stories() -> Vec<Story> {
    let original = |name| {
        let case = case(NOUN, name).sends("Content-Type", "a/b").sends("x-amz-meta-colour", "blue");
        case.sends("x-amz-tagging", "of=original")
    };
    let parts = |case: Case| case.body(Body::Parts(vec![(1, 7)]));
    vec![
        story(original("as it is")).first(Deed::Copy(" copy")).sibling(" copy", AS_IT_IS),
        story(original("anew")).first(Deed::CopyAnew(" copy")).sibling(" copy", ANEW),
        story(original("onto itself")).first(Deed::CopyOntoItself).sibling("", ONTO_ITSELF),
        story(parts(original("of a multipart upload"))).first(Deed::Copy(" copy")).sibling(" copy", AS_IT_IS),
        story(original("tagged, then as it is"))
            .first(Deed::Tag(super::tags::tags(&[("of", "change")])))
            .second(Deed::Copy(" copy"))
            .sibling(" copy", &[("metadata colour", Some("blue")), ("tag of", Some("change"))]),
        story(original("part by part, whole and by range").body(Body::Whole(PART + 3)))
            .first(Deed::CopyParts(" parts", &[None, Some((7, 1006))]))
            .sibling(" parts", &of_parts("1:5242883 2:1000")),
        story(original("a range of a small one").body(Body::Whole(9)))
            .first(Deed::CopyParts(" parts", &[Some((2, 4))]))
            .sibling(" parts", &of_parts("1:3")),
        story(parts(original("of a part of a multipart upload")))
            .first(Deed::CopyParts(" parts", &[None]))
            .sibling(" parts", &of_parts("1:7")),
    ]
}

/// What a multipart upload of copied parts shows: nothing of the version that its parts were copied from.
fn of_parts(layout: &'static str) -> Vec<(&'static str, Option<&'static str>)> {
    let anew = ANEW.iter().copied();
    anew.chain([("parts", Some(layout))]).collect()
}

type Shows = &'static [(&'static str, Option<&'static str>)];

const AS_IT_IS: Shows =
    &[("Content-Type", Some("a/b")), ("metadata colour", Some("blue")), ("tag of", Some("original"))];
const ANEW: Shows = &[
    ("Content-Type", Some("x/y")),
    ("metadata colour", None),
    ("metadata copied", Some("yes")),
    ("tag of", None),
    ("tag copied", Some("yes")),
];
const ONTO_ITSELF: Shows =
    &[("Content-Type", Some("x/y")), ("metadata colour", None), ("metadata copied", Some("yes"))];
