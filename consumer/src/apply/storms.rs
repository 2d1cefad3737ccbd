//! The guards against delete storms: what this process has counted, joined with what is on record of others.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use twinlog_control::{Control, Direction, Entry, Key, Reason, Slice};
use twinlog_log::{Fetched, TopicName, TopicPartition};
use twinlog_schemas::{ChangeEvent, Fact, FactBody, Told, VersionKind};

use super::Apply;
use crate::storm::{Counter, Seen, Storm, StormLimits};

/// The counts of this process.
#[derive(Default)]
pub(super) struct Storms {
    counted: Mutex<BTreeMap<Direction, Counts>>,
}

/// The counts of one direction.
#[derive(Default)]
struct Counts {
    /// Of the partitions that this process reads.
    ours: BTreeMap<TopicPartition, Counter>,
    /// What was on record of every partition when this process began to count.
    before: BTreeMap<TopicPartition, Slice>,
    /// Partitions counted since they were last put on record.
    unsaved: bool,
}

impl Counts {
    fn removed(&self) -> u64 {
        self.ours.values().map(Counter::removed).sum()
    }
}

impl Storms {
    /// Counts a record; the storm that it completes, if it does.
    fn count(
        &self,
        control: &Control,
        limits: &StormLimits,
        direction: &Direction,
        record: &Fetched,
        (at_us, seen): (i64, Seen),
        facts: impl Fn(&TopicPartition) -> bool,
    ) -> Option<Storm> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counted
            .entry(direction.clone())
            .or_insert_with(|| Counts { before: control.guard(direction), ..Counts::default() });
        let partition = &record.position.partition;
        let before = &counts.before;
        let counter = counts
            .ours
            .entry(partition.clone())
            .or_insert_with(|| Counter::resume(before.get(partition).cloned().unwrap_or_default()));
        counter.count(limits, record.position.offset, at_us, seen);
        counts.unsaved = true;
        // Looking at everything is for removals, and for buckets where they are not few.
        if seen != Seen::Removed || counts.removed().saturating_mul(16) < limits.removals {
            return None;
        }
        let others = control.guard(direction);
        let others = others.iter().filter(|(partition, _)| !counts.ours.contains_key(*partition));
        let slices = counts.ours.iter().map(|(partition, counter)| (partition, counter.slice())).chain(others);
        let (facts, changes): (Vec<_>, Vec<_>) = slices.partition(|(partition, _)| facts(partition));
        let of = |slices: Vec<(_, &'_ Slice)>| slices.into_iter().map(|(_, slice)| slice).cloned().collect::<Vec<_>>();
        let (facts, changes) = (of(facts), of(changes));
        let released = control.release(direction).and_then(|release| release.removals_to_us);
        limits.storm(at_us, &changes.iter().collect::<Vec<_>>(), &facts.iter().collect::<Vec<_>>(), released)
    }

    /// Forgets what was counted of a topic: another one has its name, whose offsets begin anew.
    pub(super) fn forget(&self, topic: &TopicName) {
        for counts in self.counted.lock().unwrap_or_else(PoisonError::into_inner).values_mut() {
            counts.ours.retain(|partition, _| partition.topic != *topic);
            counts.before.retain(|partition, _| partition.topic != *topic);
        }
    }

    /// Puts on record what was counted since the last time. Buckets that nobody removes from have no record.
    pub(super) async fn save(&self, control: &Control) {
        let mut due = Vec::new();
        for (direction, counts) in self.counted.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            if !std::mem::take(&mut counts.unsaved) {
                continue;
            }
            for (partition, counter) in &counts.ours {
                due.push((partition.clone(), direction.clone(), counter.slice().clone(), counter.removed() > 0));
            }
        }
        for (partition, direction, slice, removed) in due {
            let on_record = control.guard(&direction).get(&partition).cloned();
            if removed && on_record.as_ref() != Some(&slice) {
                control.put(Entry::Guard(partition, direction, slice)).await;
            } else if !removed && on_record.is_some() {
                control.remove(Key::Guard(partition, direction)).await;
            }
        }
    }
}

impl Apply {
    /// Counts a change event, and holds the bucket if it completes a storm.
    pub(super) async fn guard_event(&self, record: &Fetched, event: &ChangeEvent) {
        let removed = event.kind == VersionKind::Removed || event.kind == VersionKind::DeleteMarker;
        let seen = match event.told {
            // What somebody asked to look at again, clients did before.
            Told::Examined => return,
            Told::Born | Told::Removed if removed && !event.lifecycle => Seen::Removed,
            _ => Seen::Other,
        };
        let at_us = event.event_time_us.unwrap_or(event.modified_at_ns / 1_000);
        self.guard_against_storm(record, &(event.site.clone(), event.bucket.clone()), at_us, seen).await;
    }

    /// Counts a removal that a fact tells of.
    pub(super) async fn guard_fact(&self, record: &Fetched, fact: &Fact) {
        let FactBody::Removed(removal) = &fact.body else { return };
        if removal.lifecycle || fact.site == *self.parts.here.name() {
            return;
        }
        let direction = (fact.site.clone(), fact.bucket.clone());
        self.guard_against_storm(record, &direction, removal.removed_at_ns / 1_000, Seen::Removed).await;
    }

    async fn guard_against_storm(&self, record: &Fetched, direction: &Direction, at_us: i64, seen: Seen) {
        let Some(limits) = self.link(&direction.0).map(|link| link.storm) else { return };
        let facts = |partition: &TopicPartition| self.facts_topics.contains_key(&partition.topic);
        let control = self.parts.holds.control();
        let storm = self.storms.count(control, &limits, direction, record, (at_us, seen), facts);
        if let Some(Storm { removed, all }) = storm
            && control.stopped(direction).is_none()
        {
            let minutes = limits.window.as_secs() / 60;
            let message = format!("{removed} of {all} changes within {minutes} minutes were removals by clients");
            self.storms.save(control).await;
            self.hold(direction, Reason::DeleteStorm, &message).await;
        }
    }
}
