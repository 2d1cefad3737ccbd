//! The world of a run: one log, and sites with their stores and clocks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use twinlog_log::clock::Clock;
use twinlog_log::{Cleanup, Log, MemoryLog, TopicName, TopicSpec, Topics, memory};
use twinlog_schemas::codec::Codec;
use twinlog_schemas::{BucketName, ObjectKey, SiteName};
use twinlog_site::Site;
use twinlog_site::memory::{BucketSetup, MemorySite, MemorySiteOptions, Quirks};

use super::Profile;
use super::clock::SiteClock;
use super::dice::Dice;
use super::wire::Wire;

/// The lanes of every site, and the partitions of every topic.
pub(super) const LANES: i32 = 2;
/// Bodies of at most so many bytes travel in events.
pub(super) const INLINE: u64 = 24;
/// How long a replica write stays acceptable to the stores.
pub(super) const EXPIRY: Duration = Duration::from_secs(10);

/// Everything that outlives processes.
pub(super) struct World {
    pub profile: Profile,
    pub log: MemoryLog,
    wire: Arc<Wire>,
    pub topics: Topics,
    pub codec: Arc<Codec>,
    pub bucket: BucketName,
    pub keys: Vec<ObjectKey>,
    pub places: Vec<Place>,
    /// Why processes ended that should not have.
    faults: Mutex<Vec<String>>,
}

/// A site.
pub(super) struct Place {
    pub name: SiteName,
    pub store: MemorySite,
    pub clock: Arc<dyn Clock>,
}

impl World {
    pub(super) async fn new(profile: Profile, dice: &mut Dice) -> Result<Self, String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let topics = Topics::new("t").map_err(|error| words(&error))?;
        let bucket = BucketName::new("bucket").map_err(|error| words(&error))?;
        let quirks = if dice.chance(50) { Quirks::rustfs() } else { Quirks::minio() };
        let mut places = Vec::new();
        for name in ["east", "west", "north"].into_iter().take(profile.sites) {
            let name = SiteName::new(name).map_err(|error| words(&error))?;
            places.push(place(name, quirks.clone(), &profile, dice));
        }
        let keys: Result<_, _> = profile.keys.iter().copied().map(ObjectKey::new).collect();
        let log = MemoryLog::new();
        let world = Self {
            wire: Arc::new(Wire::new(log.clone(), Dice::new(dice.seed(), "wire"))),
            log,
            codec: Arc::new(Codec::new().map_err(|error| words(&error))?),
            keys: keys.map_err(|error| words(&error))?,
            topics,
            bucket,
            places,
            profile,
            faults: Mutex::default(),
        };
        for place in &world.places {
            place.store.create_bucket(&world.bucket, BucketSetup::REPLICATED);
            place.store.subscribe(&world.bucket).await.map_err(|error| words(&error))?;
            for (name, cleanup) in world.topics_of(place) {
                world.log.create_topic(&spec(name, cleanup)).await.map_err(|error| words(&error))?;
            }
        }
        Ok(world)
    }

    /// The topics of a site, with how they shed old records.
    pub(super) fn topics_of(&self, place: &Place) -> Vec<(TopicName, Cleanup)> {
        let (topics, name) = (&self.topics, &place.name);
        vec![
            (topics.notices(name), Cleanup::Delete),
            (topics.changes(name, &self.bucket), Cleanup::Delete),
            (topics.facts(name), Cleanup::CompactDelete),
            (topics.receipts(name), Cleanup::Delete),
            (topics.dead(name), Cleanup::Delete),
            (topics.lanes(name), Cleanup::Delete),
            (topics.control(name), Cleanup::Compact),
        ]
    }

    /// Puts on record that a process ended by itself.
    pub(super) fn fault(&self, what: String) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    pub(super) fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The log as processes reach it.
    pub(super) fn home(&self) -> Arc<dyn Log> {
        Arc::<Wire>::clone(&self.wire)
    }
}

fn place(name: SiteName, quirks: Quirks, profile: &Profile, dice: &mut Dice) -> Place {
    let skew_ns = i64::try_from(dice.up_to(profile.skew).as_nanos()).unwrap_or(0);
    let clock: Arc<dyn Clock> = Arc::new(SiteClock::new(skew_ns));
    let now = Arc::clone(&clock);
    let options = MemorySiteOptions::new(name.clone(), quirks, Arc::new(move || now.now_ns()), dice.seed());
    let options = MemorySiteOptions { min_part_bytes: 4, write_expiry: EXPIRY, ..options };
    Place { name, store: MemorySite::new(options), clock }
}

fn spec(name: TopicName, cleanup: Cleanup) -> TopicSpec {
    TopicSpec { cleanup, ..memory::spec(name, LANES) }
}
