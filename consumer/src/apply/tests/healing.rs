//! What becomes of dead letters: a later record that leaves the version right heals them; nothing else does.

use bytes::Bytes;
use twinlog_dead::{Change, History, State};
use twinlog_log::Log;
use twinlog_schemas::{Basis, ChangeEvent, FactBody, Told, VersionRef};
use twinlog_site::fault::Fault;
use twinlog_site::{Body, Precondition, Reading, Site, SiteErrorKind};

use super::lab::{Lab, tags};
use crate::observe::Outcome;
use crate::plan::Attributes;
use crate::transfer::replica;

/// A version whose birth the target refused; its event.
async fn refused(lab: &Lab) -> (VersionRef, ChangeEvent) {
    let version = lab.put_body("hello");
    let birth = lab.event(&version, Told::Born).await;
    lab.target.push("put_object", Fault::Reject(SiteErrorKind::Refused));
    lab.apply(&birth).await;
    assert_eq!(lab.seen.last(), (Outcome::Dead, "refused"));
    assert_eq!(lab.states().await, [None]);
    (version, birth)
}

/// What a replay brings about: the version examined anew, with leave to create.
async fn examined(lab: &Lab, version: &VersionRef) -> ChangeEvent {
    ChangeEvent { may_create: true, ..lab.event(version, Told::Examined).await }
}

/// As `twinlog dlq` does.
async fn say(lab: &Lab, state: State) {
    for (letter, _) in lab.listed().await {
        let change = Change { state, by: "ann".to_owned(), why: None, at_us: 1 };
        let value = History::after(&letter.cause, None, change).to_json().unwrap().into();
        let topic = lab.topics.dead_state(lab.west.name());
        lab.log.append(letter.cause.state_record(topic, 2, value, 0)).await.unwrap();
    }
    // The process follows the topic in a task of its own.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_later_record_that_is_applied_heals() {
    let lab = Lab::new().await;
    let (version, _) = refused(&lab).await;
    lab.apply(&examined(&lab, &version).await).await;
    lab.assert_same(&version).await;
    assert_eq!(lab.states().await, [Some(State::Healed)]);
}

/// Scenario: the process is killed after the letter; its successor meets the later record.
#[tokio::test(start_paused = true)]
async fn a_restart_forgets_no_letter() {
    let mut lab = Lab::new().await;
    let (version, _) = refused(&lab).await;
    let (other, _) = (lab.put_body("other"), ());
    lab.restart().await;
    lab.born(&other).await;
    assert_eq!(lab.states().await, [None], "another version of the key heals nothing");
    lab.apply(&examined(&lab, &version).await).await;
    assert_eq!(lab.states().await, [Some(State::Healed)]);
    lab.restart().await;
    lab.apply(&examined(&lab, &version).await).await;
    let said = lab.listed().await;
    assert_eq!(said.len(), 1, "and what is healed is healed once");
}

/// Scenario: the process dies after the letter stands and before its record is committed.
/// Guarantee: the record is handled again and not lost; the second letter is the same one to whoever lists them. Where it
/// can be applied by then, the letter is healed.
#[tokio::test(start_paused = true)]
async fn dying_between_letter_and_commit_loses_nothing() {
    for mended in [false, true] {
        let mut lab = Lab::new().await;
        let version = lab.put_body("hello");
        let birth = lab.event(&version, Told::Born).await;
        let record = lab.change_record(lab.codec.encode_change(&birth).unwrap().into());
        lab.target.push("put_object", Fault::Reject(SiteErrorKind::Refused));
        lab.handle(&record).await;
        lab.restart().await;
        if !mended {
            lab.target.push("put_object", Fault::Reject(SiteErrorKind::Refused));
        }
        lab.handle(&record).await;
        let letters = lab.letters();
        assert_eq!(letters.len(), if mended { 1 } else { 2 });
        assert!(letters.iter().all(|letter| letter.value == record.value));
        let [(letter, state)] = &lab.listed().await[..] else { panic!("not listed once") };
        assert_eq!(letter.cause.at, record.position);
        assert_eq!(*state, mended.then_some(State::Healed));
        assert_eq!(lab.at_target(&version).await != Reading::Absent, mended);
    }
}

