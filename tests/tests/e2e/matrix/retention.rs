//! Retention: at birth, and set, extended, shortened, lifted and run out later.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    primitives::{DateTime, DateTimeFormat},
    types::ObjectLockRetentionMode::{self, Compliance, Governance},
};

use twinlog_tests::server::StoreKind;

use super::{
    case::{Body, Case, case},
    deed::Deed,
    story::{Story, story},
};

const NOUN: &str = "retention";

/// So many days from the beginning of this run, in whole seconds: the same whenever it is asked.
pub fn days(days: i64) -> DateTime {
    static BEGAN: std::sync::LazyLock<i64> =
        std::sync::LazyLock::new(|| DateTime::from(SystemTime::now() + Duration::from_secs(60)).secs());
    DateTime::from_secs(*BEGAN + days * 86_400)
}

/// As [`twinlog_tests::compare::describe`] says it.
fn shown(mode: &ObjectLockRetentionMode, until: DateTime) -> String {
    format!("{} until {}", mode.as_str(), until.secs())
}

fn retained(name: &str, mode: &ObjectLockRetentionMode, until: DateTime) -> Case {
    let date = until.fmt(DateTimeFormat::DateTime).unwrap();
    case(NOUN, name).sends("x-amz-object-lock-mode", mode.as_str()).sends("x-amz-object-lock-retain-until-date", date)
}

pub fn cases() -> Vec<Case> {
    let shows = |case: Case, mode, until| case.shows("retention", shown(mode, until));
    vec![
        shows(retained("governance", &Governance, days(1)), &Governance, days(1)),
        shows(retained("compliance", &Compliance, days(1)), &Compliance, days(1)),
        shows(retained("of a multipart upload", &Governance, days(2)), &Governance, days(2))
            .body(Body::Parts(vec![(1, 7)])),
        shows(retained("for a century", &Governance, days(36_500)), &Governance, days(36_500)),
        case(NOUN, "none").lacks("retention"),
        retained("in the past", &Governance, DateTime::from_secs(1))
            .refused(StoreKind::MinIo, 400, "InvalidRequest")
            .refused(StoreKind::RustFs, 400, "InvalidArgument"),
    ]
}

pub fn stories() -> Vec<Story> {
    let plain = |name| story(case(NOUN, name));
    let born = |name, mode| story(retained(name, mode, days(5)));
    let set = |mode: &ObjectLockRetentionMode, until| Deed::Retain(mode.clone(), until);
    let ends = |story: Story, mode, until| story.shows("retention", shown(mode, until));
    vec![
        ends(plain("set later").first(set(&Governance, days(3))), &Governance, days(3)),
        ends(
            plain("set on the latest, unnamed").first(Deed::Unnamed(Box::new(set(&Governance, days(3))))),
            &Governance,
            days(3),
        ),
        ends(
            plain("set and extended").first(set(&Governance, days(3))).second(set(&Governance, days(9))),
            &Governance,
            days(9),
        ),
        ends(
            plain("set and shortened with bypass").first(set(&Governance, days(9))).second(set(&Governance, days(2))),
            &Governance,
            days(2),
        ),
        ends(born("extended", &Governance).first(set(&Governance, days(8))), &Governance, days(8)),
        ends(born("shortened with bypass", &Governance).first(set(&Governance, days(2))), &Governance, days(2)),
        born("lifted with bypass", &Governance).first(Deed::Lift).lacks("retention"),
        ends(born("made compliance", &Governance).first(set(&Compliance, days(6))), &Compliance, days(6)),
        ends(plain("compliance later").first(set(&Compliance, days(3))), &Compliance, days(3)),
        ends(born("compliance extended", &Compliance).first(set(&Compliance, days(7))), &Compliance, days(7)),
        ends(
            born("compliance not shortened", &Compliance).first(Deed::Refused(Box::new(set(&Compliance, days(2))))),
            &Compliance,
            days(5),
        ),
        ends(
            born("compliance not removed", &Compliance).first(Deed::Refused(Box::new(Deed::Remove))),
            &Compliance,
            days(5),
        ),
        born("removed with bypass", &Governance).first(Deed::Remove).gone(),
    ]
}
