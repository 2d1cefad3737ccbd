//! What of a partition may be read and not finished: so many records, and so many bytes of them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::record::Fetched;

/// The room of one partition, in bytes, of which every record takes at least its share.
#[derive(Debug)]
pub(super) struct Room {
    left: Arc<Semaphore>,
    bytes: u32,
    /// What a record takes at least, so that there are no more than the most records.
    least: u32,
}

impl Room {
    pub(super) fn new(records: usize, bytes: u32) -> Self {
        let records = u32::try_from(records).unwrap_or(u32::MAX).max(1);
        let bytes = bytes.max(records).min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Self { left: Arc::new(Semaphore::new(bytes as usize)), bytes, least: bytes.div_ceil(records) }
    }

    /// Waits until a small record has room; none ever has once the room is closed.
    pub(super) async fn for_one(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.left).acquire_many_owned(self.least).await.ok()
    }

    /// Waits for what a record takes beyond `place`; one that is larger than the whole room takes the whole.
    pub(super) async fn enlarge(&self, place: &mut OwnedSemaphorePermit, record: &Fetched) -> Option<()> {
        let size = u32::try_from(record.size()).unwrap_or(u32::MAX).min(self.bytes);
        let more = size.saturating_sub(self.least);
        if more > 0 {
            place.merge(Arc::clone(&self.left).acquire_many_owned(more).await.ok()?);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::FutureExt;

    use super::*;
    use crate::record::{Headers, Position};
    use crate::topic::{TopicName, TopicPartition};

    fn record(bytes: usize) -> Fetched {
        let topic = TopicName::new("data").expect("a name");
        let position = Position { partition: TopicPartition { topic, partition: 0 }, offset: 0 };
        let value = Some(Bytes::from(vec![0; bytes]));
        Fetched { position, key: None, value, headers: Headers::default(), timestamp_ms: None }
    }

    fn take(room: &Room, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let mut place = room.for_one().now_or_never()??;
        room.enlarge(&mut place, &record(bytes)).now_or_never()??;
        Some(place)
    }

    #[test]
    fn small_records_are_bounded_by_number() {
        let room = Room::new(3, 3_000);
        let mut taken: Vec<_> = (0..3).map(|_| take(&room, 10).expect("room")).collect();
        assert!(take(&room, 10).is_none());
        taken.pop();
        assert!(take(&room, 10).is_some());
    }

    #[test]
    fn large_records_are_bounded_by_bytes() {
        let room = Room::new(1_000, 3_000);
        let first = take(&room, 1_500).expect("room");
        let _second = take(&room, 1_400).expect("room");
        assert!(take(&room, 200).is_none());
        drop(first);
        assert!(take(&room, 200).is_some());
    }

    #[test]
    fn a_record_larger_than_the_room_goes_alone() {
        let room = Room::new(10, 1_000);
        let all = take(&room, 1_000_000).expect("room");
        assert!(take(&room, 1).is_none());
        drop(all);
        let small = take(&room, 1).expect("room");
        assert!(take(&room, 1_000_000).is_none());
        drop(small);
    }

    #[test]
    fn a_number_of_records_that_does_not_divide_the_bytes_is_not_passed() {
        let room = Room::new(7, 100);
        let taken: Vec<_> = std::iter::from_fn(|| take(&room, 1)).collect();
        assert!((6..=7).contains(&taken.len()), "{}", taken.len());
    }
}
