//! The sender on an in-memory log, with an Alertmanager that fails first.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;
use twinlog_control::{Entry, Key, Standing};

use super::{Alertmanager, Sender};
use crate::http::Answer;
use crate::observe::Ignore;
use crate::subject::{Kind, Subject};
use crate::tests::{Scripted, World, site};

/// The ends of the alerts that were posted, in order, milliseconds since the Unix epoch.
fn ends_ms(to: &Scripted) -> Vec<i64> {
    let end = |body: &[u8]| {
        let alerts: serde_json::Value = serde_json::from_slice(body).unwrap();
        let end = OffsetDateTime::parse(alerts[0]["endsAt"].as_str().unwrap(), &Rfc3339).unwrap();
        i64::try_from(end.unix_timestamp_nanos() / 1_000_000).unwrap()
    };
    to.taken.lock().unwrap().iter().map(|(body, _)| end(body)).collect()
}

/// Scenario: something stands, and ends. Guarantees: an Alertmanager that did not take it is told again soon, then of what
/// stands at every repeat with an end in the future, of the end at once and for a while, and then of nothing.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_stands_is_repeated_and_its_end_is_told() {
    let world = World::new().await;
    let to = Scripted::new(vec![Answer::Again { why: "HTTP 503".into(), after: None }]);
    let told = Alertmanager {
        name: "main".into(),
        post: Arc::<Scripted>::clone(&to),
        token: Some("token".into()),
        repeat: Duration::from_secs(60),
    };
    let at = (site("west"), Arc::clone(&world.control));
    let time = (Arc::clone(&world.clock), world.ids.clone());
    let sender = Sender::new(at, told, time, Arc::new(Ignore), true, String::new());
    let running = tokio::spawn(async move { sender.run().await });
    sleep(Duration::from_secs(200)).await;
    assert!(ends_ms(&to).is_empty(), "nothing stands");
    let subject =
        Subject { kind: Kind::Hold, source: "east".into(), bucket: "photos".into(), reason: "delete-storm".into() };
    let standing = Standing { since_us: world.clock.now_us(), ..Standing::default() };
    world.control.put(Entry::Standing(subject.standing_key(), standing)).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(ends_ms(&to).len(), 2, "failed, then taken");
    sleep(Duration::from_secs(130)).await;
    assert_eq!(ends_ms(&to).len(), 4);
    assert!(ends_ms(&to).iter().all(|end| *end > world.clock.now_ms()));
    world.control.remove(Key::Standing(subject.standing_key())).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(ends_ms(&to).len(), 5);
    assert!(ends_ms(&to)[4] <= world.clock.now_ms());
    sleep(Duration::from_secs(1_000)).await;
    let told = ends_ms(&to).len();
    assert!(told > 10);
    sleep(Duration::from_secs(1_000)).await;
    assert_eq!(ends_ms(&to).len(), told);
    let headers = to.taken.lock().unwrap()[0].1.clone();
    assert!(headers.contains(&("authorization", "Bearer token".to_owned())));
    running.abort();
}
