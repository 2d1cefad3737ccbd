//! Properties of the plan, on a target that is a value.

use proptest::option;
use proptest::prelude::*;
use twinlog_index::VersionState;
use twinlog_schemas::arbitrary::{change_event, fact, fact_body, retention, site, tags};
use twinlog_schemas::{
    ChangeEvent, Encryption, Fact, FactBody, RetentionMode, SiteName, StoreReading, VersionId, VersionKind,
};
use twinlog_site::{ObjectReading, Reading};

use super::{Action, Attributes, Plan, Question, Rule, Target, plan};

const NOW_MS: i64 = 2_000;

/// One version, what is known of it, and what the target holds.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) event: ChangeEvent,
    pub(super) index: VersionState,
    pub(super) held: Reading,
    /// A source whose lifecycle's removals stay there.
    lifecycle_stays: Option<SiteName>,
}

fn here() -> SiteName {
    SiteName::new("west").expect("a site name")
}

impl Case {
    /// A version of which nothing stays at a lifecycle's site.
    pub(super) fn new(event: &ChangeEvent, index: VersionState, held: Reading) -> Self {
        Self { event: event.clone(), index, held, lifecycle_stays: None }
    }

    fn ask<'a>(&'a self, event: Option<&'a ChangeEvent>, held: Option<&'a Reading>) -> Plan {
        self.question(event, held, None)
    }

    /// Asks with the answer to a doubt, without an event.
    fn answered(&self, held: &Reading, answer: &StoreReading) -> Plan {
        self.question(None, Some(held), Some(answer))
    }

    pub(super) fn question<'a>(
        &'a self,
        event: Option<&'a ChangeEvent>,
        held: Option<&'a Reading>,
        answered: Option<&'a StoreReading>,
    ) -> Plan {
        self.plan(event, held, answered, false)
    }

    /// Asks about a null version, which its own site says is as it was read.
    fn of_null(&self, answer: &StoreReading) -> Plan {
        self.plan(Some(&self.event), Some(&self.held), Some(answer), true)
    }

    fn plan(
        &self,
        event: Option<&ChangeEvent>,
        held: Option<&Reading>,
        answered: Option<&StoreReading>,
        null: bool,
    ) -> Plan {
        let (here, lifecycle_stays) = (here(), self.lifecycle_stays.iter().cloned().collect());
        plan(Question {
            event,
            target: held.map_or(Target::Unread, |held| Target::Read(held, None)),
            index: &self.index,
            null,
            answered,
            unsure: false,
            here: &here,
            lifecycle_stays: &lifecycle_stays,
            now_ms: NOW_MS,
        })
    }
}

fn object(event: &ChangeEvent, attributes: &Attributes) -> Reading {
    let object = event.object.as_ref().expect("an OBJECT event has an object");
    Reading::Object(Box::new(ObjectReading {
        size: u64::try_from(object.size).unwrap_or(0),
        etag: object.etag.clone(),
        modified_s_ms: 0,
        headers: object.headers.clone(),
        user_metadata: object.user_metadata.clone(),
        tags: attributes.tags.clone(),
        retention: attributes.retention,
        legal_hold: attributes.legal_hold,
        storage_class: None,
        encryption: object.encryption,
        checksums: Vec::new(),
        parts: Vec::new(),
        replication_status: None,
        body: None,
    }))
}

/// What the target holds after the actions; a store's own locks are not modelled here.
pub(super) fn after(event: &ChangeEvent, held: &Reading, actions: &[Action]) -> Reading {
    actions.iter().fold(held.clone(), |held, action| match (action, held) {
        (Action::Put(_, attributes), _) => object(event, attributes),
        (Action::PutMarker, _) => Reading::Marker { modified_s_ms: None },
        (Action::Remove { .. }, _) => Reading::Absent,
        (Action::SetTags(tags), Reading::Object(mut held)) => {
            held.tags = tags.clone();
            Reading::Object(held)
        }
        (Action::SetRetention(retention), Reading::Object(mut held)) => {
            held.retention = *retention;
            Reading::Object(held)
        }
        (Action::SetLegalHold(on), Reading::Object(mut held)) => {
            held.legal_hold = *on;
            Reading::Object(held)
        }
        (_, held) => held,
    })
}

