//! Versions with an id: what is told, what is found, what follows.

use proptest::prelude::*;
use twinlog_schemas::{
    Answer, Category, ExamineCause, LocksSeen, Receipt, Removal, Retention, RetentionMode, Told, VersionKind, Wrote,
};

use super::super::decide::{Wish, decide, wish};
use super::super::samples::{notice, object, waiting};
use super::super::stamp::is_explained;
use super::super::waiting::{Telling, Waiting};
use super::*;
use crate::notice::{Examination, Hint};
use crate::observe::Settled;

fn told(hint: Hint, at_ns: i64) -> Waiting {
    waiting(notice(hint), at_ns)
}

fn asked(cause: ExamineCause, may_create: bool) -> Hint {
    let id = Some(super::id());
    let doubt: twinlog_schemas::EventId = "01890000-0000-7000-8000-0000000000dd".parse().unwrap();
    Hint::Examine(Examination { id: doubt, cause, version_id: id, may_create, asked_by: site("west") })
}

fn outcome(all: &[Waiting], found: &Found, state: &VersionState) -> super::super::outcome::Outcome {
    decide(&here(id()), &Telling::of(all), found, state)
}

#[test]
fn a_birth_says_what_is_not_empty() {
    let retention = Retention { mode: RetentionMode::Governance, until_ms: NOW_NS / 1_000_000 + 1 };
    let read = ObjectReading { legal_hold: true, retention: Some(retention), ..tagged("a") };
    let out = outcome(&[told(Hint::Born(id()), BORN_NS + 5)], &found(read.clone()), &VersionState::default());
    let [event] = &out.events[..] else { panic!("{out:?}") };
    assert_eq!((event.told, event.kind, event.modified_at_ns), (Told::Born, VersionKind::Object, BORN_NS));
    let state = event.object.as_ref().unwrap();
    assert_eq!(state.body.as_deref(), Some(&b"hello"[..]));
    let tags = state.tags.as_ref().unwrap();
    assert_eq!((tags.basis, tags.changed_at_ns, &tags.value), (Basis::Birth, BORN_NS, &read.tags));
    assert_eq!(state.retention.as_ref().map(|stamp| stamp.value), Some(Some(retention)));
    assert_eq!(state.legal_hold.as_ref().map(|stamp| stamp.value), Some(true));
    assert_eq!(out.facts.len(), 3);
    let plain = outcome(&[told(Hint::Born(id()), BORN_NS)], &found(object()), &VersionState::default());
    assert!(plain.facts.is_empty(), "nothing to say of what is empty: {plain:?}");
}

#[test]
fn an_encrypted_body_never_travels() {
    let read = ObjectReading { encryption: twinlog_schemas::Encryption::SseS3, ..object() };
    let out = outcome(&[told(Hint::Born(id()), BORN_NS)], &found(read), &VersionState::default());
    assert_eq!(out.events[0].object.as_ref().unwrap().body, None);
}

#[test]
fn a_change_speaks_of_its_category_alone() {
    let read = ObjectReading { legal_hold: true, ..tagged("b") };
    let out = outcome(&[told(Hint::Changed(id(), Category::Tags), 6_000)], &found(read), &VersionState::default());
    let [event] = &out.events[..] else { panic!("{out:?}") };
    assert_eq!((event.told, event.creates()), (Told::Tags, false));
    let state = event.object.as_ref().unwrap();
    assert_eq!(state.tags.as_ref().map(|tags| (tags.basis, tags.changed_at_ns)), Some((Basis::Known, 6_000)));
    assert!(state.legal_hold.is_none() && state.body.is_none());
    assert!(matches!(out.facts[..], [FactBody::Tags(_)]));
}

#[test]
fn a_birth_and_a_change_that_wait_together_are_one_event() {
    let all = [told(Hint::Born(id()), BORN_NS), told(Hint::Changed(id(), Category::Tags), 6_000_000_000)];
    let out = outcome(&all, &found(tagged("b")), &VersionState::default());
    let [event] = &out.events[..] else { panic!("{out:?}") };
    let tags = event.object.as_ref().unwrap().tags.as_ref().unwrap();
    assert_eq!((event.told, tags.basis, tags.changed_at_ns), (Told::Born, Basis::Known, 6_000_000_000));
}

#[test]
fn a_removal_by_name_is_believed_unread() {
    let all = [told(Hint::Born(id()), BORN_NS), told(Hint::Removed(id()), 7_000)];
    assert_eq!(wish(&Telling::of(&all)), Wish::Nothing);
    let out = outcome(&all, &Found::Unread, &VersionState::default());
    assert!(matches!(&out.facts[..], [FactBody::Removed(Removal { removed_at_ns: 7_000, .. })]));
    let [event] = &out.events[..] else { panic!("{out:?}") };
    assert_eq!((event.told, event.kind, event.modified_at_ns), (Told::Removed, VersionKind::Removed, 7_000));
}

