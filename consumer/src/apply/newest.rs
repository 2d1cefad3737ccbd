//! A bounded memory of the newest things by key: what has been in it longest is forgotten first.

use std::collections::{BTreeMap, VecDeque};

#[derive(Debug)]
pub(super) struct Newest<K, V> {
    bound: usize,
    known: BTreeMap<K, V>,
    /// The oldest first.
    order: VecDeque<K>,
}

impl<K: Ord + Clone, V> Newest<K, V> {
    /// Remembers at most `bound` keys.
    pub(super) fn new(bound: usize) -> Self {
        Self { bound, known: BTreeMap::new(), order: VecDeque::new() }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.known.get(key)
    }

    /// Remembers a key, in its old place if it is known; returns what stood there.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.known.insert(key.clone(), value);
        if before.is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > self.bound
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut newest = Newest::new(2);
        assert_eq!([newest.insert("a", 1), newest.insert("b", 2), newest.insert("a", 3)], [None, None, Some(1)]);
        assert_eq!(newest.insert("c", 4), None);
        assert_eq!(["a", "b", "c"].map(|key| newest.get(&key).copied()), [None, Some(2), Some(4)]);
    }
}
