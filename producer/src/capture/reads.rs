//! Reading the truth: what capture asks of its store, in as few calls as each case needs.

use std::collections::BTreeMap;

use tokio::time::Instant;
use twinlog_log::backoff::Backoff;
use twinlog_log::lane::Slot;
use twinlog_schemas::{BucketName, ObjectKey, VersionId, VersionKind, VersionRef};
use twinlog_site::{BodyWish, ListedVersion, ObjectReading, Reading, SiteError, SiteErrorKind};

use super::Capture;
use super::decide::Wish;
use super::found::{Found, customer_encrypted};
use super::stop::Stop;
use super::time::{self, Modified};
use super::waiting::{Job, Telling, Waiting};
use crate::buckets::BucketSettings;
use crate::notice::Hint;

/// How often a version that changes between two reads of it is read again, before that counts as odd.
const RACES: usize = 16;
/// How often a version is read and not listed before the listing counts as one that leaves it out.
const UNLISTED: usize = 3;

/// One key under capture.
pub(super) struct Source<'a> {
    pub capture: &'a Capture,
    pub bucket: &'a BucketName,
    pub key: &'a ObjectKey,
    pub settings: BucketSettings,
    /// Modification times that the waiting notices' sequencers may be, by version.
    pub sequencers: BTreeMap<VersionId, i64>,
}

/// The sequencers of all notices of births and markers that wait together: neighbours' times, where they agree.
pub(super) fn sequencers(jobs: &[Job]) -> BTreeMap<VersionId, i64> {
    let all = jobs.iter().flat_map(|job| &job.waiting).map(|waiting| &waiting.notice);
    all.filter_map(|notice| match &notice.hint {
        Hint::Born(id) | Hint::Marker(Some(id)) => Some((id.clone(), notice.sequencer_ns?)),
        _ => None,
    })
    .collect()
}

