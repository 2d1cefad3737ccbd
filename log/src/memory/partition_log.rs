//! One partition's records in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::Watermarks;
use crate::record::{Fetched, Position, Record};
use crate::topic::TopicPartition;

pub(super) struct PartitionLog {
    pub(super) compacted: bool,
    pub(super) max_message_bytes: usize,
    /// By offset; compaction and trimming take records out.
    records: BTreeMap<i64, Record>,
    /// The first offset that may be asked for; grows by trimming only.
    first: i64,
    /// The next record's offset.
    next: i64,
}

impl PartitionLog {
    pub(super) fn new(compacted: bool, max_message_bytes: usize) -> Self {
        Self { compacted, max_message_bytes, records: BTreeMap::new(), first: 0, next: 0 }
    }

    pub(super) fn append(&mut self, record: Record) -> i64 {
        let offset = self.next;
        self.next += 1;
        self.records.insert(offset, record);
        offset
    }

    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    pub(super) fn watermarks(&self) -> Watermarks {
        Watermarks { first: self.first, next: self.next }
    }

    /// The first record at or above `position`, if there is one yet.
    pub(super) fn at_or_above(&self, position: i64, at: &TopicPartition) -> Option<Fetched> {
        self.records.range(position..).next().map(|(offset, record)| fetched(*offset, record, at))
    }

    pub(super) fn offset_at(&self, at_ms: i64) -> Option<i64> {
        self.records.iter().find(|(_, record)| record.timestamp_ms >= at_ms).map(|(offset, _)| *offset)
    }

    pub(super) fn all(&self, at: &TopicPartition) -> Vec<Fetched> {
        self.records.iter().map(|(offset, record)| fetched(*offset, record, at)).collect()
    }

    pub(super) fn compact(&mut self, drop_tombstones: bool) {
        let mut later = BTreeSet::new();
        let superseded: Vec<i64> = self
            .records
            .iter()
            .rev()
            .filter(|(_, record)| {
                let Some(key) = &record.key else { return false };
                !later.insert(key.clone()) || (drop_tombstones && record.value.is_none())
            })
            .map(|(offset, _)| *offset)
            .collect();
        for offset in superseded {
            self.records.remove(&offset);
        }
    }

    pub(super) fn trim(&mut self, before: i64) {
        self.first = before.clamp(self.first, self.next);
        self.records = self.records.split_off(&self.first);
    }
}

fn fetched(offset: i64, record: &Record, at: &TopicPartition) -> Fetched {
    Fetched {
        position: Position { partition: at.clone(), offset },
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.clone(),
        timestamp_ms: Some(record.timestamp_ms),
    }
}
