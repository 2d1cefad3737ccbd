//! The barrier: a value that nothing explains is not overwritten before its site has answered.

use std::time::Duration;

use twinlog_schemas::{
    Answer, Basis, ExamineCause, Fact, FactBody, Removal, Retention, RetentionMode, StoreReading, VersionRef,
};
use twinlog_site::Reading;
use twinlog_site::fault::Fault;

use super::lab::{Lab, tags};
use crate::observe::Outcome;

fn answer(lab: &Lab, version: &VersionRef, doubt_id: twinlog_schemas::EventId) -> Fact {
    let reading = StoreReading { present: true, tags: tags("mine"), retention: None, legal_hold: false };
    lab.fact("west", version, FactBody::Answer(Answer { doubt_id, reading }))
}

/// Scenario: a client at the target has tagged, no notice has come yet, and the source's tags arrive.
/// Guarantee: the target's own site is asked, after the sure door's time; nothing is overwritten before the answer.
#[tokio::test(start_paused = true)]
async fn an_unexplained_value_is_asked_about() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("mine")).unwrap();
    let asked_at = tokio::time::Instant::now();
    let fact = lab.tags_fact("east", &version, "theirs", Basis::Known);
    let answering = async {
        let id = lab.doubted(1).await;
        assert!(asked_at.elapsed().as_secs() >= 8, "the sure door has its time first");
        let doubt = lab.doubts().pop().unwrap();
        assert_eq!((doubt.cause, doubt.may_create), (ExamineCause::Doubt, false));
        assert_eq!(doubt.version_id.as_ref(), Some(&version.version_id));
        tokio::time::sleep(std::time::Duration::from_secs(30)).await;
        assert_eq!(lab.object(&version).await.tags, tags("mine"), "nothing is overwritten before the answer");
        lab.say(&lab.tags_fact("west", &version, "mine", Basis::Unknown)).await;
        lab.say(&answer(&lab, &version, id)).await;
    };
    tokio::join!(lab.apply_fact(&fact), answering);
    // KNOWN beats UNKNOWN.
    assert_eq!(lab.seen.last_fact(), Outcome::Applied);
    assert_eq!(lab.object(&version).await.tags, tags("theirs"));
    assert_eq!((lab.doubts().len(), lab.seen.told().doubts), (1, 1));
}

/// Scenario: as before, but the client's own notice has come by the time of the answer, and is the later change.
#[tokio::test(start_paused = true)]
async fn a_clients_later_change_survives_the_doubt() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    let fact = lab.tags_fact("east", &version, "theirs", Basis::Known);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("mine")).unwrap();
    let known = lab.tags_fact("west", &version, "mine", Basis::Known);
    let answering = async {
        let id = lab.doubted(1).await;
        lab.say(&known).await;
        lab.say(&answer(&lab, &version, id)).await;
    };
    tokio::join!(lab.apply_fact(&fact), answering);
    assert_eq!(lab.seen.last_fact(), Outcome::Unchanged);
    assert_eq!(lab.object(&version).await.tags, tags("mine"));
}

/// Scenario: the client changes the value once more while the doubt is under way, and an answer gets lost.
/// Guarantees: asked again until answered; the new value is a doubt of its own.
#[tokio::test(start_paused = true)]
async fn a_doubt_is_asked_until_it_is_answered_and_again_for_another_value() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("mine")).unwrap();
    let fact = lab.tags_fact("east", &version, "theirs", Basis::Known);
    let answering = async {
        let lost = lab.doubted(1).await;
        let second = lab.doubted(2).await;
        assert_ne!(lost, second);
        lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("other")).unwrap();
        lab.say(&lab.tags_fact("west", &version, "mine", Basis::Unknown)).await;
        lab.say(&answer(&lab, &version, second)).await;
        let third = lab.doubted(3).await;
        assert_eq!(lab.object(&version).await.tags, tags("other"));
        lab.say(&lab.tags_fact("west", &version, "other", Basis::Unknown)).await;
        lab.say(&answer(&lab, &version, third)).await;
    };
    tokio::join!(lab.apply_fact(&fact), answering);
    assert_eq!(lab.object(&version).await.tags, tags("theirs"));
    assert_eq!(lab.seen.told().doubts, 2, "two values were in doubt");
}

/// Scenario: while the sure door is given its time, the client changes the value in doubt; the answer names the new one.
/// Guarantee: the new value's own notice is given the same time.
#[tokio::test(start_paused = true)]
async fn a_value_that_comes_while_another_is_in_doubt_is_a_doubt_of_its_own() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("before")).unwrap();
    let fact = lab.tags_fact("east", &version, "theirs", Basis::Known);
    let answering = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("mine")).unwrap();
        let first = lab.doubted(1).await;
        lab.say(&lab.tags_fact("west", &version, "before", Basis::Known)).await;
        lab.say(&answer(&lab, &version, first)).await;
        let second = lab.doubted(2).await;
        assert_eq!(lab.object(&version).await.tags, tags("mine"), "its notice is under way");
        lab.say(&lab.tags_fact("west", &version, "mine", Basis::Known)).await;
        lab.say(&answer(&lab, &version, second)).await;
    };
    tokio::join!(lab.apply_fact(&fact), answering);
    assert_eq!(lab.object(&version).await.tags, tags("mine"));
}