impl Source<'_> {
    pub(super) fn version(&self, id: &VersionId) -> VersionRef {
        VersionRef { bucket: self.bucket.clone(), key: self.key.clone(), version_id: id.clone() }
    }

    /// What the store holds of a version with an id, read as far as it is wished.
    pub(super) async fn find(
        &self,
        slot: &mut Slot,
        id: &VersionId,
        telling: &Telling<'_>,
        wish: Wish,
    ) -> Result<Found, Stop> {
        match wish {
            Wish::Nothing => Ok(Found::Unread),
            Wish::Look => Ok(match self.look(slot, id).await? {
                Reading::Object(object) => of_second(object),
                Reading::Marker { modified_s_ms } => Found::Marker(Modified::of_second(modified_s_ms.unwrap_or(0))),
                Reading::Absent => Found::Absent,
            }),
            Wish::Whole => self.find_whole(slot, id, telling).await,
        }
    }

    async fn find_whole(&self, slot: &mut Slot, id: &VersionId, telling: &Telling<'_>) -> Result<Found, Stop> {
        if telling.born.is_none() && telling.marker.is_some() {
            // Most likely a marker, whose time only the listing shows.
            let listing = self.list(slot).await?;
            if let Some(found) = self.listed_marker(&listing, id) {
                return Ok(found);
            }
        }
        let mut delays = Backoff::PROMPT.delays(self.capture.parts.ids.seed());
        let mut unlisted = 0;
        for _ in 0..RACES {
            let reading = self.read(slot, id, self.body_wish(telling)).await?;
            if let Reading::Object(object) = &reading
                && telling.born.is_some()
                && let Some(modified) = time::of_birth(self.sequencers.get(id).copied(), object.modified_s_ms)
                && !self.capture.assigned_within(self.bucket, self.key, modified.ms())
            {
                return Ok(Found::Object(object.clone(), modified));
            }
            if reading == Reading::Absent {
                return Ok(Found::Absent);
            }
            let listing = self.list(slot).await?;
            match (reading, self.time_of(&listing, id)) {
                (Reading::Object(object), Some(modified)) => return Ok(Found::Object(object, modified)),
                (Reading::Marker { .. }, Some(modified)) => return Ok(Found::Marker(modified)),
                // MinIO leaves a key below another key out: the read's second is all that there is.
                (Reading::Object(object), None) if unlisted >= UNLISTED => return Ok(of_second(object)),
                (Reading::Marker { modified_s_ms }, None) if unlisted >= UNLISTED => {
                    return Ok(Found::Marker(self.time_of_unlisted(id, modified_s_ms, telling)));
                }
                // Gone between the two: the next read says so.
                (_, None) | (Reading::Absent, _) => {
                    unlisted += 1;
                    slot.idle(delays.wait()).await;
                }
            }
        }
        Err(unclear(format!("{} is read but not listed", self.version(id))))
    }

    /// What the store holds of the null version: read and listed until both show the same one.
    pub(super) async fn find_null(&self, slot: &mut Slot, telling: &Telling<'_>) -> Result<Found, Stop> {
        let id = VersionId::null();
        let exact = telling.born.and_then(|born| Some((born.notice.sequencer_ns?, born.notice.etag.clone()?)));
        let mut delays = Backoff::PROMPT.delays(self.capture.parts.ids.seed());
        let mut unlisted = 0;
        for _ in 0..RACES {
            let reading = self.read(slot, &id, self.body_wish(telling)).await?;
            let listing = self.list(slot).await?;
            let entry = listing.iter().find(|listed| listed.version_id == id);
            match (reading, entry) {
                (Reading::Object(object), Some(entry)) if same_object(&object, entry) => {
                    let exact = exact.as_ref().filter(|(_, etag)| *etag == object.etag).map(|(ns, _)| *ns);
                    let modified = time::by_listing(&listing, &id, exact, &self.known_times(&id));
                    return Ok(modified.map_or(Found::Absent, |modified| Found::Object(object, modified)));
                }
                (Reading::Marker { .. }, Some(entry)) if entry.kind == VersionKind::DeleteMarker => {
                    let modified = time::by_listing(&listing, &id, None, &self.known_times(&id));
                    return Ok(modified.map_or(Found::Absent, Found::Marker));
                }
                (Reading::Absent, None) => return Ok(Found::Absent),
                (Reading::Object(object), None) if unlisted >= UNLISTED => {
                    let exact = exact.as_ref().filter(|(_, etag)| *etag == object.etag).map(|(ns, _)| *ns);
                    let modified = time::of_birth(exact, object.modified_s_ms);
                    return Ok(
                        modified.map_or_else(|| of_second(object.clone()), |it| Found::Object(object.clone(), it))
                    );
                }
                (_, entry) => {
                    unlisted += usize::from(entry.is_none());
                    slot.idle(delays.wait()).await;
                }
            }
        }
        Err(unclear(format!("{} is read as one thing and listed as another", self.version(&id))))
    }

    /// The time of a marker that no listing shows: by its notice's sequencer, else by the second that the read shows
    /// (MinIO's shows none), else by the time of the notice.
    fn time_of_unlisted(&self, id: &VersionId, second_ms: Option<i64>, telling: &Telling<'_>) -> Modified {
        let told = || telling.marker.map_or_else(|| self.capture.parts.clock.now_ns(), Waiting::time_ns);
        match self.sequencers.get(id) {
            Some(ns) => Modified::exact(*ns),
            None => Modified::of_second(second_ms.unwrap_or_else(|| told().div_euclid(1_000_000_000) * 1_000)),
        }
    }

    /// A listed marker with its time, if that is what the listing shows.
    pub(super) fn listed_marker(&self, listing: &[ListedVersion], id: &VersionId) -> Option<Found> {
        let entry = listing.iter().find(|listed| listed.version_id == *id)?;
        let modified = self.time_of(listing, id).filter(|_| entry.kind == VersionKind::DeleteMarker)?;
        Some(Found::Marker(modified))
    }

    /// All versions of the key, newest first.
    pub(super) async fn list(&self, slot: &mut Slot) -> Result<Vec<ListedVersion>, Stop> {
        let site = &self.capture.parts.site;
        self.timed(slot, || site.versions_of(self.bucket, self.key)).await
    }

    /// A reading for comparison.
    pub(super) async fn look(&self, slot: &mut Slot, id: &VersionId) -> Result<Reading, Stop> {
        let (site, version) = (&self.capture.parts.site, self.version(id));
        let outcome = self.timed(slot, || answered(site.look(&version))).await;
        self.or_encrypted(slot, id, outcome).await
    }

    async fn read(&self, slot: &mut Slot, id: &VersionId, body: BodyWish) -> Result<Reading, Stop> {
        let (site, version) = (&self.capture.parts.site, self.version(id));
        let outcome = self.timed(slot, || answered(site.read(&version, body))).await;
        self.or_encrypted(slot, id, outcome).await
    }

    /// Of an object that only its customer's key can read, the listing is all that there is.
    async fn or_encrypted(
        &self,
        slot: &mut Slot,
        id: &VersionId,
        outcome: Result<Answered, Stop>,
    ) -> Result<Reading, Stop> {
        let Answered::Read(reading) = outcome? else {
            let listing = self.list(slot).await?;
            let entry = listing.iter().find(|listed| listed.version_id == *id);
            return Ok(entry.map_or(Reading::Absent, |entry| Reading::Object(Box::new(customer_encrypted(entry)))));
        };
        Ok(reading)
    }

    async fn timed<T, F, Fut>(&self, slot: &mut Slot, attempt: F) -> Result<T, Stop>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, SiteError>>,
    {
        let begun = Instant::now();
        let outcome = self.capture.persist(slot, self.bucket, attempt).await;
        self.capture.parts.observer.read(self.bucket, begun.elapsed());
        outcome
    }

    fn body_wish(&self, telling: &Telling<'_>) -> BodyWish {
        let most = self.settings.inline_max_bytes;
        let size = telling.born.and_then(|born| born.notice.size);
        if most == 0 || size.is_some_and(|size| size > most) {
            BodyWish::No
        } else if telling.born_plain() {
            BodyWish::Plain(most)
        } else {
            BodyWish::UpTo(most)
        }
    }

    pub(super) fn time_of(&self, listing: &[ListedVersion], id: &VersionId) -> Option<Modified> {
        time::by_listing(listing, id, self.sequencers.get(id).copied(), &self.known_times(id))
    }

    /// What is known of the times of the key's versions: told before, or by the sequencers of what waits.
    fn known_times(&self, id: &VersionId) -> BTreeMap<VersionId, i64> {
        let mut known = self.capture.times(self.bucket, self.key);
        known.extend(self.sequencers.iter().filter(|(other, _)| *other != id).map(|(other, ns)| (other.clone(), *ns)));
        if id.is_null() {
            // What was told of the null version may be of one that has been replaced.
            known.remove(id);
        }
        known
    }
}

/// An answer of a read, where one that cannot be decrypted is an answer too.
enum Answered {
    Read(Reading),
    CustomerKey,
}

async fn answered(read: impl Future<Output = Result<Reading, SiteError>>) -> Result<Answered, SiteError> {
    match read.await {
        Ok(reading) => Ok(Answered::Read(reading)),
        Err(error) if error.kind == SiteErrorKind::NoSuchVersion => Ok(Answered::Read(Reading::Absent)),
        Err(error) if error.kind == SiteErrorKind::CustomerKey => Ok(Answered::CustomerKey),
        Err(error) => Err(error),
    }
}

/// What the store shows of the key makes no sense, however often it is read.
fn unclear(message: String) -> Stop {
    Stop::Key { reason: "unclear", message }
}

fn of_second(object: Box<ObjectReading>) -> Found {
    let modified = Modified::of_second(object.modified_s_ms);
    Found::Object(object, modified)
}

fn same_object(object: &ObjectReading, entry: &ListedVersion) -> bool {
    let same_second = entry.modified_ms.div_euclid(1_000) == object.modified_s_ms.div_euclid(1_000);
    entry.kind == VersionKind::Object && same_second && entry.etag.as_ref().is_none_or(|etag| *etag == object.etag)
}
