//! The story of a version: everything about it that stands in the log, for whoever looks into a failing seed.

use std::fmt::Write;

use twinlog_log::{Fetched, TopicPartition};
use twinlog_schemas::VersionRef;

use super::world::{LANES, World};

/// All records about a version, by topic, in order.
pub(super) fn of(world: &World, version: &VersionRef) -> String {
    let mut story = format!("story of {version}");
    for place in &world.places {
        for (topic, _) in world.topics_of(place) {
            for partition in 0..LANES {
                let at = TopicPartition { topic: topic.clone(), partition };
                for record in world.log.records(&at) {
                    if let Some(told) = told(world, version, &record) {
                        // Writing to a string cannot fail.
                        let _ = write!(story, "\n  {}@{} {told}", record.position.partition, record.position.offset);
                    }
                }
            }
        }
    }
    story
}

/// The last records of every partition: what a run that does not end is at.
pub(super) fn last(world: &World) -> String {
    let mut last = String::new();
    for place in &world.places {
        for (topic, _) in world.topics_of(place) {
            for partition in 0..LANES {
                for record in
                    world.log.records(&TopicPartition { topic: topic.clone(), partition }).iter().rev().take(3)
                {
                    let value = record.value.as_deref().unwrap_or_default();
                    let version = world.codec.decode_change(value).map(|event| event.version());
                    let version = version.or_else(|_| world.codec.decode_fact(value).map(|fact| fact.version()));
                    let told =
                        version.ok().and_then(|version| Some(format!("{version} {}", told(world, &version, record)?)));
                    let told = told.unwrap_or_else(|| String::from_utf8_lossy(value).into_owned());
                    let _ = write!(last, "\n  {}@{} {told}", record.position.partition, record.position.offset);
                }
            }
        }
    }
    last
}

fn told(world: &World, version: &VersionRef, record: &Fetched) -> Option<String> {
    let value = record.value.as_deref()?;
    if let Ok(event) = world.codec.decode_change(value) {
        return (event.version() == *version).then(|| {
            let object = event.object.as_ref();
            let stamps = object.map(|object| (&object.tags, &object.retention, &object.legal_hold));
            let (id, at) = (event.event_id, event.modified_at_ns);
            format!(
                "{:?} {:?} of {} at {at} ({id}) because {} {stamps:?}",
                event.kind, event.told, event.site, event.cause
            )
        });
    }
    if let Ok(fact) = world.codec.decode_fact(value) {
        return (fact.version() == *version)
            .then(|| format!("said at {} ({}) {:?}", fact.said_at_ns, fact.event_id, fact.body));
    }
    if let Ok(receipt) = world.codec.decode_receipt(value) {
        return (receipt.version() == *version).then(|| {
            let Retained { tags, retention, hold } =
                Retained { tags: &receipt.tags, retention: &receipt.retention, hold: receipt.legal_hold };
            let (wrote, at, id) = (receipt.wrote, receipt.written_at_ns, receipt.event_id);
            format!("wrote {wrote:?} at {at} ({id}) {tags:?} {retention:?} {hold:?}")
        });
    }
    let text = std::str::from_utf8(value).ok()?;
    let of_key = record.key.as_deref() == Some(format!("{}/{}", version.bucket, version.key).as_bytes());
    (of_key && (text.contains(version.version_id.as_str()) || !text.contains("versionId"))).then(|| text.to_owned())
}

struct Retained<'a> {
    tags: &'a Option<twinlog_schemas::Tags>,
    retention: &'a Option<twinlog_schemas::RetentionWritten>,
    hold: Option<bool>,
}
