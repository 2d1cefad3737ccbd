//! Whether what waited when the log lost records is done: until then a sweep would take for lost what is only late.

use std::collections::BTreeMap;
use std::time::Duration;

use twinlog_control::{Direction, Sweep};
use twinlog_schemas::{BucketName, SiteName};

use super::beside::Shared;
use crate::retention::{Followed, waiting};

/// How long one record may take to be read.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether everything is done that waited of a direction when the last loss of it was found: of another site's bucket its
/// change events, of this site's own its notices.
async fn is_done(shared: &Shared, (source, bucket): &Direction, sweep: &Sweep) -> Result<bool, String> {
    let names = &shared.config().topics.names;
    let home = shared.deployment.home(source).map_err(|failure| failure.to_string())?;
    let (topic, purpose) = match *source == shared.at {
        true => (names.notices(source), "capture"),
        false => (names.changes(source, bucket), "apply"),
    };
    let group = names.group(&shared.at, purpose);
    let info = home.topic(&topic).await.map_err(|error| error.to_string())?;
    let (topics, retention) = (info.map(|info| (topic, info)).into_iter().collect(), BTreeMap::new());
    let (log, topics, retention) = (home.as_ref(), &topics, &retention);
    let followed = Followed { log, group: &group, topics, retention, patience: PATIENCE };
    let waits = waiting(&followed, shared.clock.now_ms()).await.map_err(|error| error.to_string())?;
    // Of what waits and could not be read it is not known.
    let later = |oldest_ms: i64| oldest_ms > sweep.last_us / 1_000;
    Ok(waits.values().all(|waits| waits.records == 0 || waits.oldest_ms.is_some_and(later)))
}

/// The first direction of a bucket of which that is not so, between this site and the others.
pub async fn first_behind(shared: &Shared, bucket: &BucketName) -> Result<Option<SiteName>, String> {
    for (direction, sweep) in shared.control.sweeps() {
        if direction.1 == *bucket && !is_done(shared, &direction, &sweep).await? {
            return Ok(Some(direction.0));
        }
    }
    Ok(None)
}