pub(super) fn event() -> impl Strategy<Value = ChangeEvent> {
    change_event().prop_map(|mut event| {
        event.version_id = VersionId::new("v1").expect("a version id");
        if let Some(object) = &mut event.object {
            object.size = object.size.rem_euclid(1 << 40);
            if object.encryption == Encryption::Unknown {
                object.encryption = Encryption::None;
            }
        }
        event
    })
}

fn case() -> impl Strategy<Value = Case> {
    let held = (tags(), option::of(retention()), any::<bool>());
    let facts = proptest::collection::vec((fact(), fact_body()), 0..4);
    let stays = option::of(site());
    (event(), facts, 0..4_u8, held, stays).prop_map(|(event, facts, what, (tags, retention, legal_hold), stays)| {
        let lifecycle_stays = stays.filter(|site| *site != here());
        let mut index = VersionState::default();
        for (fact, body) in facts {
            index.merge_fact(&Fact { body, ..fact });
        }
        crate::apply::join_for_tests(&mut index, &event);
        let held = match what {
            0 => Reading::Absent,
            1 => Reading::Marker { modified_s_ms: None },
            _ if event.kind == VersionKind::Object => object(&event, &Attributes { tags, retention, legal_hold }),
            _ => Reading::Absent,
        };
        Case { event, index, held, lifecycle_stays }
    })
}

