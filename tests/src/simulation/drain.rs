//! Waiting until nothing is on its way any more.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, sleep};
use twinlog_log::{Fetched, Log, TopicPartition};

use super::courier::Courier;
use super::story;
use super::world::{EXPIRY, LANES, Place, World};

/// Simulated time after which a run that still moves is a failure.
const LONGEST: Duration = Duration::from_secs(900);

/// What is put off for longer is not waited for: it is for locks that run, and for what no site may have any more.
const SOON_MS: i64 = 100_000;

/// Returns once every notice is delivered and every record is done, for longer than a late request can still act.
pub(super) async fn drained(world: &World, couriers: &[Courier]) -> Result<(), String> {
    let deadline = Instant::now() + LONGEST;
    let mut quiet_since = None;
    loop {
        if let Some(fault) = world.faults().first() {
            return Err(fault.clone());
        }
        let behind = behind(world, couriers).await?;
        match (behind.is_empty(), quiet_since) {
            (false, _) => quiet_since = None,
            (true, None) => quiet_since = Some(Instant::now()),
            (true, Some(since)) if since.elapsed() > 2 * EXPIRY => return Ok(()),
            (true, Some(_)) => {}
        }
        if Instant::now() > deadline {
            let last = story::last(world);
            return Err(format!("not drained after {LONGEST:?}: {}\n{last}", behind.join(", ")));
        }
        sleep(Duration::from_secs(1)).await;
    }
}

async fn behind(world: &World, couriers: &[Courier]) -> Result<Vec<String>, String> {
    let mut behind = Vec::new();
    if couriers.iter().any(|courier| !courier.idle()) {
        behind.push("notices are under way".to_owned());
    }
    for place in &world.places {
        let mut read = vec![("capture", &place.captured, world.topics.notices(&place.name))];
        for other in &world.places {
            read.push(("apply", &place.applied, world.topics.facts(&other.name)));
            if other.name != place.name {
                read.push(("apply", &place.applied, world.topics.changes(&other.name, &world.bucket)));
            }
        }
        for (purpose, accounts, topic) in read {
            let group = world.topics.group(&place.name, purpose);
            for partition in 0..LANES {
                let at = TopicPartition { topic: topic.clone(), partition };
                let next = world.log.watermarks(&at).await.map_err(|error| error.to_string())?.next;
                let committed = world.log.committed(&group, std::slice::from_ref(&at)).await;
                let committed = committed.map_err(|error| error.to_string())?.get(&at).map_or(0, |c| c.offset);
                // Who was stopped and wakes commits once more what it had done: a commit that goes back repeats, no more.
                let handled = |record: &Fetched| accounts.has(&at, record.position.offset);
                if committed < next && !(world.profile.stops && world.log.records(&at).iter().all(handled)) {
                    behind.push(format!("{group} {at} at {committed} of {next}"));
                }
            }
        }
    }
    // Last, and only where the answer depends on it: it reads all that is on record.
    if behind.is_empty() {
        let put_off = world.places.iter().filter(|place| due_soon(world, place));
        behind.extend(put_off.map(|place| format!("{} has put something off", place.name)));
    }
    Ok(behind)
}

/// Whether something on record at a site is due, or will be before long.
fn due_soon(world: &World, place: &Place) -> bool {
    let control = TopicPartition { topic: world.topics.control(&place.name), partition: 0 };
    let mut due = BTreeMap::new();
    for record in world.log.records(&control) {
        let Some(key) = record.key.filter(|key| key.starts_with(b"due/")) else { continue };
        due.insert(key, record.value.and_then(|value| serde_json::from_slice::<serde_json::Value>(&value).ok()));
    }
    let at_ms = |due: &serde_json::Value| due["at_ms"].as_i64();
    due.into_values().flatten().filter_map(|due| at_ms(&due)).any(|at_ms| at_ms < place.clock.now_ms() + SOON_MS)
}
