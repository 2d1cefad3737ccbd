//! The world of a run: one log, and sites with their stores and clocks.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use twinlog_log::clock::Clock;
use twinlog_log::{Cleanup, Log, MemoryLog, TopicName, TopicSpec, Topics, memory};
use twinlog_schemas::codec::Codec;
use twinlog_schemas::{BucketName, ObjectKey, SiteName};
use twinlog_site::Site;
use twinlog_site::memory::{BucketSetup, MemorySite, MemorySiteOptions, Quirks, Wording};

use super::Profile;
use super::clock::SiteClock;
use super::dice::Dice;
use super::planted::Planted;
use super::witness::Accounts;

/// The lanes of every site, and the partitions of every topic.
pub(super) const LANES: i32 = 2;
/// Bodies of at most so many bytes travel in events.
pub(super) const INLINE: u64 = 24;
/// How long a replica write stays acceptable to the stores.
pub(super) const EXPIRY: Duration = Duration::from_secs(10);

/// Everything that outlives processes.
pub(super) struct World {
    pub profile: Profile,
    pub planted: Option<Planted>,
    pub log: MemoryLog,
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
    /// When its doors lose whatever is told, after the beginning.
    pub deaf: Vec<Range<Duration>>,
    /// What was captured of its notices.
    pub captured: Arc<Accounts>,
    /// What was applied at it.
    pub applied: Arc<Accounts>,
}

impl Place {
    /// Whether its doors lose what is told now.
    pub(super) fn is_deaf(&self, since_begin: Duration) -> bool {
        self.deaf.iter().any(|deaf| deaf.contains(&since_begin))
    }
}

impl World {
    pub(super) async fn new(profile: Profile, planted: Option<Planted>, dice: &mut Dice) -> Result<Self, String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let topics = Topics::new("t").map_err(|error| words(&error))?;
        let bucket = BucketName::new("bucket").map_err(|error| words(&error))?;
        let by_chance = if dice.chance(50) { Wording::RustFs } else { Wording::MinIo };
        let quirks = match profile.store.unwrap_or(by_chance) {
            Wording::RustFs => Quirks::rustfs(),
            Wording::MinIo => Quirks::minio(),
        };
        let mut places = Vec::new();
        for name in ["east", "west", "north"].into_iter().take(profile.sites) {
            let name = SiteName::new(name).map_err(|error| words(&error))?;
            places.push(place(name, quirks.clone(), &profile, planted, dice));
        }
        let keys: Result<_, _> = profile.keys.iter().copied().map(ObjectKey::new).collect();
        let world = Self {
            log: MemoryLog::new(),
            codec: Arc::new(Codec::new().map_err(|error| words(&error))?),
            keys: keys.map_err(|error| words(&error))?,
            topics,
            bucket,
            places,
            profile,
            planted,
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
}

fn place(name: SiteName, quirks: Quirks, profile: &Profile, planted: Option<Planted>, dice: &mut Dice) -> Place {
    let skew_ns = i64::try_from(dice.up_to(profile.skew).as_nanos()).unwrap_or(0);
    let clock: Arc<dyn Clock> = Arc::new(SiteClock::new(skew_ns));
    let now = Arc::clone(&clock);
    let options = MemorySiteOptions::new(name.clone(), quirks, Arc::new(move || now.now_ns()), dice.seed());
    let never = planted == Some(Planted::RequestsNeverExpire);
    let write_expiry = if never { Duration::from_secs(3_600) } else { EXPIRY };
    let options = MemorySiteOptions { min_part_bytes: 4, write_expiry, ..options };
    let deaf = if profile.deaf { deaf(dice) } else { Vec::new() };
    let (captured, applied) = Default::default();
    Place { name, store: MemorySite::new(options), clock, deaf, captured, applied }
}

/// Up to two spans in which the doors of a site lose everything.
fn deaf(dice: &mut Dice) -> Vec<Range<Duration>> {
    let spans = (0..dice.below(3)).map(|_| {
        let from = dice.up_to(Duration::from_secs(20));
        from..from + Duration::from_secs(1) + dice.up_to(Duration::from_secs(8))
    });
    spans.collect()
}

fn spec(name: TopicName, cleanup: Cleanup) -> TopicSpec {
    TopicSpec { cleanup, ..memory::spec(name, LANES) }
}
