//! A record over which planning or acting breaks, and a record of a newer release.

use std::time::Duration;

use twinlog_control::{Entry, Stuck};
use twinlog_log::TopicPartition;
use twinlog_log::lane::{Handler, Slot};
use twinlog_schemas::{Basis, Codec, EventType, HoldTold, PublishedSchema, RecordKind, Told};
use twinlog_site::Reading;
use twinlog_site::fault::Fault;

use super::lab::{Lab, Setup, tags};
use crate::observe::Outcome;
use crate::plan::{Plan, Question, plan};

const POISON: &str = "poison";

/// Breaks over one cause, and over facts that bear its tag.
fn breaks(question: Question<'_>) -> Plan {
    assert!(question.event.is_none_or(|event| event.cause != POISON), "no idea what {POISON} is");
    assert!(question.index.tags().is_none_or(|stamp| stamp.value != tags(POISON)), "no idea what {POISON} is");
    plan(question)
}

/// A change event as a later release writes it, with one more field, and the schema that it publishes.
fn newer(value: &[u8]) -> (PublishedSchema, Vec<u8>) {
    let newest = Codec::published().unwrap().filter(|one| one.kind == RecordKind::ChangeEvent).last().unwrap();
    let mut schema: serde_json::Value = serde_json::from_str(newest.schema).unwrap();
    let mood = serde_json::json!({ "name": "mood", "type": "string", "default": "" });
    schema["fields"].as_array_mut().unwrap().push(mood);
    let text = schema.to_string();
    let fingerprint = Codec::new().unwrap().learn(&text).unwrap();
    // Marker and fingerprint, the datum of before, and a string of one letter.
    let value = [&[0xc3, 0x01][..], &fingerprint.to_le_bytes(), &value[10..], &[2, b'x']].concat();
    let published = PublishedSchema {
        fingerprint: format!("{fingerprint:016x}"),
        record: RecordKind::ChangeEvent,
        version: newest.version + 1,
        schema: serde_json::from_str(&text).unwrap(),
    };
    (published, value)
}

async fn lab() -> Lab {
    Lab::with(Setup { plan: breaks, ..Setup::default() }).await
}

/// Scenario: the plan panics over one change event, and later understands it (the upgrade).
/// Guarantee: its partition is given back, with nothing committed and the record's coordinates on record and told, once;
/// other records go on; once it is done, that is told too.
#[tokio::test(start_paused = true)]
async fn a_plan_that_breaks_holds_the_partition_and_nothing_else() {
    let lab = lab().await;
    let version = lab.put_body("hello");
    let mut birth = lab.event(&version, Told::Born).await;
    birth.cause = POISON.to_owned();
    let record = lab.change_record(lab.codec.encode_change(&birth).unwrap().into());
    let partition: TopicPartition = record.position.partition.clone();
    for _ in 0..2 {
        let mut slot = Slot::free();
        lab.apply.handle(&mut slot, std::slice::from_ref(&record)).await;
        assert!(slot.given_back(), "it is not done");
    }
    assert_eq!(lab.at_target(&version).await, Reading::Absent);
    let stuck = lab.holds.control().stuck(&partition).unwrap();
    assert_eq!(stuck.offset, record.position.offset);
    assert!(stuck.message.contains(POISON), "{}", stuck.message);
    assert_eq!((stuck.source, stuck.bucket), (birth.site.clone(), Some(birth.bucket.clone())));
    let told = lab.heard.events();
    assert_eq!(told.len(), 1, "told once");
    let data: HoldTold = serde_json::from_value(told[0].data.clone()).unwrap();
    assert_eq!((data.reason.as_str(), data.bucket.as_deref()), (Stuck::REASON, Some("bucket")));
    assert!(lab.letters().is_empty() && lab.seen.told().events.is_empty());

    let other = lab.put_body("other");
    lab.born(&other).await;
    lab.assert_same(&other).await;
    assert!(lab.holds.control().stuck(&partition).is_some(), "another record says nothing about it");

    birth.cause = "understood".to_owned();
    let value = lab.codec.encode_change(&birth).unwrap();
    lab.handle(&twinlog_log::Fetched { value: Some(value.into()), ..record }).await;
    lab.assert_same(&version).await;
    assert!(lab.holds.control().stuck(&partition).is_none());
    let told: Vec<_> = lab.heard.events().iter().filter_map(twinlog_schemas::CloudEvent::event_type).collect();
    assert_eq!(told, [EventType::HoldBegun, EventType::HoldEnded]);
}

/// Scenario: acting panics over one change event, on its way to the target's store.
/// Guarantee: the same, and the next try applies it.
#[tokio::test(start_paused = true)]
async fn an_act_that_breaks_holds_the_partition_and_nothing_else() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    let birth = lab.event(&version, Told::Born).await;
    let record = lab.change_record(lab.codec.encode_change(&birth).unwrap().into());
    lab.target.push("put_object", Fault::Panic);
    let mut slot = Slot::free();
    lab.apply.handle(&mut slot, std::slice::from_ref(&record)).await;
    assert!(slot.given_back(), "it is not done");
    assert!(lab.holds.control().stuck(&record.position.partition).is_some());
    lab.handle(&record).await;
    lab.assert_same(&version).await;
    assert!(lab.holds.control().stuck(&record.position.partition).is_none());
}

/// Guarantee: the same of a fact: it is merged, and not committed.
#[tokio::test(start_paused = true)]
async fn a_fact_over_which_the_plan_breaks_is_not_done() {
    let lab = lab().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    let fact = lab.tags_fact("east", &version, POISON, Basis::Known);
    let position = lab.say(&fact).await;
    let value = lab.codec.encode_fact(&fact).unwrap();
    let record = twinlog_log::Fetched { position: position.clone(), ..lab.change_record(value.into()) };
    let mut slot = Slot::free();
    lab.apply.handle(&mut slot, std::slice::from_ref(&record)).await;
    assert!(slot.given_back());
    assert_eq!(lab.holds.control().stuck(&position.partition).unwrap().offset, position.offset);
    assert!(lab.holds.control().skipped().is_empty());
}

/// Scenario: a newer release wrote a record; it publishes its schema in the control topic a while later, and the process
/// learns it.
/// Guarantee: the record waits, and is then applied like any other, with what this release knows of it.
#[tokio::test(start_paused = true)]
async fn a_record_of_a_newer_release_is_read_once_its_schema_is_published() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    let (schema, value) = newer(&lab.codec.encode_change(&lab.event(&version, Told::Born).await).unwrap());
    let record = lab.change_record(value.into());
    let learning = async {
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(lab.holds.all().len(), 1, "the link is held");
        assert_eq!(lab.at_target(&version).await, Reading::Absent);
        lab.holds.control().put(Entry::Schema(schema)).await;
        let published = lab.holds.control().schemas().remove(0);
        lab.codec.learn(published.verified().unwrap()).unwrap();
    };
    tokio::join!(lab.handle(&record), learning);
    assert_eq!(lab.seen.last().0, Outcome::Applied);
    lab.assert_same(&version).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(lab.holds.all().is_empty() && lab.letters().is_empty());
}
