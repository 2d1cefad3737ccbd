//! What a site shows of its versions, for comparing.

use std::collections::BTreeMap;

use twinlog_schemas::{ObjectKey, VersionId, VersionKind, VersionRef};
use twinlog_site::{BodyWish, ListedVersion, ObjectReading, Reading, Site, SiteError};

use super::world::{Place, World};

/// One site's versions of one key.
pub(super) struct Shown {
    /// Newest first.
    pub listing: Vec<ListedVersion>,
    /// All that can be read of each, without what tells a replica from its source.
    pub versions: BTreeMap<VersionId, Reading>,
}

impl Shown {
    pub(super) async fn of(world: &World, place: &Place, key: &ObjectKey) -> Result<Self, SiteError> {
        let listing = place.store.versions_of(&world.bucket, key).await?;
        let mut versions = BTreeMap::new();
        for line in &listing {
            let id = line.version_id.clone();
            let version = VersionRef { bucket: world.bucket.clone(), key: key.clone(), version_id: id.clone() };
            let reading = place.store.read(&version, BodyWish::UpTo(u64::MAX)).await?;
            versions.insert(id, plain(reading, place.clock.now_ms()));
        }
        Ok(Self { listing, versions })
    }

    pub(super) fn line(&self, id: &VersionId) -> Option<(VersionKind, i64)> {
        self.listing.iter().find(|line| line.version_id == *id).map(|line| (line.kind, line.modified_ms))
    }
}

/// Expired retention equals none.
fn plain(reading: Reading, now_ms: i64) -> Reading {
    match reading {
        Reading::Object(object) => {
            let retention = object.retention.filter(|retention| retention.in_force(now_ms));
            Reading::Object(Box::new(ObjectReading { replication_status: None, retention, ..*object }))
        }
        other => other,
    }
}