#[test]
fn a_markers_name_lies_and_the_reading_decides() {
    let all = [told(Hint::Marker(Some(id())), 7_000)];
    assert_eq!(wish(&Telling::of(&all)), Wish::Whole);
    let there = outcome(&all, &Found::Marker(Modified::exact(6_000)), &VersionState::default());
    assert_eq!((there.events[0].told, there.events[0].kind), (Told::Born, VersionKind::DeleteMarker));
    assert!(there.facts.is_empty());
    let gone = outcome(&all, &Found::Absent, &VersionState::default());
    assert_eq!((gone.events[0].told, gone.facts.len()), (Told::Removed, 1));
    let neither = outcome(&all, &found(object()), &VersionState::default());
    assert_eq!((neither.events.len(), neither.settled), (0, Some(Settled::Untold)));
}

/// Scenario: a client deletes once more what is deleted already, and the store says "created" of the marker that a
/// replica write put here. Guarantee: that is no birth, or it would bring back a marker that its origin has removed.
#[test]
fn a_replicated_marker_told_again_is_no_birth() {
    let (ms, marker) = (6_000_000, Found::Marker(Modified::exact(6_000_700)));
    let told_at = |sequencer_ns| {
        let mut one = told(Hint::Marker(Some(id())), 9_000_000);
        one.notice.sequencer_ns = Some(sequencer_ns);
        [one]
    };
    let mut replica = VersionState::default();
    let (address, ends) = (here(id()), [site("west"), site("east")]);
    let put = Receipt::of(Wrote::DeleteMarker, address.version(), address.event_id, ends, 7_000_000);
    replica.merge_receipt(&put);
    let again = outcome(&told_at(ms + 700), &marker, &replica);
    assert_eq!((again.events.len(), again.settled), (0, Some(Settled::Untold)));
    let own = outcome(&told_at(ms + 700), &marker, &VersionState::default());
    assert_eq!(own.events[0].told, Told::Born, "a marker of this site is born");
}

#[test]
fn a_birth_whose_version_is_gone_is_superseded() {
    let out = outcome(&[told(Hint::Born(id()), 1)], &Found::Absent, &VersionState::default());
    assert_eq!((out.events.len(), out.facts.len(), out.settled), (0, 0, Some(Settled::Superseded)));
}

#[test]
fn a_doubt_is_answered_by_facts_alone_whatever_is_found() {
    let doubt = [told(asked(ExamineCause::Doubt, false), 1)];
    assert_eq!(wish(&Telling::of(&doubt)), Wish::Look);
    for (found, present) in
        [(found(tagged("x")), true), (Found::Marker(Modified::exact(1)), true), (Found::Absent, false)]
    {
        let out = outcome(&doubt, &found, &VersionState::default());
        assert!(out.events.is_empty());
        let Some(FactBody::Answer(Answer { reading, .. })) = out.facts.last() else { panic!("{out:?}") };
        assert_eq!(reading.present, present);
    }
    let all = [told(Hint::Removed(id()), 1), told(asked(ExamineCause::Doubt, false), 2)];
    assert_eq!(wish(&Telling::of(&all)), Wish::Look, "an answer needs a reading");
}

#[test]
fn what_nothing_explains_is_unknown() {
    let doubt = [told(asked(ExamineCause::Doubt, false), 1)];
    let known = said(&[("west", tags_said("west", "a", Basis::Known, 3))]);
    let explained = outcome(&doubt, &found(tagged("a")), &known);
    assert_eq!(explained.facts.len(), 1, "an answer only: {explained:?}");
    let unexplained = outcome(&doubt, &found(tagged("b")), &known);
    let [FactBody::Tags(stamp), FactBody::Answer(_)] = &unexplained.facts[..] else { panic!("{unexplained:?}") };
    assert_eq!((stamp.basis, stamp.changed_at_ns), (Basis::Unknown, NOW_NS));
}

#[test]
fn a_sweep_creates_only_with_leave() {
    for may_create in [true, false] {
        let out =
            outcome(&[told(asked(ExamineCause::Sweep, may_create), 1)], &found(object()), &VersionState::default());
        let [event] = &out.events[..] else { panic!("{out:?}") };
        assert_eq!((event.told, event.creates(), event.cause.is_empty()), (Told::Examined, may_create, false));
    }
}

