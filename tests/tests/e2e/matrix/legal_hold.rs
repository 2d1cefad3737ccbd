//! Legal holds: at birth, and later.

use super::{
    case::{Body, Case, case},
    deed::Deed,
    story::{Story, story},
};

const NOUN: &str = "legal hold";

fn held(name: &str) -> Case {
    case(NOUN, name).sends("x-amz-object-lock-legal-hold", "ON")
}

pub fn cases() -> Vec<Case> {
    vec![
        held("on").shows("legal hold", "on"),
        case(NOUN, "off").sends("x-amz-object-lock-legal-hold", "OFF").lacks("legal hold"),
        case(NOUN, "never").lacks("legal hold"),
        held("of a multipart upload").shows("legal hold", "on").body(Body::Parts(vec![(1, 7)])),
    ]
}

pub fn stories() -> Vec<Story> {
    vec![
        story(case(NOUN, "set later")).first(Deed::Hold(true)).shows("legal hold", "on"),
        story(case(NOUN, "set on the latest, unnamed"))
            .first(Deed::Unnamed(Box::new(Deed::Hold(true))))
            .shows("legal hold", "on"),
        story(case(NOUN, "set and lifted")).first(Deed::Hold(true)).second(Deed::Hold(false)).lacks("legal hold"),
        story(held("lifted")).first(Deed::Hold(false)).lacks("legal hold"),
        story(held("lifted and set")).first(Deed::Hold(false)).second(Deed::Hold(true)).shows("legal hold", "on"),
        story(held("lifted, then removed")).first(Deed::Hold(false)).second(Deed::Remove).gone(),
    ]
}
