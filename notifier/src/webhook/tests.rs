//! Delivery on an in-memory log, with a receiver that fails, refuses, and is away for too long.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;
use twinlog_log::Backoff;

use super::{Courier, Patience, Webhook, signature};
use crate::http::Answer;
use crate::observe::{Observer, Sent};
use crate::tests::{Scripted, World, site};

#[derive(Default)]
struct Counts(Mutex<Vec<Sent>>);

impl Observer for Counts {
    fn told(&self, _: &'static str) {}
    fn sent(&self, _: &str, how: Sent) {
        self.0.lock().unwrap().push(how);
    }
    fn gap(&self, _: &str, _: i64) {}
}

fn courier(world: &World, to: &Arc<Scripted>, counts: &Arc<Counts>) -> JoinHandle<()> {
    let courier = Courier {
        here: site("west"),
        home: Arc::new(world.log.clone()),
        topic: world.topics.events(&site("west")),
        group: world.topics.group(&site("west"), "notify.pager"),
        webhook: Webhook {
            name: "pager".into(),
            post: Arc::<Scripted>::clone(to),
            secret: b"s3cret".to_vec(),
            patience: Patience { backoff: Backoff::PROMPT, give_up_after: Duration::from_secs(3_600) },
        },
        clock: Arc::clone(&world.clock),
        ids: world.ids.clone(),
        observer: Arc::<Counts>::clone(counts),
    };
    tokio::spawn(async move { courier.run().await })
}

fn again() -> Answer {
    Answer::Again { why: "HTTP 500".into(), after: None }
}

/// Scenario: a receiver fails twice, and the process is killed meanwhile. Guarantees: the same body under the same id
/// until it is taken, each time signed, and never again after that.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_was_not_taken_comes_again_under_the_same_id() {
    let world = World::new().await;
    let (notifier, counts) = (world.start(), Arc::new(Counts::default()));
    let away = Scripted::new(vec![again(); 10_000]);
    let first = courier(&world, &away, &counts);
    sleep(Duration::from_secs(1)).await;
    world.letter(0).await;
    sleep(Duration::from_secs(20)).await;
    first.abort();
    assert!(away.taken.lock().unwrap().len() > 1);
    let back = Scripted::new(vec![again(), again()]);
    let second = courier(&world, &back, &counts);
    sleep(Duration::from_secs(20)).await;
    second.abort();
    let third = courier(&world, &back, &counts);
    sleep(Duration::from_secs(20)).await;
    let all: Vec<_> = [&away, &back].iter().flat_map(|to| to.taken.lock().unwrap().clone()).collect();
    assert_eq!(back.taken.lock().unwrap().len(), 3, "two failures, then once");
    for (body, headers) in &all {
        assert_eq!(body, &all[0].0);
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        assert_eq!(header("webhook-id"), world.told()[0].id);
        let signed = header(signature::HEADER);
        let seconds: i64 = signed.split(&['=', ','][..]).nth(1).unwrap().parse().unwrap();
        assert_eq!(signed, signature::sign(b"s3cret", seconds, body));
    }
    assert_eq!(counts.0.lock().unwrap().iter().filter(|how| **how == Sent::Delivered).count(), 1);
    third.abort();
    notifier.abort();
}

/// Scenario: one notification is refused, another not taken for longer than the receiver is waited for. Guarantees: both
/// are given up and counted, and what comes after them is delivered.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_is_refused_or_too_old_is_given_up_and_counted() {
    let world = World::new().await;
    let (notifier, counts) = (world.start(), Arc::new(Counts::default()));
    let refusing = Scripted::new(vec![Answer::Refused { why: "HTTP 410".into() }]);
    let first = courier(&world, &refusing, &counts);
    sleep(Duration::from_secs(1)).await;
    world.letter(0).await;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(*counts.0.lock().unwrap(), [Sent::GivenUp]);
    first.abort();
    let away = Scripted::new(vec![again(); 100_000]);
    let second = courier(&world, &away, &counts);
    world.letter(1).await;
    sleep(Duration::from_secs(3_000)).await;
    assert_eq!(counts.0.lock().unwrap().iter().filter(|how| **how == Sent::GivenUp).count(), 1);
    sleep(Duration::from_secs(1_000)).await;
    assert!(counts.0.lock().unwrap().iter().filter(|how| **how == Sent::GivenUp).count() >= 2);
    away.answers.lock().unwrap().clear();
    world.letter(2).await;
    sleep(Duration::from_secs(60)).await;
    assert!(counts.0.lock().unwrap().contains(&Sent::Delivered));
    second.abort();
    notifier.abort();
}
