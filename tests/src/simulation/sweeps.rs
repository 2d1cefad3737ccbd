//! Sweeps, once everything has come to rest: what the doors lost is found by comparing listings, and what vanished is
//! decided by an operator, who knows what clients were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use twinlog_index::Index;
use twinlog_log::clock::Ids;
use twinlog_schemas::{ExamineCause, ObjectKey, VersionRef};
use twinlog_site::Reading;
use twinlog_sweep::{Attributes, Finding, Leave, Line, Missing, Side, What, compare};

use super::clock::EPOCH_NS;
use super::courier::Courier;
use super::drain;
use super::ledger::Ledger;
use super::planted::Planted;
use super::process::Fleet;
use super::replays::examine;
use super::shown::Shown;
use super::verdict;
use super::world::{Place, World};

/// More rounds than any run needs: each must leave less to be found.
const ROUNDS: usize = 6;

/// Sweeps until nothing is found, if the profile has deaf doors.
pub(super) async fn swept(
    world: &Arc<World>,
    fleet: &Fleet,
    couriers: &[Courier],
    ledger: &mut Ledger,
) -> Result<(), String> {
    if !world.profile.deaf {
        return Ok(());
    }
    let ids = Ids::new(Arc::clone(&world.places[0].clock), 0);
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        found = sweep(world, fleet).await?;
        // What a lock keeps is left over for as long as the lock runs.
        let refused = verdict::refused(world)?;
        found.retain(|(version, _)| !ledger.kept.contains(version) && !refused.contains_key(version));
        if found.is_empty() {
            return Ok(());
        }
        for (version, finding) in &found {
            for ask in finding.asks() {
                let at = world.places.iter().position(|place| place.name == ask.site).unwrap_or(0);
                let of = (version.key.clone(), Some(ask.version_id));
                let cause = if ask.leave == Leave::ToRemove { ExamineCause::Removed } else { ExamineCause::Sweep };
                examine(world, at, ids.event_id(), cause, of, ask.leave == Leave::ToCreate).await?;
            }
            if let What::Vanished { at } = &finding.what {
                let at = world.places.iter().position(|place| place.name == *at).unwrap_or(0);
                operator(world, at, version, &ids, ledger).await?;
            }
        }
        drain::drained(world, couriers).await?;
    }
    let left: Vec<_> = found.iter().map(|(version, finding)| format!("{version}: {:?}", finding.what)).collect();
    Err(format!("after {ROUNDS} sweeps there is still to be found:\n{}", left.join("\n")))
}

/// What an operator says of a version that vanished: it is removed if a client was told so, else created.
async fn operator(
    world: &World,
    at: usize,
    version: &VersionRef,
    ids: &Ids,
    ledger: &mut Ledger,
) -> Result<(), String> {
    if !ledger.removed.contains(version) {
        let of = (version.key.clone(), Some(version.version_id.clone()));
        return examine(world, at, ids.event_id(), ExamineCause::Sweep, of, true).await;
    }
    if let Err(refused) = world.places[at].store.client("operator").delete_version(version, true) {
        ledger.operations.push(format!("the operator cannot remove {version}: {}", refused.message));
        ledger.kept.insert(version.clone());
    }
    Ok(())
}

/// Compares every pair of sites.
async fn sweep(world: &World, fleet: &Fleet) -> Result<Vec<(VersionRef, Finding)>, String> {
    let missing = match world.planted {
        Some(Planted::SweepsCreateAll) => Missing::Created,
        _ => Missing::Listed,
    };
    let mut found = Vec::new();
    for (at, one) in world.places.iter().enumerate() {
        let machine = fleet.machines.iter().find(|machine| machine.at() == at).ok_or("a site without a process")?;
        for other in &world.places[at + 1..] {
            for key in &world.keys {
                let known = machine.index().versions_of(&world.bucket, key).map_err(|error| error.to_string())?;
                let sides = (side(world, one, key).await?, side(world, other, key).await?);
                for finding in compare(&sides.0, &sides.1, &known, missing) {
                    let (bucket, version_id) = (world.bucket.clone(), finding.version_id.clone());
                    found.push((VersionRef { bucket, key: key.clone(), version_id }, finding));
                }
            }
        }
    }
    Ok(found)
}

async fn side<'a>(world: &World, place: &'a Place, key: &ObjectKey) -> Result<Side<'a>, String> {
    let shown = Shown::of(world, place, key).await.map_err(|error| error.to_string())?;
    let mut lines = BTreeMap::new();
    for line in &shown.listing {
        let attributes = match shown.versions.get(&line.version_id) {
            Some(Reading::Object(object)) => Attributes {
                tags: Some(object.tags.clone()),
                retention: Some(object.retention),
                legal_hold: Some(object.legal_hold),
            },
            _ => Attributes::default(),
        };
        let (kind, modified_ms, etag) = (line.kind, line.modified_ms, line.etag.clone());
        lines.insert(line.version_id.clone(), Line { kind, modified_ms, etag, attributes });
    }
    // Clocks are apart by no more than the profile's skew.
    let deaf = place.deaf.iter().map(|deaf| deaf.end + world.profile.skew).max();
    let since = deaf.map_or(i64::MIN, |end: Duration| EPOCH_NS + i64::try_from(end.as_nanos()).unwrap_or(0));
    Ok(Side { site: &place.name, lines, unbroken_since_ns: Some(since), filling_before_ns: None })
}