/// Scenario: an unexplained legal hold stands in the way of a removal.
/// Guarantee: the removal waits for the answer; the hold turns out to be a client's, so it refuses.
#[tokio::test(start_paused = true)]
async fn an_unexplained_lock_stops_a_removal() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.at_west.legal_hold(&lab.bucket, &lab.key, None, true).unwrap();
    let removal =
        Removal { removed_at_ns: lab.east.now_ns(), cause: "test".into(), lifecycle: false, locks_seen: None };
    let fact = lab.fact("east", &version, FactBody::Removed(removal));
    let answering = async {
        lab.doubted(1).await;
        lab.say(&lab.fact("west", &version, FactBody::LegalHold(lab.stamp("west", true, Basis::Unknown)))).await;
        lab.answers(1, &version).await;
    };
    tokio::join!(lab.apply_fact(&fact), answering);
    assert_eq!(lab.seen.last_fact(), Outcome::Dead);
    assert!(matches!(lab.at_target(&version).await, Reading::Object(_)));
}

/// Scenario: the value at the target is one of ours, written by a request of unknown outcome for which there is no
/// receipt; its stamp has been replaced by a later one of the same site. The target's own site has said KNOWN before,
/// so its answer brings no stamp of what it finds.
/// Guarantee: the answer itself ends the doubt.
#[tokio::test(start_paused = true)]
async fn an_answer_without_a_stamp_ends_the_doubt() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.apply_fact(&lab.tags_fact("east", &version, "before", Basis::Known)).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    lab.at_west.tag(&lab.bucket, &lab.key, None, &tags("mine")).unwrap();
    let fact = lab.tags_fact("east", &version, "theirs", Basis::Known);
    let answering = async {
        let id = lab.doubted(1).await;
        lab.say(&answer(&lab, &version, id)).await;
    };
    tokio::join!(lab.apply_fact(&fact), answering);
    assert_eq!(lab.object(&version).await.tags, tags("theirs"));
    assert_eq!(lab.doubts().len(), 1);
}

/// Guarantee: of a lock that stands in the way of a removal, an answer without a stamp makes a client's.
#[tokio::test(start_paused = true)]
async fn an_answer_without_a_stamp_never_breaks_a_lock() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    lab.at_west.legal_hold(&lab.bucket, &lab.key, None, true).unwrap();
    let removal =
        Removal { removed_at_ns: lab.east.now_ns(), cause: "test".into(), lifecycle: false, locks_seen: None };
    let fact = lab.fact("east", &version, FactBody::Removed(removal));
    let answering = async {
        lab.answers(1, &version).await;
    };
    tokio::join!(lab.apply_fact(&fact), answering);
    assert_eq!(lab.seen.told().letters, ["lock-refuses-removal"]);
    assert!(matches!(lab.at_target(&version).await, Reading::Object(_)));
}

/// Scenario: a client puts COMPLIANCE on the version after the target was read and before the write arrives there.
/// Guarantee: the refusal leads to reading again, so to a doubt, and not to a dead letter.
#[tokio::test(start_paused = true)]
async fn a_lock_that_comes_in_between_is_no_dead_letter() {
    let lab = Lab::new().await;
    let version = lab.put_body("hello");
    lab.born(&version).await;
    let until_ms = lab.east.now_ns() / 1_000_000 + 3_600_000;
    let lock = |mode, until_ms| Some(Retention { mode, until_ms });
    let theirs = lab.stamp("east", lock(RetentionMode::Governance, until_ms), Basis::Known);
    let mine = lock(RetentionMode::Compliance, until_ms + 1_000);
    lab.target.push("put_retention", Fault::RespondSlowly(Duration::from_secs(2)));
    let fact = lab.fact("east", &version, FactBody::Retention { latest: theirs, compliance: None });
    let answering = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        lab.at_west.retain(&lab.bucket, &lab.key, None, mine, false).unwrap();
        let doubt_id = lab.doubted(1).await;
        let latest = lab.stamp("west", mine, Basis::Unknown);
        lab.say(&lab.fact("west", &version, FactBody::Retention { latest: latest.clone(), compliance: Some(latest) }))
            .await;
        let reading = StoreReading { present: true, tags: Default::default(), retention: mine, legal_hold: false };
        lab.say(&lab.fact("west", &version, FactBody::Answer(Answer { doubt_id, reading }))).await;
    };
    tokio::join!(lab.apply_fact(&fact), answering);
    assert!(lab.letters().is_empty());
    assert_eq!(lab.object(&version).await.retention, mine);
}

/// Scenario: a client at the target has removed a marker that replication put there, and the marker's birth is told once
/// more (a store repeats a marker's event when what is deleted is deleted again) before any notice of the removal.
/// Guarantee: the target's own site is asked before it is put back; it stays removed if that is what comes to light.
#[tokio::test(start_paused = true)]
async fn a_marker_that_is_gone_is_asked_about() {
    for removed in [true, false] {
        let lab = Lab::new().await;
        lab.put_body("hello");
        let marker = lab.version(&lab.at_east.delete(&lab.bucket, &lab.key).unwrap().version_id.unwrap());
        lab.born(&marker).await;
        lab.at_west.delete_version(&marker, false).unwrap();
        let answering = async {
            let doubt_id = lab.doubted(1).await;
            assert_eq!(lab.at_target(&marker).await, Reading::Absent);
            if removed {
                let removal = Removal {
                    removed_at_ns: lab.west.now_ns(),
                    cause: "test".into(),
                    lifecycle: false,
                    locks_seen: None,
                };
                lab.say(&lab.fact("west", &marker, FactBody::Removed(removal))).await;
            }
            let reading = StoreReading { present: false, tags: Default::default(), retention: None, legal_hold: false };
            lab.say(&lab.fact("west", &marker, FactBody::Answer(Answer { doubt_id, reading }))).await;
        };
        tokio::join!(lab.born(&marker), answering);
        assert_eq!(lab.at_target(&marker).await == Reading::Absent, removed);
    }
}
