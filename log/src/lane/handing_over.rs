//! How lanes are handed over, and what an owner that comes late can say.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::tests::{Recorder, committed, data, log_with, mark_of, put, run};
use super::{Before, LaneConfig};
use crate::{Committed, Ledger, Log, MemoryLog};

/// What was said of the lane that the first partition belongs to.
fn of_lane_0(prepared: Vec<(i32, Before)>) -> Before {
    prepared.into_iter().find_map(|(lane, before)| (lane == 0).then_some(before)).unwrap()
}

/// How an owner of which one call waits stops: how long it takes, and what the next owner knows of it.
async fn stopped_with_a_call_that_waits(handler: Recorder, drain: Duration) -> (Duration, Before) {
    let log = log_with(2).await;
    *handler.closed.lock().unwrap() = Some(Bytes::from_static(b"a"));
    put(&log, 0, "a").await;
    put(&log, 0, "b").await;
    let (handler, config) = (Arc::new(handler), LaneConfig { drain, ..LaneConfig::default() });
    let running = run(&log, "one", &handler, config);
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
    let stopped = stopped_with_a_call_that_waits(Recorder::default(), Duration::from_secs(10)).await;
    assert_eq!(stopped, (Duration::ZERO, Before::Clean));
}

/// Scenario: a lane is given up while a call waits, which has sent something of which nobody knows what became of it.
/// Guarantee: the lane is handed over once that can act no more; where that is later than a drain may take, it is not.
#[tokio::test(start_paused = true)]
async fn what_may_still_act_is_waited_out_before_a_lane_is_handed_over() {
    let acts_for = |seconds| Recorder { acts_for: Some(Duration::from_secs(seconds)), ..Recorder::default() };
    let drain = Duration::from_secs(10);
    let stopped = stopped_with_a_call_that_waits(acts_for(7), drain).await;
    assert_eq!(stopped, (Duration::from_secs(7), Before::Clean));
    let (took, before) = stopped_with_a_call_that_waits(acts_for(11), drain).await;
    assert_eq!(took, drain);
    assert!(matches!(before, Before::Unclean(_)), "{before:?}");
}

/// Scenario: a lane is given up while a call is at work, and for longer than a drain may take.
/// Guarantee: it is given up at the deadline, and the next owner knows that it was not handed over.
#[tokio::test(start_paused = true)]
async fn a_call_at_work_is_given_up_at_the_deadline() {
    let drain = Duration::from_secs(10);
    let (took, before) = stopped_with_a_call_that_waits(Recorder { busy: true, ..Recorder::default() }, drain).await;
    assert_eq!(took, drain);
    assert!(matches!(before, Before::Unclean(_)), "{before:?}");
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
    assert_eq!(committed(&log, 0).await.handed_over_by(), Some(mark_of("one")));

    put(&log, 0, "a").await;
    let second = Arc::new(Recorder::default());
    let _killed = run(&log, "second", &second, LaneConfig::default());
    second.handled(1).await;
    assert_eq!(of_lane_0(second.prepared(2).await), Before::Clean);
    tokio::time::sleep(Duration::from_secs(1)).await;
    log.expel("lanes-group", "second");
    says_late(&log, &handed_over).await;

    let third = Arc::new(Recorder::default());
    let running = run(&log, "third", &third, LaneConfig::default());
    third.handled(1).await;
    let before = of_lane_0(third.prepared(2).await);
    assert!(matches!(before, Before::Unclean(_)), "{before:?}");
    running.stopped().await;
}
