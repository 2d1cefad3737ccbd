//! Tags, retention and legal hold follow the index, whichever record brings it.

use twinlog_schemas::{Basis, FactBody, Retention, RetentionMode, Told, Wrote};
use twinlog_site::memory::ClientPut;

use super::lab::{Lab, tags};
use crate::observe::Outcome;

#[tokio::test(start_paused = true)]
async fn a_tag_fact_reconciles() {
    let lab = Lab::new().await;
    let version = lab.put(&ClientPut { tags: tags("birth"), ..ClientPut::default() });
    lab.born(&version).await;
    let fact = lab.tags_fact("east", &version, "later", Basis::Known);
    lab.apply_fact(&fact).await;
    assert_eq!(lab.seen.last_fact(), Outcome::Applied);
    assert_eq!(lab.object(&version).await.tags, tags("later"));
    lab.apply_fact(&fact).await;
    assert_eq!(lab.seen.last_fact(), Outcome::Unchanged);
    let receipt = lab.receipts().pop().unwrap();
    assert_eq!(
        (receipt.event_id, receipt.wrote, receipt.tags),
        (fact.event_id, Wrote::Attributes, Some(tags("later")))
    );
}

#[tokio::test(start_paused = true)]
async fn the_fact_of_an_event_that_was_planned_is_done() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.at_east.tag(&lab.bucket, &lab.key, None, &tags("later")).unwrap();
    let event = lab.event(&version, Told::Tags).await;
    lab.apply(&event).await;
    assert_eq!(lab.seen.last(), (Outcome::Applied, "index-decides"));
    let stamp = event.object.unwrap().tags.unwrap();
    let mut fact = lab.fact("east", &version, FactBody::Tags(stamp));
    fact.event_id = event.event_id;
    lab.apply_fact(&fact).await;
    assert_eq!(lab.seen.last_fact(), Outcome::Merged);
    assert_eq!(lab.seen.told().writes, ["object", "tags"]);
}

/// Scenario: a client changed the tags while a doubt was being answered: one capture tells of the tags in an event and a
/// fact, and of a legal hold that it found in a fact alone, all under one id; the event is planned first.
/// Guarantee: the fact that the event did not carry is planned too.
#[tokio::test(start_paused = true)]
async fn a_fact_that_its_event_did_not_carry_is_planned() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.at_east.tag(&lab.bucket, &lab.key, None, &tags("later")).unwrap();
    let event = lab.event(&version, Told::Tags).await;
    lab.apply(&event).await;
    let mut fact = lab.fact("east", &version, FactBody::LegalHold(lab.stamp("east", true, Basis::Unknown)));
    fact.event_id = event.event_id;
    lab.apply_fact(&fact).await;
    assert_eq!(lab.seen.last_fact(), Outcome::Applied);
    assert!(lab.object(&version).await.legal_hold);
}

/// Scenario: both sites changed the tags; the source's change is the older one, but arrives last.
/// Guarantee: the target keeps its own.
#[tokio::test(start_paused = true)]
async fn an_older_change_loses() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    let older = lab.tags_fact("east", &version, "older", Basis::Known);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("newer")).unwrap();
    lab.apply_fact(&lab.tags_fact("west", &version, "newer", Basis::Known)).await;
    lab.apply_fact(&older).await;
    assert_eq!(lab.object(&version).await.tags, tags("newer"));
    assert_eq!(lab.seen.told().writes, ["object"]);
}

/// Scenario: the target was brought to the source's value before its own, later one was known.
/// Guarantee: its own fact plans again and puts the value back.
#[tokio::test(start_paused = true)]
async fn the_targets_own_fact_plans_again() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    // Changed at both sites; the older one is written over the newer, of which nobody knew.
    let older = lab.tags_fact("east", &version, "older", Basis::Known);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let newer = lab.tags_fact("west", &version, "newer", Basis::Known);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    lab.apply_fact(&older).await;
    assert_eq!(lab.object(&version).await.tags, tags("older"));
    lab.apply_fact(&newer).await;
    assert_eq!(lab.object(&version).await.tags, tags("newer"));
}

#[tokio::test(start_paused = true)]
async fn locks_follow_and_are_lifted() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    let until_ms = lab.east.now_ns() / 1_000_000 + 3_600_000;
    let retention = Some(Retention { mode: RetentionMode::Governance, until_ms });
    for value in [retention, None] {
        let latest = lab.stamp("east", value, Basis::Known);
        lab.apply_fact(&lab.fact("east", &version, FactBody::Retention { latest, compliance: None })).await;
        assert_eq!(lab.object(&version).await.retention, value);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    for on in [true, false] {
        lab.apply_fact(&lab.fact("east", &version, FactBody::LegalHold(lab.stamp("east", on, Basis::Known)))).await;
        assert_eq!(lab.object(&version).await.legal_hold, on);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert_eq!(lab.receipts().len(), 5, "one for every write");
    assert!(lab.letters().is_empty());
}

/// Guarantee: LOOK concerns the consumer of the site that says it, and nobody else.
#[tokio::test(start_paused = true)]
async fn a_look_of_the_target_compares() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.say(&lab.tags_fact("east", &version, "later", Basis::Known)).await;
    lab.apply_fact(&lab.fact("east", &version, FactBody::Look)).await;
    assert_eq!(lab.seen.last_fact(), Outcome::Merged);
    lab.apply_fact(&lab.fact("west", &version, FactBody::Look)).await;
    assert_eq!(lab.object(&version).await.tags, tags("later"));
}
