//! The queues of a lane: one per order key, of which at most one call runs at a time. Pure.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

/// Records waiting per key; `T` is a record with whatever must live as long as it waits.
#[derive(Debug)]
pub(crate) struct Queues<T> {
    keys: BTreeMap<Bytes, KeyQueue<T>>,
}

#[derive(Debug)]
struct KeyQueue<T> {
    waiting: VecDeque<T>,
    running: bool,
}

impl<T> Queues<T> {
    pub(crate) fn new() -> Self {
        Self { keys: BTreeMap::new() }
    }

    /// Adds a record behind the others of its key.
    pub(crate) fn push(&mut self, key: Bytes, record: T) {
        let queue = self.keys.entry(key).or_insert_with(|| KeyQueue { waiting: VecDeque::new(), running: false });
        queue.waiting.push_back(record);
    }

    /// Takes the oldest records of a key, at most `batch`, unless a call of this key runs; the key then counts as running.
    pub(crate) fn begin(&mut self, key: &Bytes, batch: usize) -> Vec<T> {
        let Some(queue) = self.keys.get_mut(key) else { return Vec::new() };
        if queue.running || queue.waiting.is_empty() {
            return Vec::new();
        }
        queue.running = true;
        let count = queue.waiting.len().min(batch.max(1));
        queue.waiting.drain(..count).collect()
    }

    /// A key's call has ended; forgets the key when nothing waits.
    pub(crate) fn end(&mut self, key: &Bytes) {
        if let Some(queue) = self.keys.get_mut(key) {
            queue.running = false;
            if queue.waiting.is_empty() {
                self.keys.remove(key);
            }
        }
    }

    /// Drops every waiting record for which `keep` is false; returns nothing of them.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.keys.retain(|_, queue| {
            queue.waiting.retain(|record| keep(record));
            queue.running || !queue.waiting.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_per_key_in_order_and_others_beside_it() {
        let (a, b) = (Bytes::from_static(b"a"), Bytes::from_static(b"b"));
        let mut queues = Queues::new();
        for n in 0..4 {
            queues.push(a.clone(), n);
        }
        queues.push(b.clone(), 9);
        assert_eq!(queues.begin(&a, 3), [0, 1, 2]);
        assert!(queues.begin(&a, 3).is_empty(), "a key runs once at a time");
        assert_eq!(queues.begin(&b, 3), [9]);
        queues.end(&a);
        assert_eq!(queues.begin(&a, 3), [3]);
        queues.end(&a);
        queues.end(&b);
        assert!(queues.keys.is_empty(), "a key with nothing to do is forgotten");
    }
}
