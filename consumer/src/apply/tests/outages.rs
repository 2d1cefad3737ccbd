//! Errors that pass, and requests whose outcome is not known: they cost time and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use twinlog_log::lane::{Handler, Slot};
use twinlog_schemas::{Basis, EventType, Told, VersionRef};
use twinlog_site::fault::Fault;
use twinlog_site::memory::{Transit, TransitPlan};
use twinlog_site::{Reading, SiteErrorKind};

use super::lab::{Lab, Setup, both, tags};
use crate::failure::End;
use crate::observe::Outcome;

fn faults() -> Vec<Fault> {
    use SiteErrorKind as K;
    let rejections = [K::Unreachable, K::TimedOut, K::Throttled, K::Server, K::StorageFull, K::Expired];
    let mut all: Vec<_> = rejections.into_iter().map(Fault::Reject).collect();
    all.extend([Fault::FailAfterWrite, Fault::HoldResponse(Duration::from_secs(3))]);
    all.push(Fault::RespondSlowly(Duration::from_secs(3)));
    all
}

fn strike(lab: &Lab, operations: &[&'static str], fault: Fault) {
    operations.iter().for_each(|operation| lab.target.push(operation, fault));
}

#[tokio::test(start_paused = true)]
async fn births_end_right() {
    for (quirks, fault) in both().into_iter().flat_map(|quirks| faults().into_iter().map(move |f| (quirks.clone(), f)))
    {
        let lab = Lab::with(Setup { quirks, ..Setup::default() }).await;
        let version = lab.put_body("hello");
        strike(&lab, &["put_object", "put_object", "look", "bucket_state"], fault);
        lab.born(&version).await;
        lab.assert_same(&version).await;
        assert!(matches!(lab.seen.last().0, Outcome::Applied | Outcome::Unchanged), "{fault:?}");
        assert!(lab.letters().is_empty(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn markers_end_right() {
    for (quirks, fault) in both().into_iter().flat_map(|quirks| faults().into_iter().map(move |f| (quirks.clone(), f)))
    {
        let lab = Lab::with(Setup { quirks, ..Setup::default() }).await;
        lab.put_body("hello");
        let marker = lab.version(&lab.at_east.delete(&lab.bucket, &lab.key).unwrap().version_id.unwrap());
        strike(&lab, &["put_marker", "look", "look", "put_marker"], fault);
        lab.born(&marker).await;
        lab.assert_same(&marker).await;
        assert!(lab.letters().is_empty(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn removals_and_attributes_end_right() {
    for fault in faults() {
        let lab = Lab::new().await;
        let version = lab.put_body("hello");
        lab.born(&version).await;
        strike(&lab, &["put_tags", "look", "remove_version"], fault);
        lab.apply_fact(&lab.tags_fact("east", &version, "later", Basis::Known)).await;
        assert_eq!(lab.object(&version).await.tags, tags("later"), "{fault:?}");
        lab.at_east.delete_version(&version, false).unwrap();
        lab.apply(&lab.event(&version, Told::Removed).await).await;
        assert_eq!(lab.at_target(&version).await, Reading::Absent, "{fault:?}");
        assert!(lab.letters().is_empty(), "{fault:?}");
    }
}

/// Scenario: a write's answer does not come; then one is refused.
/// Guarantee: only of the first its lane knows that it may still act, and for how long.
#[tokio::test(start_paused = true)]
async fn a_lane_knows_until_when_a_write_may_act() {
    for (fault, seconds) in [(Fault::FailAfterWrite, Some(11)), (Fault::Reject(SiteErrorKind::Throttled), None)] {
        let lab = Lab::new().await;
        let version = lab.put_body("hello");
        let event = lab.codec.encode_change(&lab.event(&version, Told::Born).await).unwrap();
        strike(&lab, &["put_object"], fault);
        let (began, mut slot) = (Instant::now(), Slot::free());
        lab.apply.handle(&mut slot, &[lab.change_record(event.into())]).await;
        assert_eq!(slot.acts_until().map(|until| (until - began).as_secs()), seconds, "{fault:?}");
    }
}

/// The first write of an operation is under way for 6 s, its sender waits for 1 s.
fn late(operation: &'static str) -> TransitPlan {
    let sent = Arc::new(AtomicUsize::new(0));
    Arc::new(move |of| {
        let first = of == operation && sent.fetch_add(1, Ordering::SeqCst) == 0;
        if !first {
            return Transit::default();
        }
        Transit { delay: Duration::from_secs(6), patience: Some(Duration::from_secs(1)), twice: false }
    })
}

async fn arrives_late(operation: &'static str, version: impl Fn(&Lab) -> VersionRef) {
    let lab = Lab::with(Setup { transit: Some(late(operation)), ..Setup::default() }).await;
    let version = version(&lab);
    lab.born(&version).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    lab.assert_same(&version).await;
    assert!(lab.letters().is_empty());
}

/// Scenario: the request acts long after its sender gave up.
/// Guarantee: nobody sends it again before it can act no more; a marker does not remove itself.
#[tokio::test(start_paused = true)]
async fn requests_that_arrive_late_act_once() {
    arrives_late("PutObject", |lab| lab.put_body("hello")).await;
    let marker = |lab: &Lab| lab.version(&lab.at_east.delete(&lab.bucket, &lab.key).unwrap().version_id.unwrap());
    arrives_late("DeleteObject", marker).await;
}

/// Scenario: the target is away for a while.
/// Guarantee: one looks, it is told once, and everything goes on as soon as the target answers.
#[tokio::test(start_paused = true)]
async fn a_target_that_is_away_opens_the_breaker() {
    let lab = Lab::new().await;
    lab.born(&lab.put_body("before")).await;
    let version = lab.put_body("hello");
    for _ in 0..3 {
        lab.target.push("put_object", Fault::Reject(SiteErrorKind::Unreachable));
    }
    for _ in 0..6 {
        lab.target.push("bucket_state", Fault::Reject(SiteErrorKind::Unreachable));
    }
    lab.born(&version).await;
    lab.assert_same(&version).await;
    assert_eq!(lab.seen.told().breakers, [(End::Target, true), (End::Target, false)]);
    let told: Vec<_> = lab.heard.events().into_iter().filter_map(|event| event.event_type()).collect();
    assert_eq!(told, [EventType::BreakerOpened, EventType::BreakerClosed]);
    assert!(lab.letters().is_empty());
}

/// Scenario: the target refuses every write of some records, as one with a full disk does, and answers reads; then it takes
/// them.
/// Guarantee: nobody is stopped, and nothing is dead; that nothing works there is told once after a minute, also on record,
/// and that it works again. Of two records that fail it is not told: they may be alone with it.
#[tokio::test(start_paused = true)]
async fn a_target_that_refuses_every_write_is_told_of() {
    for (records, told) in [(2, false), (3, true)] {
        let lab = Lab::new().await;
        let away = || lab.holds.control().away().into_values().next();
        let versions: Vec<_> = (0..records).map(|n| lab.put_body(format!("body {n}"))).collect();
        let mut changes = Vec::new();
        for version in &versions {
            let birth = lab.event(version, Told::Born).await;
            changes.push(lab.change_record(lab.codec.encode_change(&birth).unwrap().into()));
        }
        let refused = records * 12;
        for _ in 0..refused {
            lab.target.push("put_object", Fault::Reject(SiteErrorKind::StorageFull));
        }
        let all = futures::future::join_all(changes.iter().map(|change| lab.handle(change)));
        let looks = async {
            tokio::time::sleep(Duration::from_secs(59)).await;
            assert_eq!(away(), None);
            tokio::time::sleep(Duration::from_secs(61)).await;
            let message = away().map(|away| away.message);
            assert_eq!(message.is_some_and(|message| message.contains("nothing has worked there")), told, "{records}");
        };
        tokio::join!(all, looks);
        assert_eq!(away(), None);
        assert_eq!(lab.seen.told().retries.len(), refused);
        for version in &versions {
            lab.assert_same(version).await;
        }
        let heard: Vec<_> = lab.heard.events().into_iter().filter_map(|event| event.event_type()).collect();
        let expected: &[_] = if told { &[EventType::BreakerOpened, EventType::BreakerClosed] } else { &[] };
        assert_eq!((heard.as_slice(), lab.seen.told().breakers.len()), (expected, 0), "{records}");
        assert!(lab.letters().is_empty());
    }
}

/// Scenario: one key fails for ever with an error of its own, or because the disk is full, while another of its link
/// succeeds all the time, once, or never.
/// Guarantee: after an hour in which others succeeded it is a dead letter; a full disk never makes it one.
#[tokio::test(start_paused = true)]
async fn a_key_that_fails_alone_is_given_up() {
    use SiteErrorKind::{Server, StorageFull};
    for (kind, others, given_up) in
        [(Server, 0, false), (Server, 1, false), (Server, 1_400, true), (StorageFull, 1_400, false)]
    {
        let lab = Lab::new().await;
        let (first, version) = (lab.put_body("before"), lab.put_body("hello"));
        lab.born(&first).await;
        for _ in 0..2_000 {
            lab.target.push("put_object", Fault::Reject(kind));
        }
        let birth = lab.event(&version, Told::Born).await;
        let record = lab.change_record(lab.codec.encode_change(&birth).unwrap().into());
        let succeed = async {
            for n in 0..others {
                tokio::time::sleep(Duration::from_secs(5)).await;
                lab.apply_fact(&lab.tags_fact("east", &first, &n.to_string(), Basis::Known)).await;
            }
        };
        let (waits, ()) = tokio::join!(lab.waits(&record, Duration::from_secs(7_200)), succeed);
        assert_eq!(waits, !given_up, "{kind:?}, {others}");
        assert_eq!(lab.letters().len(), usize::from(given_up), "{kind:?}, {others}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_away_is_waited_for() {
    let lab = Lab::with(Setup { inline: 0, ..Setup::default() }).await;
    let version = lab.put_body("hello");
    for _ in 0..20 {
        lab.source.push("open", Fault::Reject(SiteErrorKind::Unreachable));
    }
    lab.born(&version).await;
    lab.assert_same(&version).await;
    assert!(lab.seen.told().retries.len() >= 20);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_has_it_no_more_is_superseded() {
    let lab = Lab::with(Setup { inline: 0, ..Setup::default() }).await;
    let version = lab.put_body("hello");
    let birth = lab.event(&version, Told::Born).await;
    lab.at_east.delete_version(&version, false).unwrap();
    lab.apply(&birth).await;
    assert_eq!(lab.seen.last(), (Outcome::Superseded, "source-gone"));
    assert!(lab.letters().is_empty());
}
