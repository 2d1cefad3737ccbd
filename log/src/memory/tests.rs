#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::conformance::{self, Subject};
use crate::contract::OwnershipChange;
use crate::mark::Mark;

struct Memory(MemoryLog);

#[async_trait]
impl Subject for Memory {
    fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.0.clone())
    }

    async fn trim(&self, partition: &TopicPartition, before: i64) -> Result<(), LogError> {
        self.0.trim(partition, before)
    }

    async fn delete_topic(&self, topic: &TopicName) -> Result<(), LogError> {
        self.0.delete_topic(topic);
        Ok(())
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn conforms() {
    conformance::run(&Memory(MemoryLog::new()), "conformance").await.unwrap();
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_topic_of_a_deleted_name_is_read_anew() {
    let log = MemoryLog::new();
    let spec = conformance::spec("gone", 1);
    let at = TopicPartition { topic: spec.name.clone(), partition: 0 };
    log.create_topic(&spec).await.unwrap();
    log.append(conformance::record(&at, "a", "1")).await.unwrap();
    let reader = log.reader("g").await.unwrap();
    let mut partition = reader.assign(&at, 0).await.unwrap();
    partition.next().await.unwrap();
    log.delete_topic(&spec.name);
    assert_eq!(partition.next().await.unwrap_err().kind, LogErrorKind::UnknownTopic);
    log.create_topic(&spec).await.unwrap();
    assert_eq!(partition.next().await.unwrap_err().kind, LogErrorKind::OffsetOutOfRange);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn compaction_and_markers_leave_gaps() {
    let log = MemoryLog::new();
    let spec = TopicSpec { cleanup: Cleanup::Compact, ..conformance::spec("compact", 1) };
    let at = TopicPartition { topic: spec.name.clone(), partition: 0 };
    log.create_topic(&spec).await.unwrap();
    for (key, value) in [("a", Some("1")), ("b", Some("2")), ("a", Some("3")), ("b", None), ("c", Some("4"))] {
        let value = value.map(|v| Bytes::from_static(v.as_bytes()));
        log.append(Record { value, ..conformance::record(&at, key, "") }).await.unwrap();
        log.skip_offset(&at).unwrap();
    }
    let keyless = log.append(Record { key: None, ..conformance::record(&at, "", "x") }).await;
    assert_eq!(keyless.unwrap_err().kind, LogErrorKind::Fatal);
    log.compact(&spec.name, false);
    assert_eq!(log.records(&at).iter().map(|f| f.position.offset).collect::<Vec<_>>(), [4, 6, 8]);
    log.compact(&spec.name, true);
    let mut partition = log.reader("g").await.unwrap().assign(&at, 0).await.unwrap();
    assert_eq!(partition.next().await.unwrap().position.offset, 4);
    assert_eq!(partition.next().await.unwrap().position.offset, 8);
    assert_eq!(log.watermarks(&at).await.unwrap(), Watermarks { first: 0, next: 10 });
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_expelled_member_loses_its_lanes_at_once_and_may_come_back() {
    let log = MemoryLog::new();
    let topic = conformance::spec("lanes", 4);
    log.create_topic(&topic).await.unwrap();
    let mut a = log.join("g", "a", &topic.name).await.unwrap();
    assert_eq!(a.next().await.unwrap(), OwnershipChange::Acquired(vec![0, 1, 2, 3]));
    let mut b = log.join("g", "b", &topic.name).await.unwrap();
    assert_eq!(b.next().await.unwrap(), OwnershipChange::Acquired(vec![]));
    assert_eq!(a.next().await.unwrap(), OwnershipChange::Revoked(vec![2, 3]));
    log.expel("g", "a");
    assert!(a.claim(&[0], Mark(1)).await.is_err(), "a mark was taken from a member that was thrown out");
    assert_eq!(a.next().await.unwrap(), OwnershipChange::Lost(vec![0, 1, 2, 3]));
    assert_eq!(b.next().await.unwrap(), OwnershipChange::Acquired(vec![0, 1, 2, 3]));
    a.released(&[2, 3]).await.unwrap();
    log.readmit("g", "a");
    assert_eq!(a.next().await.unwrap(), OwnershipChange::Acquired(vec![]));
    assert_eq!(b.next().await.unwrap(), OwnershipChange::Revoked(vec![2, 3]));
    b.released(&[2, 3]).await.unwrap();
    assert_eq!(a.next().await.unwrap(), OwnershipChange::Acquired(vec![2, 3]));
    b.leave().await.unwrap();
    assert_eq!(a.next().await.unwrap(), OwnershipChange::Acquired(vec![0, 1]));
}

proptest! {
    #[test]
    fn a_lane_has_one_owner_and_in_the_end_every_lane_has_one(lanes in 1..9_i32, steps in prop::collection::vec((0..4_u8, 0..4_u64), 0..60)) {
        let mut group = Group::default();
        let mut ids = Vec::new();
        for (what, whom) in steps {
            match what {
                0 => ids.push(group.join(&format!("m{whom}"), lanes)),
                1 if !ids.is_empty() => group.leave(ids.remove(usize::try_from(whom).unwrap() % ids.len())),
                2 => group.expel(&format!("m{whom}")),
                _ => group.readmit(&format!("m{whom}")),
            }
            group.check();
        }
        for whom in 0..4 {
            group.readmit(&format!("m{whom}"));
        }
        group.settle(&ids);
        let owners = group.owners();
        prop_assert_eq!(owners.len(), if ids.is_empty() { 0 } else { usize::try_from(lanes).unwrap() });
        let sizes: BTreeSet<usize> = group.sizes().into_iter().collect();
        prop_assert!(sizes.len() <= 1 || sizes.last().unwrap() - sizes.first().unwrap() == 1, "{sizes:?}");
    }
}
