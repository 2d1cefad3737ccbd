//! Telling the conflicts that were decided against clients of this site, each once.

use std::sync::{Mutex, PoisonError};

use md5::{Digest, Md5};
use twinlog_log::lane::Slot;
use twinlog_schemas::{ChangeTold, CloudEvent, ConflictTold, EventId, EventType, Fact, SiteName, VersionRef};

use super::Apply;
use super::newest::Newest;
use crate::conflict::{Conflict, Side, decided};
use crate::observe::Stream;

/// The newest conflicts told, bounded: the fact of either side tells of the same one.
#[derive(Debug)]
pub(super) struct Conflicts(Mutex<Newest<(VersionRef, Conflict), ()>>);

impl Conflicts {
    pub(super) fn new(bound: usize) -> Self {
        Self(Mutex::new(Newest::new(bound)))
    }

    /// Whether this one was told, as far as is remembered.
    fn were_told(&self, of: &(VersionRef, Conflict)) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(of).is_some()
    }

    fn remember(&self, of: (VersionRef, Conflict)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(of, ());
    }
}

impl Apply {
    /// Tells of the conflict that this fact, which the index has, decides against a client of this site.
    pub(super) async fn conflict(&self, slot: &mut Slot, fact: &Fact) {
        let here = self.parts.here.name();
        let state = self.version(slot, &fact.version()).await;
        let Some(conflict) = decided(fact, &state, here) else { return };
        let of = (fact.version(), conflict);
        if self.conflicts.were_told(&of) {
            return;
        }
        let (version, conflict) = &of;
        match told(version, conflict, here) {
            Ok(event) => slot.rest(self.parts.tell.tell(event)).await,
            Err(error) => tracing::error!(%error, "a conflict could not be encoded: nobody is told"),
        }
        let stream = Stream { source: &conflict.winner.site, target: here, bucket: &fact.bucket };
        tracing::info!(winner = %conflict.winner.site, loser = %here, bucket = %fact.bucket,
            category = conflict.contested.name(), tied = conflict.tied(), "conflict decided");
        self.parts.observer.conflict_decided(stream, conflict);
        self.conflicts.remember(of);
    }
}

/// The event; the same conflict always has the same id.
fn told(version: &VersionRef, conflict: &Conflict, here: &SiteName) -> Result<CloudEvent, serde_json::Error> {
    let Conflict { contested, winner, loser } = conflict;
    let side = |side: &Side| ChangeTold { site: side.site.to_string(), changed_at_ns: side.changed_at_ns };
    let data = ConflictTold {
        bucket: version.bucket.to_string(),
        key: version.key.to_string(),
        version_id: version.version_id.to_string(),
        category: contested.name().to_owned(),
        winner: side(winner),
        loser: side(loser),
        tied: conflict.tied(),
    };
    let digest: [u8; 16] = Md5::digest(serde_json::to_vec(&data)?).into();
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    let at_ns = winner.changed_at_ns.max(loser.changed_at_ns);
    let id = EventId::new(u64::try_from(at_ns / 1_000_000).unwrap_or(0), random);
    let subject = format!("{}>{here}/{}", winner.site, version.bucket);
    CloudEvent::new(EventType::ConflictDecided, id, here, subject, at_ns, &data)
}
