//! Dead letters: the causing record byte for byte, with where it stood and why.

use std::time::Duration;

use bytes::Bytes;
use twinlog_log::{Fetched, Headers};
use twinlog_schemas::Told;
use twinlog_site::fault::Fault;
use twinlog_site::{Body, Precondition, Site, SiteErrorKind};

use super::lab::{Lab, Setup};
use crate::dead::{BUCKET, REASON, SOURCE};
use crate::observe::Outcome;
use crate::plan::Attributes;
use crate::transfer::replica;

fn text<'a>(headers: &'a Headers, name: &str) -> &'a str {
    std::str::from_utf8(headers.last(name).unwrap()).unwrap()
}

fn assert_letter(lab: &Lab, record: &Fetched, reason: &str) {
    let letters = lab.letters();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!((&letter.key, &letter.value), (&record.key, &record.value), "byte for byte");
    let headers = &letter.headers;
    assert_eq!(text(headers, "traceparent"), "00-abc", "the record's own headers stay");
    assert_eq!(text(headers, REASON), reason);
    let from = &record.position;
    assert_eq!(text(headers, "__connect.errors.topic"), from.partition.topic.as_str());
    assert_eq!(text(headers, "__connect.errors.offset"), from.offset.to_string());
    assert_eq!(text(headers, "__connect.errors.exception.class.name"), format!("twinlog.{reason}"));
    assert_eq!(headers.last("kafka_dlt-original-offset"), Some(&from.offset.to_be_bytes()[..]));
    assert_eq!(headers.last("kafka_dlt-original-partition"), Some(&from.partition.partition.to_be_bytes()[..]));
    let timestamp = record.timestamp_ms.unwrap().to_be_bytes();
    assert_eq!(headers.last("kafka_dlt-original-timestamp"), Some(&timestamp[..]));
}

#[tokio::test(start_paused = true)]
async fn another_object_under_the_same_id_is_a_dead_letter() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    let event = lab.event(&version, Told::Born).await;
    let other = replica(&event, event.object.as_ref().unwrap(), &Attributes::default(), false);
    lab.west.put_object(&other, Body::Bytes(Bytes::from_static(b"other")), &Precondition::Absent).await.unwrap();
    let record = lab.change_record(lab.codec.encode_change(&event).unwrap().into());
    lab.handle(&record).await;
    assert_eq!(lab.seen.last(), (Outcome::Dead, "identity-differs"));
    assert_letter(&lab, &record, "identity-differs");
    let letter = &lab.letters()[0];
    assert_eq!((text(&letter.headers, SOURCE), text(&letter.headers, BUCKET)), ("east", "bucket"));
    assert_eq!(lab.object(&version).await.body.unwrap(), "other", "nothing is overwritten");
    assert!(lab.receipts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_not_ours_is_a_dead_letter() {
    for value in [&b""[..], b"hello", b"{\"json\": true}", b"\xc3\x01"] {
        let lab = Lab::new().await;
        let record = lab.change_record(Bytes::from_static(value));
        lab.handle(&record).await;
        assert_letter(&lab, &record, "not-avro");
        let version = lab.put_body("hello");
        lab.born(&version).await;
        lab.assert_same(&version).await;
    }
}

/// Guarantee: what a newer release wrote waits for the upgrade, and is never a dead letter.
#[tokio::test(start_paused = true)]
async fn an_unknown_schema_is_waited_for() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    let mut value = lab.codec.encode_change(&lab.event(&version, Told::Born).await).unwrap();
    value[2] ^= 0xff;
    let record = lab.change_record(value.into());
    assert!(lab.waits(&record, Duration::from_secs(3_000)).await);
    assert!(lab.letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_target_refuses_for_good_is_a_dead_letter() {
    let reasons = [
        (SiteErrorKind::NameRefused, "name-refused"),
        (SiteErrorKind::TooLarge, "too-large"),
        (SiteErrorKind::CustomerKey, "customer-key"),
        (SiteErrorKind::Refused, "refused"),
    ];
    for (kind, reason) in reasons {
        let lab = Lab::with(Setup::default()).await;
        let version = lab.put_body("hello");
        lab.target.push("put_object", Fault::Reject(kind));
        let event = lab.event(&version, Told::Born).await;
        let record = lab.change_record(lab.codec.encode_change(&event).unwrap().into());
        lab.handle(&record).await;
        assert_letter(&lab, &record, reason);
    }
}
