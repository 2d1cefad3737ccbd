//! How lanes are handed over, and what an owner that comes late can say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::{Before, LaneConfig, Lease};
use super::{Recorder, committed, data, log_with, put, run, run_under, until_committed};
use crate::{Committed, Ledger, Log, MemoryLog};

const A: Bytes = Bytes::from_static(b"a");

/// What was said of the lane that the first partition belongs to.
fn of_lane_0(prepared: Vec<(i32, Before)>) -> Before {
    prepared.into_iter().find_map(|(lane, before)| (lane == 0).then_some(before)).unwrap()
}

/// How an owner of which one call waits stops: how long it takes, and what the next owner knows of it.
async fn stopped_with_a_call_that_waits(handler: Recorder) -> (Duration, Before) {
    let log = log_with(2).await;
    *handler.closed.lock().unwrap() = Some(A);
    put(&log, 0, "a").await;
    put(&log, 0, "b").await;
    let handler = Arc::new(handler);
    let running = run(&log, "one", &handler, LaneConfig::default());
    handler.handled(1).await;
    let began = Instant::now();
    running.stopped().await;
    let took = began.elapsed();

    let next = Arc::new(Recorder::default());
    let running = run(&log, "two", &next, LaneConfig::default());
    next.handled(1).await;
    let before = of_lane_0(next.prepared(2).await);
    running.stopped().await;
    assert_eq!(committed(&log, 0).await.start(), 2, "what waited is done by the next owner");
    (took, before)
}

/// Scenario: a lane is given up while a call only waits, for longer than a drain may take.
/// Guarantee: nothing waits for that call, and the lane is handed over.
#[tokio::test(start_paused = true)]
async fn a_call_that_only_waits_holds_nobody_up() {
    let stopped = stopped_with_a_call_that_waits(Recorder::default()).await;
    assert_eq!(stopped, (Duration::ZERO, Before::Clean));
}

/// Scenario: a lane is given up while a call waits, which has sent something of which nobody knows what became of it.
/// Guarantee: nothing waits for it, and the lane is not handed over unless that can act no more.
#[tokio::test(start_paused = true)]
async fn a_lane_of_which_something_may_still_act_is_not_handed_over() {
    let acted = |acts_for| Recorder { acts_for: Some(acts_for), ..Recorder::default() };
    let (took, before) = stopped_with_a_call_that_waits(acted(Duration::from_secs(11))).await;
    assert_eq!(took, Duration::ZERO);
    assert!(matches!(before, Before::Unclean(_)), "{before:?}");
    assert_eq!(stopped_with_a_call_that_waits(acted(Duration::ZERO)).await, (Duration::ZERO, Before::Clean));
}

/// Scenario: a lane is given up while a call is at work, and for longer than a drain may take.
/// Guarantee: it is given up at the deadline, and the next owner knows that it was not handed over.
#[tokio::test(start_paused = true)]
async fn a_call_at_work_is_given_up_at_the_deadline() {
    let (took, before) = stopped_with_a_call_that_waits(Recorder { busy: true, ..Recorder::default() }).await;
    assert_eq!(took, LaneConfig::default().drain);
    assert!(matches!(before, Before::Unclean(_)), "{before:?}");
}

/// Scenario: a lane is given up while a call is at work and another waits for its share; the first one ends.
/// Guarantee: the other does not begin, and the lane is handed over.
#[tokio::test(start_paused = true)]
async fn a_call_that_has_not_begun_does_not_begin_at_the_end() {
    let log = log_with(2).await;
    let handler = Arc::new(Recorder { busy: true, ..Recorder::default() });
    *handler.closed.lock().unwrap() = Some(A);
    put(&log, 0, "a").await;
    put(&log, 0, "b").await;
    let running = run(&log, "one", &handler, LaneConfig { concurrency: 1, ..LaneConfig::default() });
    handler.prepared(2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let opened = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        *handler.closed.lock().unwrap() = None;
        handler.changed.notify_waiters();
    };
    tokio::join!(running.stopped(), opened);
    assert_eq!(*handler.handled.lock().unwrap(), [("a".to_owned(), 0)]);
    assert_eq!(committed(&log, 0).await.start(), 1);
    assert!(committed(&log, 0).await.handed_over_by().is_some());
}

/// A process that was stopped while its lane became another's, and wakes, says what it knew.
async fn says_late(log: &MemoryLog, commit: &Committed) {
    log.reader("apply").await.unwrap().commit(&data(0), commit).await.unwrap();
}

