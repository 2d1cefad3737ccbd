//! Clients: they act at every site, on keys that they share, and remember what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;
use twinlog_schemas::{
    Category, ContentHeaders, ObjectKey, Retention, RetentionMode, Tags, VersionId, VersionKind, VersionRef,
};
use twinlog_site::memory::{ClientDeleted, ClientPut, ClientWritten, MemoryClient};
use twinlog_site::{ListedVersion, Site, SiteError};

use super::dice::Dice;
use super::ledger::Ledger;
use super::profile::Operation;
use super::world::{Place, World};

/// Acts as often as the profile says, then sets `over`.
pub(super) async fn act(world: &Arc<World>, mut dice: Dice, over: &AtomicBool) -> Ledger {
    let mut ledger = Ledger::default();
    let begun = tokio::time::Instant::now();
    for number in 0..world.profile.count {
        if !dice.chance(world.profile.bursts) {
            let gap = if dice.chance(20) { Duration::from_millis(5) } else { world.profile.gap };
            sleep(world.profile.apart + dice.up_to(gap)).await;
        }
        let at = dice.below(world.places.len());
        let mut client = Client { world, at, number, dice: &mut dice, ledger: &mut ledger, said: Vec::new() };
        let operation = client.choose();
        let outcome = client.does(operation).await;
        let said = client.said.join(" ");
        let seconds = begun.elapsed().as_secs_f64();
        let line = match outcome {
            Ok(()) => format!("{seconds:8.3} {} {operation:?} {said}", world.places[at].name),
            Err(error) => {
                format!("{seconds:8.3} {} {operation:?} {said} refused: {}", world.places[at].name, error.message)
            }
        };
        ledger.operations.push(line);
    }
    over.store(true, Ordering::SeqCst);
    ledger
}