#[test]
fn absence_tells_nothing_but_a_known_removal_is_told_again() {
    let replay = [told(asked(ExamineCause::Replay, true), 1)];
    let nothing = outcome(&replay, &Found::Absent, &VersionState::default());
    assert_eq!((nothing.events.len(), nothing.facts.len(), nothing.settled), (0, 0, Some(Settled::Untold)));
    let removal = Removal { removed_at_ns: 4, cause: "c".into(), lifecycle: false, locks_seen: None };
    let own = outcome(&replay, &Found::Absent, &said(&[("east", FactBody::Removed(removal.clone()))]));
    assert_eq!(own.facts, [FactBody::Removed(removal.clone())]);
    assert_eq!((own.events[0].kind, own.events[0].modified_at_ns), (VersionKind::Removed, 4));
    let other = outcome(&replay, &Found::Absent, &said(&[("west", FactBody::Removed(removal))]));
    assert_eq!((other.facts.len(), other.events.len()), (0, 1), "the fact is the other site's");
}

/// Scenario: a hold of the other site was written here, and so was its retention; a client lifts both and removes the
/// version at once, so that the notices of the lifting find it gone.
/// Guarantee: the removal says which locks it overcame; told again for a replay, it still says so.
#[test]
fn a_removal_says_which_locks_had_reached_this_site() {
    let mut state = said(&[("west", FactBody::LegalHold(stamped(true, 3, "west")))]);
    let (address, ends) = (here(id()), [site("west"), site("east")]);
    let put = Receipt::of(Wrote::Attributes, address.version(), address.event_id, ends, 5);
    let hold = stamped(true, 3, "west").named();
    state.merge_receipt(&Receipt { legal_hold: Some(true), legal_hold_stamp: Some(hold.clone()), ..put });
    let own = Stamp { basis: Basis::Birth, ..stamped(None, 1, "east") };
    tell(&mut state, "east", FactBody::Retention { latest: own.clone(), compliance: None });
    let out = outcome(&[told(Hint::Removed(id()), 9)], &Found::Unread, &state);
    let [FactBody::Removed(removal)] = &out.facts[..] else { panic!("{out:?}") };
    let seen = Some(LocksSeen { retention: Some(own.named()), legal_hold: Some(hold) });
    assert_eq!(removal.locks_seen, seen);
    assert_eq!(out.events[0].locks_seen, seen);
    tell(&mut state, "east", FactBody::Removed(removal.clone()));
    let again = outcome(&[told(asked(ExamineCause::Replay, true), 10)], &Found::Absent, &state);
    assert_eq!(again.events[0].locks_seen, seen);
    let bare = outcome(&[told(Hint::Removed(id()), 9)], &Found::Unread, &VersionState::default());
    assert_eq!(bare.events[0].locks_seen, None);
}

/// Scenario: a client takes tags off a version at the moment at which replication puts some on it, and the notice is
/// captured after both. Guarantee: what the client left is told where its change was first, else what is there.
#[test]
fn tags_taken_off_before_replication_put_some_on_are_told_as_taken_off() {
    let read = tagged("replicated");
    let captured = |cause: &str, at_ns: i64, written_at_ns: i64| {
        let mut one = told(Hint::Changed(id(), Category::Tags), at_ns);
        one.notice.cause = cause.to_owned();
        let (mut state, address, ends) = (VersionState::default(), here(id()), [site("west"), site("east")]);
        let put = Receipt::of(Wrote::Attributes, address.version(), address.event_id, ends, written_at_ns);
        state.merge_receipt(&Receipt { tags: Some(read.tags.clone()), ..put });
        let out = outcome(&[one], &found(read.clone()), &state);
        let [FactBody::Tags(stamp)] = &out.facts[..] else { panic!("{out:?}") };
        assert_eq!((stamp.basis, stamp.changed_at_ns), (Basis::Known, at_ns));
        let event = out.events[0].object.as_ref().unwrap().tags.as_ref().unwrap();
        assert_eq!(event, stamp);
        stamp.value.clone()
    };
    for off in ["s3:ObjectTagging:Delete", "s3:ObjectCreated:DeleteTagging"] {
        assert!(captured(off, 6_000, 7_000).is_empty(), "{off}");
        assert_eq!(captured(off, 7_000, 6_000), read.tags, "{off}: some client put the same on again");
    }
    assert_eq!(captured("s3:ObjectTagging:Put", 6_000, 7_000), read.tags, "of what it left nothing is known");
}

fn stamped<T>(value: T, changed_at_ns: i64, by: &str) -> Stamp<T> {
    Stamp { value, changed_at_ns, site: site(by), basis: Basis::Known, over: None }
}