/// Scenario: the owner of a lane has done everything; one that was stopped and has lost the lane wakes, and commits what it
/// had done by then.
/// Guarantee: what stands soon is what was done, without any new record.
#[tokio::test(start_paused = true)]
async fn a_late_commit_of_another_does_not_stay() {
    let log = log_with(2).await;
    let handler = Arc::new(Recorder::default());
    let running = run(&log, "two", &handler, LaneConfig::default());
    for _ in 0..3 {
        put(&log, 0, "a").await;
    }
    handler.handled(3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(committed(&log, 0).await.start(), 3);
    says_late(&log, &Ledger::at(1).commit()).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(committed(&log, 0).await.start(), 3);
    running.stopped().await;
    assert_eq!(handler.so_far(), 3);
}

/// Scenario: a process is stopped with work of which nothing is committed yet, until its session is over, and told to end
/// as it wakes, before it has heard of anything.
/// Guarantee: it commits nothing.
#[tokio::test(start_paused = true)]
async fn who_may_have_lost_the_lanes_says_nothing() {
    let log = log_with(2).await;
    let handler = Arc::new(Recorder::default());
    let uptime = Arc::new(Mutex::new(Duration::ZERO));
    let shown = Arc::clone(&uptime);
    let lease = Lease::new(Arc::new(move || *shown.lock().unwrap()));
    let running = run_under(&log, "one", &handler, lease.clone());
    put(&log, 0, "a").await;
    until_committed(&log, 0, 1).await;

    put(&log, 0, "a").await;
    handler.handled(2).await;
    *uptime.lock().unwrap() = Duration::from_secs(3_600);
    log.expel("lanes-group", "one");
    assert!(!lease.holds());
    running.stopped().await;
    assert_eq!(committed(&log, 0).await.start(), 1);
    assert_eq!(committed(&log, 0).await.handed_over_by(), None);
}

/// Scenario: an owner has drained its lane and is stopped before it can say so. Another gets the lane and works; the first one
/// wakes and says that it has handed over; the other ends without a word.
/// Guarantee: the next owner does not believe that nothing is under way.
#[tokio::test(start_paused = true)]
async fn a_late_hand_over_says_nothing_of_who_came_after() {
    let log = log_with(2).await;
    put(&log, 0, "a").await;
    let first = Arc::new(Recorder::default());
    let running = run(&log, "one", &first, LaneConfig::default());
    first.handled(1).await;
    running.stopped().await;
    let handed_over = log.committed("apply", &[data(0)]).await.unwrap().remove(&data(0)).unwrap();
    assert!(committed(&log, 0).await.handed_over_by().is_some());

    put(&log, 0, "a").await;
    let second = Arc::new(Recorder::default());
    let _killed = run(&log, "two", &second, LaneConfig::default());
    second.handled(1).await;
    assert_eq!(of_lane_0(second.prepared(2).await), Before::Clean);
    tokio::time::sleep(Duration::from_secs(1)).await;
    log.expel("lanes-group", "two");
    says_late(&log, &handed_over).await;

    let third = Arc::new(Recorder::default());
    let running = run(&log, "three", &third, LaneConfig::default());
    third.handled(1).await;
    let before = of_lane_0(third.prepared(2).await);
    assert!(matches!(before, Before::Unclean(_)), "{before:?}");
    running.stopped().await;
}

/// Scenario: of two lanes that a process gets, one was handed over.
/// Guarantee: it begins at once, while what the owner before had begun in the other is waited out.
#[tokio::test(start_paused = true)]
async fn a_lane_that_was_handed_over_waits_for_no_other() {
    let log = log_with(2).await;
    let one = Arc::new(Recorder { busy: true, ..Recorder::default() });
    *one.closed.lock().unwrap() = Some(A);
    put(&log, 0, "a").await;
    put(&log, 1, "b").await;
    let running = run(&log, "one", &one, LaneConfig::default());
    one.handled(1).await;
    running.stopped().await;

    put(&log, 1, "c").await;
    let expiry = Duration::from_secs(60);
    let (two, began) = (Arc::new(Recorder { expiry, ..Recorder::default() }), Instant::now());
    let running = run(&log, "two", &two, LaneConfig::default());
    two.handles("c").await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    two.handles("a").await;
    assert_eq!(began.elapsed(), expiry);
    running.stopped().await;
}
