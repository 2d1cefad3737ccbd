//! Markers and removals.

use super::{
    case::{Body, case},
    deed::Deed,
    story::{Story, story},
};

const NOUN: &str = "removals";

pub fn stories() -> Vec<Story> {
    let plain = |name| story(case(NOUN, name));
    let parts = |name| story(case(NOUN, name).body(Body::Parts(vec![(1, 7)])));
    vec![
        plain("marked").first(Deed::Mark).marked(),
        plain("marked by list").first(Deed::MarkByList).marked(),
        plain("marked twice").first(Deed::Mark).second(Deed::Mark).marked(),
        plain("marked and unmarked").first(Deed::Mark).second(Deed::Unmark),
        plain("marked by list and unmarked").first(Deed::MarkByList).second(Deed::Unmark),
        plain("removed").first(Deed::Remove).gone(),
        plain("removed by list").first(Deed::RemoveByList).gone(),
        plain("removed twice").first(Deed::Remove).second(Deed::Remove).gone(),
        plain("tagged and removed").first(Deed::Tag(super::tags::tags(&[("a", "1")]))).second(Deed::Remove).gone(),
        plain("marked, then removed below the marker").first(Deed::Mark).second(Deed::Remove).gone(),
        parts("a multipart upload, removed").first(Deed::Remove).gone(),
        parts("a multipart upload, marked").first(Deed::Mark).marked(),
        story(case(NOUN, "an odd key, marked and unmarked").key("removals/a + % b \u{e9}"))
            .first(Deed::Mark)
            .second(Deed::Unmark),
        story(case(NOUN, "an odd key, removed by list").key("removals/a & < b \u{e9}"))
            .first(Deed::RemoveByList)
            .gone(),
    ]
}