/// Scenario: another site's tags were written here, then a client changes them; the notice comes twice.
/// Guarantee: the stamp says what it took the place of, and the second telling is nothing new.
#[test]
fn a_change_says_what_it_took_the_place_of() {
    let mut state = said(&[("west", tags_said("west", "theirs", Basis::Known, 3))]);
    let (address, ends) = (here(id()), [site("west"), site("east")]);
    let theirs = state.tags().unwrap().named();
    let put = Receipt::of(Wrote::Attributes, address.version(), address.event_id, ends, 5);
    state.merge_receipt(&Receipt { tags_stamp: Some(theirs.clone()), ..put });
    let changed = [told(Hint::Changed(id(), Category::Tags), 7)];
    let out = outcome(&changed, &found(tagged("mine")), &state);
    let [FactBody::Tags(stamp)] = &out.facts[..] else { panic!("{out:?}") };
    assert_eq!(stamp.over, Some(theirs));
    tell(&mut state, "east", out.facts[0].clone());
    assert_eq!(outcome(&changed, &found(tagged("mine")), &state).facts, out.facts);
}

fn hints() -> impl Strategy<Value = Hint> {
    prop_oneof![
        Just(Hint::Born(id())),
        Just(Hint::Marker(Some(id()))),
        Just(Hint::Removed(id())),
        Just(Hint::Changed(id(), Category::Tags)),
        Just(Hint::Changed(id(), Category::LegalHold)),
        any::<bool>().prop_map(|create| asked(ExamineCause::Sweep, create)),
        Just(asked(ExamineCause::Doubt, false)),
    ]
}

fn findings() -> impl Strategy<Value = Found> {
    prop_oneof![
        ("[ab]?", any::<bool>()).prop_map(|(value, legal_hold)| {
            let read = if value.is_empty() { object() } else { tagged(&value) };
            found(ObjectReading { legal_hold, ..read })
        }),
        Just(Found::Marker(Modified::exact(BORN_NS))),
        Just(Found::Absent),
    ]
}

fn states() -> impl Strategy<Value = VersionState> {
    let one = ("[ab]", prop_oneof![Just("east"), Just("west")], 0..9_i64, any::<bool>());
    prop::collection::vec(one, 0..4).prop_map(|all| {
        let facts: Vec<_> = all
            .into_iter()
            .map(|(value, by, at, known)| {
                (by, tags_said(by, &value, if known { Basis::Known } else { Basis::Birth }, at))
            })
            .collect();
        said(&facts)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Scenario: any notices of one version wait together, anything is found, anything is known.
    #[test]
    fn whatever_waits_and_is_found_the_rules_hold(
        hints in prop::collection::vec((hints(), 0..9_i64), 1..6),
        found in findings(),
        state in states(),
    ) {
        let all: Vec<Waiting> = hints.into_iter().map(|(hint, at)| told(hint, at)).collect();
        let telling = Telling::of(&all);
        let out = outcome(&all, &found, &state);
        let removed = matches!(out.facts.first(), Some(FactBody::Removed(_)));
        // A removal told by name is never lost, and nothing creates beside it.
        prop_assert!(telling.removed.is_none() || removed);
        prop_assert!(!removed || out.events.iter().all(|event| event.kind == VersionKind::Removed));
        // Every doubt has its answer; a doubt alone has no event.
        let answers = out.facts.iter().filter(|fact| matches!(fact, FactBody::Answer(_))).count();
        prop_assert_eq!(answers, telling.doubts().count());
        prop_assert!(telling.doubts().count() < all.len() || out.events.is_empty());
        // Only births and examinations with leave create, and only what is there.
        for event in &out.events {
            let leave = telling.born.is_some() || telling.marker.is_some() || telling.sweep_or_replay().is_some_and(|(_, a)| a.may_create);
            prop_assert!(!event.creates() || leave);
            prop_assert_eq!(event.kind == VersionKind::Object, event.object.is_some());
        }
        // Every event without a follower says how it ended.
        let followed = !out.events.is_empty() || !out.facts.is_empty();
        prop_assert!(followed || out.settled.is_some());
        // What is examined is explained afterwards, and this site's last reading is what its stamps hold.
        if let (Found::Object(read, _), false) = (&found, removed) {
            let mut after = state.clone();
            for body in &out.facts {
                let address = here(id());
                after.merge_fact(&Fact {
                    event_id: address.event_id, site: address.site, bucket: address.bucket, key: address.key,
                    version_id: address.version_id, said_at_ns: NOW_NS, of: None, body: body.clone(),
                });
            }
            if telling.changed.contains_key(&Category::Tags) {
                prop_assert_eq!(&after.said[&site("east")].tags.as_ref().unwrap().value, &read.tags);
            }
            let unknown_may_lose = state.said.get(&site("east")).is_some_and(|said| said.tags.is_some());
            if !telling.examined.is_empty() && telling.born.is_none() && !unknown_may_lose {
                prop_assert!(is_explained(Category::Tags, read, &after, &site("east"), NOW_NS));
            }
        }
    }
}
