//! Too many dead letters hold the bucket; what would have been one more waits and is not lost.

use std::time::Duration;

use bytes::Bytes;
use twinlog_log::lane::{Handler, Slot};
use twinlog_schemas::{Basis, EventType, Told};
use twinlog_site::SiteErrorKind;
use twinlog_site::fault::Fault;

use super::lab::{DEATHS, Lab, Setup, tags};
use crate::hold::Reason;
use crate::observe::Outcome;

/// Scenario: the target refuses one birth after the other.
/// Guarantee: the one that makes too many is no letter: the bucket is held, with the reason named, until a person lets it
/// go on; then that one is applied.
#[tokio::test(start_paused = true)]
async fn too_many_dead_letters_hold_the_bucket() {
    let lab = Lab::with(Setup { park_after: Some(Duration::from_secs(5)), ..Setup::default() }).await;
    let before = usize::try_from(DEATHS.letters).unwrap() - 1;
    for n in 0..before {
        lab.target.push("put_object", Fault::Reject(SiteErrorKind::Refused));
        lab.born(&lab.put_body(format!("{n}"))).await;
    }
    assert_eq!((lab.letters().len(), lab.held()), (before, None));
    let version = lab.put_body("one more");
    let birth = lab.event(&version, Told::Born).await;
    let record = lab.change_record(lab.codec.encode_change(&birth).unwrap().into());
    lab.target.push("put_object", Fault::Reject(SiteErrorKind::Refused));
    let mut slot = Slot::free();
    lab.apply.handle(&mut slot, std::slice::from_ref(&record)).await;
    assert!(slot.given_back(), "it comes again");
    assert_eq!((lab.letters().len(), lab.held()), (before, Some(Reason::TooManyDeadLetters)));
    let told = lab.heard.events();
    assert_eq!(told[0].event_type(), Some(EventType::HoldBegun));
    assert!(told[0].data["message"].as_str().unwrap().contains("5 of 5 records within 10 minutes"), "{:?}", told[0]);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(lab.held(), Some(Reason::TooManyDeadLetters), "nobody but a person ends it");

    lab.release().await;
    lab.handle(&record).await;
    lab.assert_same(&version).await;
    assert_eq!((lab.letters().len(), lab.held()), (before, None));
}

/// Guarantee: a few dead letters among many good records stop nobody.
#[tokio::test(start_paused = true)]
async fn a_small_share_of_dead_letters_stops_nobody() {
    let lab = Lab::new().await;
    for n in 0..30 {
        if n % 3 == 0 {
            lab.target.push("put_object", Fault::Reject(SiteErrorKind::Refused));
        }
        lab.born(&lab.put_body(format!("{n}"))).await;
    }
    assert_eq!((lab.letters().len(), lab.held()), (10, None));
}

/// Scenario: facts are refused.
/// Guarantee: the one that makes too many is left, and repeated when a person lets the bucket go on.
#[tokio::test(start_paused = true)]
async fn a_fact_that_would_be_one_too_many_is_repeated() {
    let lab = Lab::with(Setup { park_after: Some(Duration::from_secs(5)), ..Setup::default() }).await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    for n in 0..DEATHS.letters {
        lab.target.push("put_tags", Fault::Reject(SiteErrorKind::Refused));
        lab.apply_fact(&lab.tags_fact("east", &version, &format!("{n}"), Basis::Known)).await;
    }
    assert_eq!((lab.seen.last_fact(), lab.held()), (Outcome::Held, Some(Reason::TooManyDeadLetters)));
    assert_eq!(lab.letters().len() as u64, DEATHS.letters - 1);
    lab.release().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.object(&version).await.tags, tags("4"));
    assert!(lab.holds.control().skipped().is_empty());
}

/// Scenario: somebody writes nonsense into the bucket's change topic, over and over.
#[tokio::test(start_paused = true)]
async fn a_flood_of_nonsense_holds_the_bucket_too() {
    let lab = Lab::new().await;
    for n in 0..20 {
        let record = lab.change_record(Bytes::from(format!("nonsense {n}")));
        let mut slot = Slot::free();
        lab.apply.handle(&mut slot, std::slice::from_ref(&record)).await;
        assert_eq!(slot.given_back(), n + 1 >= DEATHS.letters, "{n}");
    }
    assert_eq!(lab.letters().len() as u64, DEATHS.letters - 1);
    assert_eq!(lab.held(), Some(Reason::TooManyDeadLetters));
}