/// Takes the legal hold of every object off, at every site.
pub(super) async fn free(world: &World) -> Result<(), String> {
    for place in &world.places {
        let client = place.store.client("client");
        for key in &world.keys {
            let listed = place.store.versions_of(&world.bucket, key).await.map_err(|error| error.to_string())?;
            for listed in listed.iter().filter(|listed| listed.kind == VersionKind::Object) {
                let freed = client.legal_hold(&world.bucket, key, Some(&listed.version_id), false);
                freed.map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(())
}

/// One client about one operation.
struct Client<'a> {
    world: &'a World,
    at: usize,
    number: usize,
    dice: &'a mut Dice,
    ledger: &'a mut Ledger,
    said: Vec<String>,
}

impl Client<'_> {
    fn choose(&mut self) -> Operation {
        let operations = &self.world.profile.operations;
        let mut throw = self.dice.below(operations.iter().map(|(_, weight)| *weight as usize).sum());
        for (operation, weight) in operations {
            match throw.checked_sub(*weight as usize) {
                Some(rest) => throw = rest,
                None => return *operation,
            }
        }
        Operation::Put
    }

    fn place(&self) -> &Place {
        &self.world.places[self.at]
    }

    fn client(&self) -> MemoryClient {
        self.place().store.client("client")
    }

    fn key(&mut self) -> ObjectKey {
        let at = self.dice.below(self.world.keys.len());
        self.world.keys[at].clone()
    }

    async fn does(&mut self, operation: Operation) -> Result<(), SiteError> {
        use Operation as O;
        match operation {
            O::Put | O::PutLarge | O::PutTagged | O::PutLocked => self.put(operation),
            O::Multipart => self.multipart(),
            O::Copy => self.copy().await,
            O::Tag => self.tag(true).await,
            O::Untag => self.tag(false).await,
            O::Delete => self.delete(),
            O::DeleteMany => self.delete_many().await,
            O::DeleteVersion => self.delete_version(VersionKind::Object).await,
            O::DeleteMarker => self.delete_version(VersionKind::DeleteMarker).await,
            O::Retain => self.retain(true).await,
            O::Lift => self.retain(false).await,
            O::Hold => self.hold(true).await,
            O::Release => self.hold(false).await,
        }
    }

    fn body(&self, large: bool) -> Bytes {
        Bytes::from(format!("body {}{}", self.number, if large { ", too large to travel along" } else { "" }))
    }

    /// No two operations set the same tags, so that the end shows whose they are.
    fn tags(&self) -> Tags {
        [("k".to_owned(), format!("v{}", self.number))].into()
    }

    fn retention(&mut self) -> Retention {
        let mode = if self.dice.chance(20) { RetentionMode::Compliance } else { RetentionMode::Governance };
        let long = Duration::from_secs(2) + self.dice.up_to(self.world.profile.retention);
        Retention { mode, until_ms: self.place().clock.now_ms() + i64::try_from(long.as_millis()).unwrap_or(0) }
    }

    fn put(&mut self, operation: Operation) -> Result<(), SiteError> {
        let mut put = ClientPut { body: self.body(operation == Operation::PutLarge), ..ClientPut::default() };
        if operation == Operation::PutTagged {
            put.tags = self.tags();
        }
        if operation == Operation::PutLocked {
            put.legal_hold = self.dice.chance(50);
            put.retention = (!put.legal_hold || self.dice.chance(50)).then(|| self.retention());
        }
        if self.dice.chance(20) {
            put.headers = ContentHeaders { cache_control: Some("no-store".to_owned()), ..ContentHeaders::default() };
            put.user_metadata = [("by".to_owned(), self.number.to_string())].into();
        }
        let key = self.key();
        let written = self.client().put(&self.world.bucket, &key, &put)?;
        self.born(&key, &written);
        Ok(())
    }

    fn multipart(&mut self) -> Result<(), SiteError> {
        let parts = [(1, self.body(true)), (3, self.body(false)), (4, Bytes::from_static(b"end"))];
        let put =
            ClientPut { tags: if self.dice.chance(30) { self.tags() } else { Tags::new() }, ..ClientPut::default() };
        let key = self.key();
        let written = self.client().multipart(&self.world.bucket, &key, &put, &parts)?;
        self.born(&key, &written);
        Ok(())
    }

    async fn copy(&mut self) -> Result<(), SiteError> {
        let Some(from) = self.some(VersionKind::Object).await? else { return Ok(()) };
        let put = ClientPut { tags: self.tags(), ..ClientPut::default() };
        let replace = self.dice.chance(40).then_some(&put);
        let key = self.key();
        let written = self.client().copy(&self.world.bucket, (&from.key, Some(&from.version_id)), &key, replace)?;
        self.born(&key, &written);
        Ok(())
    }

    fn born(&mut self, key: &ObjectKey, written: &ClientWritten) {
        let version = self.version(key, &written.version_id);
        self.said.push(version.to_string());
        if version.version_id.is_null() {
            self.ledger.nulls.insert(version.key, written.etag.clone());
        } else {
            self.ledger.born.insert(version, self.at);
        }
    }

    fn delete(&mut self) -> Result<(), SiteError> {
        let key = self.key();
        let deleted = self.client().delete(&self.world.bucket, &key)?;
        self.deleted(&key, None, &deleted);
        Ok(())
    }

    async fn delete_many(&mut self) -> Result<(), SiteError> {
        let mut objects = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let some = self.some(VersionKind::Object).await?;
            match some.filter(|_| self.dice.chance(30)) {
                Some(version) => objects.push((version.key, Some(version.version_id))),
                None => objects.push((self.key(), None)),
            }
        }
        objects.sort();
        objects.dedup();
        let outcomes = self.client().delete_many(&self.world.bucket, &objects);
        for ((key, id), outcome) in objects.iter().zip(outcomes) {
            if let Ok(deleted) = outcome {
                self.deleted(key, id.as_ref(), &deleted);
            }
        }
        Ok(())
    }

    async fn delete_version(&mut self, kind: VersionKind) -> Result<(), SiteError> {
        let Some(version) = self.some(kind).await? else { return Ok(()) };
        let bypass = self.dice.chance(50);
        let deleted = self.client().delete_version(&version, bypass)?;
        self.deleted(&version.key, Some(&version.version_id), &deleted);
        Ok(())
    }

    /// `asked` is the version id of the request: with one it is a removal, without a marker is made.
    fn deleted(&mut self, key: &ObjectKey, asked: Option<&VersionId>, deleted: &ClientDeleted) {
        let Some(id) = &deleted.version_id else { return };
        let version = self.version(key, id);
        self.said.push(version.to_string());
        if id.is_null() {
            return;
        }
        if asked.is_some() {
            self.ledger.removed.insert(version);
        } else {
            // MinIO answers with the marker that is there already.
            self.ledger.born.entry(version).or_insert(self.at);
        }
    }

    async fn tag(&mut self, set: bool) -> Result<(), SiteError> {
        let Some(version) = self.some(VersionKind::Object).await? else { return Ok(()) };
        let tags = if set { self.tags() } else { Tags::new() };
        self.said.push(format!("{tags:?}"));
        self.client().tag(&version.bucket, &version.key, Some(&version.version_id), &tags)?;
        self.ledger.tags.insert(version.clone(), tags);
        self.changed(version, Category::Tags);
        Ok(())
    }

    async fn retain(&mut self, set: bool) -> Result<(), SiteError> {
        let Some(version) = self.some(VersionKind::Object).await? else { return Ok(()) };
        let (retention, bypass) = (set.then(|| self.retention()), self.dice.chance(60));
        self.said.push(format!("{retention:?}"));
        self.client().retain(&version.bucket, &version.key, Some(&version.version_id), retention, bypass)?;
        self.changed(version, Category::Retention);
        Ok(())
    }

    async fn hold(&mut self, on: bool) -> Result<(), SiteError> {
        let Some(version) = self.some(VersionKind::Object).await? else { return Ok(()) };
        self.client().legal_hold(&version.bucket, &version.key, Some(&version.version_id), on)?;
        self.ledger.holds.insert(version.clone(), on);
        self.changed(version, Category::LegalHold);
        Ok(())
    }

    fn changed(&mut self, version: VersionRef, category: Category) {
        self.ledger.changed.insert((version, category, self.at));
    }

    /// A version that is there, mostly one of the newest.
    async fn some(&mut self, kind: VersionKind) -> Result<Option<VersionRef>, SiteError> {
        let key = self.key();
        let listed = self.place().store.versions_of(&self.world.bucket, &key).await?;
        let fitting: Vec<ListedVersion> = listed.into_iter().filter(|listed| listed.kind == kind).collect();
        let newest = if self.dice.chance(70) { fitting.len().min(2) } else { fitting.len() };
        let Some(chosen) = self.dice.one(&fitting[..newest]) else { return Ok(None) };
        let version = self.version(&key, &chosen.version_id);
        self.said.push(version.to_string());
        Ok(Some(version))
    }

    fn version(&self, key: &ObjectKey, id: &VersionId) -> VersionRef {
        VersionRef { bucket: self.world.bucket.clone(), key: key.clone(), version_id: id.clone() }
    }
}