proptest! {
    /// Applying twice equals once: after its actions, a plan made again has nothing left to do.
    #[test]
    fn twice_equals_once(case in case()) {
        if let Plan::Act(_, actions) = case.ask(Some(&case.event), Some(&case.held)) {
            let held = after(&case.event, &case.held, &actions);
            let again = case.ask(Some(&case.event), Some(&held));
            prop_assert!(matches!(again, Plan::Nothing(_)), "{actions:?} then {again:?}");
        }
    }

    /// Removed is terminal: nothing that any record says creates a version that any site has removed.
    #[test]
    fn removed_is_never_created(case in case()) {
        prop_assume!(case.lifecycle_stays.is_none() && case.index.removed().is_some());
        for held in [None, Some(&case.held), Some(&Reading::Absent)] {
            for event in [None, Some(&case.event)] {
                if let Plan::Act(_, actions) = case.ask(event, held) {
                    prop_assert!(!actions.iter().any(|a| matches!(a, Action::Put(..) | Action::PutMarker)));
                }
            }
        }
    }

    /// What a lifecycle removed whose removals stay at its site is removed nowhere else.
    #[test]
    fn what_stays_is_not_removed(case in case()) {
        let stays = |site: &SiteName, lifecycle: bool| lifecycle && case.lifecycle_stays.as_ref() == Some(site);
        let mut removals = case.index.said.iter().filter_map(|(site, said)| Some((site, said.removal.as_ref()?)));
        prop_assume!(removals.all(|(site, removal)| stays(site, removal.lifecycle)));
        for event in [None, Some(&case.event)] {
            if let Plan::Act(_, actions) = case.ask(event, Some(&case.held)) {
                prop_assert!(!actions.iter().any(|a| matches!(a, Action::Remove { .. })), "{actions:?}");
            }
        }
    }

    /// Only births, and examinations with leave, create.
    #[test]
    fn only_births_create(case in case()) {
        prop_assume!(!case.event.creates());
        for event in [None, Some(&case.event)] {
            if let Plan::Act(_, actions) = case.ask(event, Some(&Reading::Absent)) {
                prop_assert!(actions.is_empty(), "{actions:?}");
            }
        }
    }

    /// A value that its site did not last have is never overwritten, and an unread target only ever gets a put if absent.
    #[test]
    fn the_unexplained_is_asked_about(case in case()) {
        if let (Plan::Act(_, actions), Reading::Object(held)) = (case.ask(Some(&case.event), Some(&case.held)), &case.held) {
            let here = here();
            for action in actions {
                let had = match action {
                    Action::SetTags(_) => case.index.had_tags(&held.tags, &here),
                    Action::SetRetention(_) => case.index.had_retention(held.retention, &here, NOW_MS),
                    Action::SetLegalHold(_) => case.index.had_legal_hold(held.legal_hold, &here),
                    _ => true,
                };
                prop_assert!(had);
            }
        }
        if let Plan::Act(rule, actions) = case.ask(Some(&case.event), None) {
            prop_assert_eq!(rule, Rule::BirthCreates);
            prop_assert!(matches!(actions.as_slice(), [Action::Put(super::Precondition::Absent, _)]));
        }
    }

    /// Running COMPLIANCE is never broken, whoever removed the version.
    #[test]
    fn compliance_in_force_stays(case in case()) {
        let Reading::Object(held) = &case.held else { return Ok(()) };
        let running = held.retention.is_some_and(|r| r.mode == RetentionMode::Compliance && r.in_force(NOW_MS));
        prop_assume!(running);
        for event in [None, Some(&case.event)] {
            if let Plan::Act(_, actions) = case.ask(event, Some(&case.held)) {
                let removes = actions.iter().any(|a| matches!(a, Action::Remove { .. }));
                prop_assert!(!removes);
            }
        }
    }

    /// Nor is it for another null version, also not where the store would let it be.
    #[test]
    fn compliance_of_a_null_version_stays(case in case()) {
        let Reading::Object(held) = &case.held else { return Ok(()) };
        prop_assume!(held.retention.is_some_and(|r| r.mode == RetentionMode::Compliance && r.in_force(NOW_MS)));
        let event = ChangeEvent { version_id: VersionId::null(), ..case.event.clone() };
        let mut index = VersionState::default();
        crate::apply::join_for_tests(&mut index, &event);
        let held = ObjectReading { etag: "another".to_owned(), ..(**held).clone() };
        let answer = StoreReading {
            present: true,
            tags: held.tags.clone(),
            retention: held.retention,
            legal_hold: held.legal_hold,
        };
        let held = Reading::Object(Box::new(held));
        let case = Case { event, index, held, lifecycle_stays: None };
        if let Plan::Act(_, actions) = case.of_null(&answer) {
            let replaces = |a: &Action| matches!(a, Action::Put(..) | Action::PutMarker | Action::Remove { .. });
            prop_assert!(!actions.iter().any(replaces), "{actions:?}");
        }
    }

    /// Where the index is the same, a fact and a change event end in the same attributes.
    #[test]
    fn a_fact_and_an_event_agree(case in case()) {
        prop_assume!(case.event.told != twinlog_schemas::Told::Unknown);
        let (by_event, by_fact) = (case.ask(Some(&case.event), Some(&case.held)), case.ask(None, Some(&case.held)));
        if matches!(case.held, Reading::Object(_)) {
            prop_assert_eq!(by_event, by_fact);
        }
    }
}