/// Scenario: something else stands under the version's id; a fact about its tags is then applied.
/// Guarantee: that says nothing of what the version is, so its letter stays open.
#[tokio::test(start_paused = true)]
async fn a_fact_about_attributes_does_not_heal_a_refused_birth() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    let event = lab.event(&version, Told::Born).await;
    let other = replica(&event, event.object.as_ref().unwrap(), &Attributes::default(), false);
    lab.west.put_object(&other, Body::Bytes(Bytes::from_static(b"other")), &Precondition::Absent).await.unwrap();
    lab.apply(&event).await;
    assert_eq!(lab.seen.last(), (Outcome::Dead, "identity-differs"));
    lab.apply_fact(&lab.tags_fact("east", &version, "later", Basis::Known)).await;
    assert_eq!(lab.seen.last_fact(), Outcome::Applied);
    assert_eq!(lab.states().await, [None]);
    lab.apply(&examined(&lab, &version).await).await;
    assert_eq!(lab.states().await, [None, None], "nor does another refusal, which is a letter of its own");
}

#[tokio::test(start_paused = true)]
async fn a_later_fact_heals_a_refused_one() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.target.push("put_tags", Fault::Reject(SiteErrorKind::Refused));
    lab.apply_fact(&lab.tags_fact("east", &version, "first", Basis::Known)).await;
    assert_eq!((lab.seen.last_fact(), lab.states().await), (Outcome::Dead, vec![None]));
    lab.apply_fact(&lab.tags_fact("east", &version, "second", Basis::Known)).await;
    assert_eq!(lab.object(&version).await.tags, tags("second"));
    assert_eq!(lab.states().await, [Some(State::Healed)]);
}

/// Scenario: a refused birth; the client removes the version.
/// Guarantee: there is nothing left to be applied, and the letter is healed.
#[tokio::test(start_paused = true)]
async fn a_removal_heals_whatever_was_refused_before() {
    let lab = Lab::new().await;
    let (version, _) = refused(&lab).await;
    lab.at_east.delete_version(&version, false).unwrap();
    lab.apply(&lab.event(&version, Told::Removed).await).await;
    assert_eq!(lab.seen.last(), (Outcome::Superseded, "removed-is-terminal"));
    assert_eq!(lab.states().await, [Some(State::Healed)]);
}

/// Scenario: a client's hold at the target refuses a removal, and is lifted.
/// Guarantee: the removal is done, and its letter healed, by the fact of the lifting.
#[tokio::test(start_paused = true)]
async fn a_lifted_hold_heals_the_removal_that_it_refused() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.at_west.legal_hold(&lab.bucket, &lab.key, Some(&version.version_id), true).unwrap();
    lab.apply_fact(&lab.fact("west", &version, FactBody::LegalHold(lab.stamp("west", true, Basis::Known)))).await;
    lab.at_east.delete_version(&version, false).unwrap();
    let removal = lab.event(&version, Told::Removed).await;
    tokio::join!(lab.apply(&removal), lab.answers(1, &version));
    assert_eq!(lab.seen.last(), (Outcome::Dead, "lock-refuses-removal"));
    lab.at_west.legal_hold(&lab.bucket, &lab.key, Some(&version.version_id), false).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    lab.apply_fact(&lab.fact("west", &version, FactBody::LegalHold(lab.stamp("west", false, Basis::Known)))).await;
    assert_eq!(lab.at_target(&version).await, Reading::Absent);
    assert_eq!(lab.states().await, [Some(State::Healed)]);
}

/// Guarantee: what a person replayed is healed once it is right; what a person discarded stays discarded.
#[tokio::test(start_paused = true)]
async fn a_replayed_letter_is_healed_and_a_discarded_one_is_not() {
    for (said, then) in [(State::Replayed, State::Healed), (State::Discarded, State::Discarded)] {
        let lab = Lab::new().await;
        let (version, _) = refused(&lab).await;
        assert_eq!(lab.seen.told().open.get("refused"), None, "shown a moment later");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(lab.seen.told().open.get("refused"), Some(&1));
        say(&lab, said).await;
        assert_eq!(lab.seen.told().open.get("refused"), Some(&0), "neither is open");
        lab.apply(&examined(&lab, &version).await).await;
        assert_eq!(lab.states().await, [Some(then)]);
    }
}
