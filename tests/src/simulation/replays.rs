//! Replays while clients go on: versions that are there, and versions that are gone, are examined anew with leave to
//! create, as an operator's replay of dead letters does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;
use twinlog_log::clock::Ids;
use twinlog_log::partition::{partition_of, record_key};
use twinlog_log::{Headers, Log, Record};
use twinlog_schemas::{ExamineCause, ObjectKey, OwnNotice, VersionId};
use twinlog_site::Site;

use super::dice::Dice;
use super::world::{LANES, World};

/// Asks at random until clients are through, if the profile has replays.
pub(super) async fn ask(world: &Arc<World>, mut dice: Dice, over: &AtomicBool) -> Result<(), String> {
    if !world.profile.replays {
        return Ok(());
    }
    let ids = Ids::new(Arc::clone(&world.places[0].clock), dice.seed());
    let mut seen: Vec<(ObjectKey, VersionId)> = Vec::new();
    while !over.load(Ordering::SeqCst) {
        sleep(dice.up_to(Duration::from_secs(3))).await;
        for place in &world.places {
            for key in &world.keys {
                let listed = place.store.versions_of(&world.bucket, key).await.map_err(|error| error.to_string())?;
                let new = listed.into_iter().map(|line| (line.key, line.version_id));
                new.for_each(|version| {
                    if !seen.contains(&version) {
                        seen.push(version)
                    }
                });
            }
        }
        let Some((key, id)) = dice.one(&seen).cloned() else { continue };
        let version_id = dice.chance(85).then_some(id);
        let at = dice.below(world.places.len());
        examine(world, at, ids.event_id(), ExamineCause::Replay, (key, version_id), true).await?;
    }
    Ok(())
}

/// Writes a notice of Twinlog's own to a site's notices topic.
pub(super) async fn examine(
    world: &World,
    at: usize,
    id: twinlog_schemas::EventId,
    cause: ExamineCause,
    (key, version_id): (ObjectKey, Option<VersionId>),
    may_create: bool,
) -> Result<(), String> {
    let place = &world.places[at];
    let notice = OwnNotice {
        id,
        cause,
        bucket: world.bucket.clone(),
        key,
        version_id,
        may_create,
        asked_by: place.name.clone(),
        asked_at_us: place.clock.now_us(),
    };
    let (bucket, key) = (world.bucket.as_str(), notice.key.as_str());
    let record = Record {
        topic: world.topics.notices(&place.name),
        partition: partition_of(bucket, key, LANES),
        key: Some(record_key(bucket, key)),
        value: Some(notice.to_json().map_err(|error| error.to_string())?.into()),
        headers: Headers::default(),
        timestamp_ms: place.clock.now_ms(),
    };
    world.log.append(record).await.map(|_| ()).map_err(|error| error.to_string())
}