#[test]
fn a_removal_lifts_what_replication_placed_and_respects_what_a_client_set_here() {
    let held_with = |by: &str, basis| {
        let stamp = twinlog_schemas::Stamp {
            value: true,
            changed_at_ns: 5,
            site: SiteName::new(by).expect("a site name"),
            basis,
            over: None,
        };
        FactBody::LegalHold(stamp)
    };
    let cases = [
        (held_with("east", twinlog_schemas::Basis::Known), true),
        (held_with("west", twinlog_schemas::Basis::Birth), true),
        (held_with("west", twinlog_schemas::Basis::Known), false),
        (held_with("west", twinlog_schemas::Basis::Unknown), false),
    ];
    for (body, lifted) in cases {
        let (case, held) = removed_under_hold(body.clone());
        assert_eq!(case.ask(None, Some(&held)), Plan::Doubt(Rule::LockInTheWay), "{body:?}");
        let answer = StoreReading { present: true, tags: Default::default(), retention: None, legal_hold: true };
        let plan = case.answered(&held, &answer);
        match lifted {
            true => assert_eq!(
                plan,
                Plan::Act(
                    Rule::RemovalActs,
                    vec![Action::SetLegalHold(false), Action::Remove { bypass_governance: false, if_match: None }]
                ),
                "{body:?}"
            ),
            false => assert_eq!(plan, Plan::Refuse(Rule::LockRefusesRemoval), "{body:?}"),
        }
    }
}

fn removed_under_hold(stamp: FactBody) -> (Case, Reading) {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let event = event()
        .prop_filter("an object", |event| event.kind == VersionKind::Object)
        .new_tree(&mut runner)
        .map(|tree| proptest::strategy::ValueTree::current(&tree))
        .expect("an event");
    let site = match &stamp {
        FactBody::LegalHold(stamp) => stamp.site.clone(),
        _ => here(),
    };
    let fact = |site: SiteName, body| Fact {
        event_id: event.event_id,
        site,
        bucket: event.bucket.clone(),
        key: event.key.clone(),
        version_id: event.version_id.clone(),
        said_at_ns: 1,
        of: None,
        body,
    };
    let mut index = VersionState::default();
    index.merge_fact(&fact(site, stamp));
    let removal =
        twinlog_schemas::Removal { removed_at_ns: 9, cause: String::new(), lifecycle: false, locks_seen: None };
    index.merge_fact(&fact(SiteName::new("east").expect("a site name"), FactBody::Removed(removal)));
    let held = object(&event, &Attributes { legal_hold: true, ..Attributes::default() });
    (Case::new(&event, index, held.clone()), held)
}

/// Guarantee: an object that a client has locked here is not asked to be replaced: its event was refused, and what is asked
/// for would be refused again, and so on. Where it is a retention, it is asked for when that has run out.
#[test]
fn nothing_is_asked_for_that_a_lock_would_refuse() {
    let retention = twinlog_schemas::Retention { mode: RetentionMode::Governance, until_ms: NOW_MS + 9 };
    for (legal_hold, retention) in [(false, None), (true, None), (false, Some(retention))] {
        let register = twinlog_schemas::NullRegister {
            state: twinlog_schemas::NullState::Object,
            at_ns: 9_000_000,
            site: SiteName::new("east").expect("a site name"),
            etag: Some("new".to_owned()),
            over: None,
        };
        let mut index = VersionState::default();
        let (case, held) = removed_under_hold(FactBody::Look);
        let Reading::Object(held) = held else { unreachable!("an object is held") };
        let fact = twinlog_schemas::Fact {
            event_id: case.event.event_id,
            site: register.site.clone(),
            bucket: case.event.bucket.clone(),
            key: case.event.key.clone(),
            version_id: VersionId::null(),
            said_at_ns: 1,
            of: None,
            body: FactBody::Null(register),
        };
        index.merge_fact(&fact);
        let (etag, encryption) = ("old".to_owned(), twinlog_schemas::Encryption::None);
        let held = Reading::Object(Box::new(ObjectReading { legal_hold, retention, etag, encryption, ..*held }));
        let answer = StoreReading { present: true, tags: Default::default(), retention, legal_hold };
        let case = Case { event: case.event, index, held: held.clone(), lifecycle_stays: None };
        let expected = match retention {
            Some(lock) => Plan::PutOff(Rule::LockedAtTarget, lock.until_ms),
            None if legal_hold => Plan::Nothing(Rule::LockedAtTarget),
            None => Plan::Ask(Rule::NullObjectAsked),
        };
        assert_eq!(case.plan(None, Some(&held), Some(&answer), true), expected);
    }
}
