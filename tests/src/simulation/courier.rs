//! The way of notices from a store to its notices topic: late, repeated and out of order, and lost only while the
//! doors are deaf.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};
use twinlog_log::partition::{partition_of, record_key};
use twinlog_log::{Log, Record};
use twinlog_producer::notice::{self, Door, Hint};
use twinlog_site::memory::{Door as StoreDoor, Notice};

use super::dice::Dice;
use super::planted::Planted;
use super::world::{LANES, Place, World};

/// How many notices are on their way from one store.
#[derive(Clone, Default)]
pub(super) struct Courier(Arc<AtomicUsize>);

impl Courier {
    pub(super) fn idle(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

/// Notices under way, by when they arrive.
struct Bag {
    world: Arc<World>,
    at: usize,
    dice: Dice,
    under_way: BTreeMap<(Instant, u64), (StoreDoor, Bytes)>,
    sent: u64,
    begun: Instant,
    courier: Courier,
}

/// Begins to carry a store's notices.
pub(super) fn start(world: &Arc<World>, place: &Place, dice: &mut Dice) -> Courier {
    let at = world.places.iter().position(|other| other.name == place.name).unwrap_or(0);
    let courier = Courier::default();
    let bag = Bag {
        world: Arc::clone(world),
        at,
        dice: Dice::new(dice.seed(), "courier"),
        under_way: BTreeMap::new(),
        sent: 0,
        begun: Instant::now(),
        courier: courier.clone(),
    };
    tokio::spawn(carry(bag, place.store.notice_stream()));
    courier
}

async fn carry(mut bag: Bag, mut notices: UnboundedReceiver<Notice>) {
    loop {
        let next = bag.under_way.first_key_value().map(|((due, _), _)| *due);
        tokio::select! {
            biased;
            notice = notices.recv() => match notice {
                Some(notice) => bag.take(&notice),
                None => return,
            },
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => bag.deliver().await,
        }
    }
}

impl Bag {
    fn take(&mut self, notice: &Notice) {
        let place = &self.world.places[self.at];
        if place.is_deaf(self.begun.elapsed()) || self.drops(&notice.json) {
            return;
        }
        let copies = 1 + usize::from(self.dice.chance(20)) + usize::from(self.dice.chance(5));
        for _ in 0..copies {
            let due = Instant::now() + self.delay();
            self.sent += 1;
            self.under_way.insert((due, self.sent), (notice.door, self.told(&notice.json)));
        }
        self.tell();
    }

    /// A notice as it is told; a planted fault has another name for the taking off of tags.
    fn told(&self, json: &Bytes) -> Bytes {
        if self.world.planted != Some(Planted::UntagsUnbelieved) {
            return json.clone();
        }
        let text = String::from_utf8_lossy(json);
        text.replace("ObjectTagging:Delete", "ObjectTagging:Put").replace("DeleteTagging", "PutTagging").into()
    }

    /// A planted fault.
    fn drops(&self, json: &[u8]) -> bool {
        const REPLICA: &[u8] = br#""X-Amz-Replication-Status":"REPLICA""#;
        self.world.planted == Some(Planted::ReplicaNoticesDropped)
            && json.windows(REPLICA.len()).any(|window| window == REPLICA)
    }

    fn delay(&mut self) -> Duration {
        if self.dice.chance(self.world.profile.late) {
            return Duration::from_secs(8) + self.dice.up_to(Duration::from_secs(60));
        }
        let longest = if self.dice.chance(60) { Duration::from_millis(60) } else { Duration::from_secs(6) };
        self.dice.up_to(longest)
    }

    async fn deliver(&mut self) {
        if let Some((_, (door, json))) = self.under_way.pop_first()
            && let Err(error) = self.append(door, &json).await
        {
            self.world
                .fault(format!("a notice of {} could not be delivered: {error}", self.world.places[self.at].name));
        }
        self.tell();
    }

    async fn append(&self, door: StoreDoor, json: &[u8]) -> Result<(), String> {
        let (world, place) = (&self.world, &self.world.places[self.at]);
        let door = match door {
            StoreDoor::Fast => Door::Fast,
            StoreDoor::Sure => Door::Sure,
            StoreDoor::Audit => Door::Audit,
        };
        for piece in notice::split(json, Some(door)).map_err(|error| error.to_string())? {
            if piece.notice.hint == Hint::Nothing {
                continue;
            }
            let (bucket, key) = (piece.notice.bucket.as_str(), piece.notice.key.as_str());
            let record = Record {
                topic: world.topics.notices(&place.name),
                partition: partition_of(bucket, key, LANES),
                key: Some(record_key(bucket, key)),
                value: Some(piece.text.clone().into()),
                headers: door.headers(place.clock.now_us()),
                timestamp_ms: place.clock.now_ms(),
            };
            world.log.append(record).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn tell(&self) {
        self.courier.0.store(self.under_way.len(), Ordering::SeqCst);
    }
}
