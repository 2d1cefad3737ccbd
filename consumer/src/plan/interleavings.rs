//! Whatever the order in which two sites' records of a version reach a target, as long as each site's own are in order,
//! and however often any of them comes again: the end is the same.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use twinlog_index::VersionState;
use twinlog_schemas::arbitrary::{fact, fact_body};
use twinlog_schemas::{
    ChangeEvent, Fact, FactBody, Removal, Retention, RetentionMode, SiteName, Stamp, StoreReading, Told, VersionKind,
};
use twinlog_site::Reading;

use super::properties::{Case, after, event};
use super::{Action, Plan};

/// One record about the version.
#[derive(Debug, Clone)]
enum Record {
    Event(Box<ChangeEvent>),
    Fact(Box<Fact>),
}

/// What two sites say of one version, each in its order.
#[derive(Debug, Clone)]
struct Life {
    east: Vec<Record>,
    north: Vec<Record>,
}

/// COMPLIANCE is left out: where it runs, a removal that comes before the birth and one that comes after it end apart,
/// and the latter is a dead letter until the lock has run out.
fn governance(stamp: &mut Stamp<Option<Retention>>) {
    stamp.value = stamp.value.map(|lock| Retention { mode: RetentionMode::Governance, ..lock });
}

fn stamps() -> impl Strategy<Value = Vec<FactBody>> {
    let stamp = fact_body().prop_filter_map("a stamp", |body| match body {
        FactBody::Retention { mut latest, .. } => {
            governance(&mut latest);
            Some(FactBody::Retention { latest, compliance: None })
        }
        FactBody::Tags(_) | FactBody::LegalHold(_) => Some(body),
        _ => None,
    });
    vec(stamp, 0..4)
}

fn life() -> impl Strategy<Value = Life> {
    let birth = event().prop_filter("an object that can be replicated", |event| {
        event.object.as_ref().is_some_and(|object| object.encryption == twinlog_schemas::Encryption::None)
    });
    (birth, fact(), stamps(), stamps(), option::of(any::<bool>())).prop_map(
        |(mut birth, template, own, others, removed)| {
            let (east, north) = (site("east"), site("north"));
            (birth.told, birth.site, birth.lifecycle) = (Told::Born, east.clone(), false);
            if let Some(object) = &mut birth.object {
                object.tags.iter_mut().for_each(|stamp| stamp.site = east.clone());
                object.legal_hold.iter_mut().for_each(|stamp| stamp.site = east.clone());
                if let Some(stamp) = &mut object.retention {
                    stamp.site = east.clone();
                    governance(stamp);
                }
            }
            let version = birth.version();
            let said = |by: &SiteName, mut body: FactBody| {
                match &mut body {
                    FactBody::Tags(stamp) => stamp.site = by.clone(),
                    FactBody::Retention { latest, .. } => latest.site = by.clone(),
                    FactBody::LegalHold(stamp) => stamp.site = by.clone(),
                    _ => {}
                }
                let (bucket, key, version_id) =
                    (version.bucket.clone(), version.key.clone(), version.version_id.clone());
                Record::Fact(Box::new(Fact {
                    site: by.clone(),
                    bucket,
                    key,
                    version_id,
                    of: None,
                    body,
                    ..template.clone()
                }))
            };
            let mut life = Life { east: vec![Record::Event(Box::new(birth))], north: Vec::new() };
            life.east.extend(own.into_iter().map(|body| said(&east, body)));
            life.north.extend(others.into_iter().map(|body| said(&north, body)));
            let removal = Removal { removed_at_ns: 9, cause: String::new(), lifecycle: false, locks_seen: None };
            match removed {
                Some(true) => life.east.push(said(&east, FactBody::Removed(removal))),
                Some(false) => life.north.push(said(&north, FactBody::Removed(removal))),
                None => {}
            }
            life
        },
    )
}

fn site(name: &str) -> SiteName {
    SiteName::new(name).expect("a site name")
}

/// The records in an order that keeps each site's own; a pick also says whether an earlier one comes once more.
fn interleaved(life: &Life, picks: &[u8]) -> Vec<Record> {
    let (mut east, mut north) = (life.east.iter(), life.north.iter());
    let mut order: Vec<Record> = Vec::new();
    for pick in picks.iter().cycle() {
        let next =
            if pick & 1 == 0 { east.next().or_else(|| north.next()) } else { north.next().or_else(|| east.next()) };
        let Some(next) = next else { break };
        order.push(next.clone());
        if pick & 2 != 0 {
            order.push(order[usize::from(pick >> 2) % order.len()].clone());
        }
    }
    order
}

/// What the target holds in the end, where its own site has no clients and answers every doubt.
fn end(life: &Life, picks: &[u8]) -> Result<Reading, TestCaseError> {
    let Record::Event(birth) = &life.east[0] else { unreachable!("a life begins with its birth") };
    let mut case = Case::new(birth, VersionState::default(), Reading::Absent);
    for record in interleaved(life, picks) {
        let event = match &record {
            Record::Event(event) => {
                crate::apply::join_for_tests(&mut case.index, event);
                Some(event)
            }
            Record::Fact(fact) => {
                case.index.merge_fact(fact);
                None
            }
        };
        settle(&mut case, event.map(AsRef::as_ref))?;
    }
    Ok(case.held)
}

fn settle(case: &mut Case, event: Option<&ChangeEvent>) -> Result<(), TestCaseError> {
    let mut answer = None;
    for _ in 0..4 {
        match case.question(event, Some(&case.held), answer.as_ref()) {
            Plan::Nothing(_) => return Ok(()),
            Plan::Act(_, actions) => {
                case.held = after(&case.event, &case.held, &actions);
                prop_assert!(event.is_some() || !actions.iter().any(|a| matches!(a, Action::Put(..))));
            }
            Plan::Doubt(_) => answer = Some(reading(&case.held)),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        }
    }
    Err(TestCaseError::fail("it does not come to rest"))
}

fn reading(held: &Reading) -> StoreReading {
    match held {
        Reading::Object(held) => StoreReading {
            present: true,
            tags: held.tags.clone(),
            retention: held.retention,
            legal_hold: held.legal_hold,
        },
        other => StoreReading {
            present: *other != Reading::Absent,
            tags: Default::default(),
            retention: None,
            legal_hold: false,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_ends_the_same(life in life(), one in vec(any::<u8>(), 8), other in vec(any::<u8>(), 8)) {
        prop_assert!(life.east.iter().any(|record| matches!(record, Record::Event(event) if event.kind == VersionKind::Object)));
        prop_assert_eq!(end(&life, &one)?, end(&life, &other)?);
    }
}
