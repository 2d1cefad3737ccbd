//! Two listings merged: which versions stand on both sides, which on one only, and which in another order.
//!
//! Memory holds one page of each listing and, of the present key, the versions that have not met their like yet: where
//! the sites agree, those of one millisecond.

use std::collections::{BTreeMap, HashMap};

use twinlog_schemas::{ObjectKey, VersionId};
use twinlog_site::ListedVersion;

use crate::lines::Lines;
use crate::side::VerifyError;

/// One of the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The first.
    Left,
    /// The second.
    Right,
}

impl End {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// What the merge comes upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A version that both have.
    Both(Box<[ListedVersion; 2]>),
    /// A version that only one has.
    Only(End, Box<ListedVersion>),
    /// Versions of one key and millisecond that stand in another order, or of which another is the latest.
    Order(Box<Order>),
}

/// See [`Step::Order`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The key.
    pub key: ObjectKey,
    /// The millisecond.
    pub modified_ms: i64,
    /// The versions in their order at each end, and whether each is the latest.
    pub at: [Vec<(VersionId, bool)>; 2],
}

impl Step {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Both(pair) => &pair[0].key,
            Self::Only(_, line) => &line.key,
            Self::Order(order) => &order.key,
        }
    }
}

/// The merge. Steps come by key; those of one key in no particular order.
pub struct Merge<'a, E> {
    lines: [Lines<'a, E>; 2],
    key: Option<ObjectKey>,
    /// Versions of the key whose like has not come yet.
    waiting: [HashMap<VersionId, ListedVersion>; 2],
    /// The versions of the key by millisecond, until both listings are past it.
    times: BTreeMap<i64, [Vec<(VersionId, bool)>; 2]>,
    ready: Vec<Step>,
}

impl<'a, E> Merge<'a, E> {
    /// Of the two listings, which must be of the same keys.
    #[must_use]
    pub fn new(lines: [Lines<'a, E>; 2]) -> Self {
        Self { lines, key: None, waiting: Default::default(), times: BTreeMap::new(), ready: Vec::new() }
    }

    /// What comes next; nothing at the end of both.
    ///
    /// # Errors
    /// Where one of them cannot be read, or is not in the order of its keys.
    pub async fn next(&mut self) -> Result<Option<Step>, VerifyError<E>> {
        loop {
            if let Some(step) = self.ready.pop() {
                return Ok(Some(step));
            }
            let [left, right] = &mut self.lines;
            let (left, right) = futures::join!(left.head(), right.head());
            let place = |line: &ListedVersion| (line.key.clone(), line.modified_ms);
            let heads = [left?.map(place), right?.map(place)];
            let here = heads.clone().map(|head| head.filter(|(key, _)| self.key.as_ref() == Some(key)));
            match here {
                [None, None] => {
                    self.end_key();
                    let keys = heads.into_iter().flatten().map(|(key, _)| key);
                    self.key = keys.min();
                    if self.key.is_none() && self.ready.is_empty() {
                        return Ok(None);
                    }
                }
                [Some((_, one)), Some((_, other))] => {
                    self.past(one.max(other));
                    self.take(if one >= other { End::Left } else { End::Right });
                }
                [Some(_), None] => self.take(End::Left),
                [None, Some(_)] => self.take(End::Right),
            }
        }
    }

    fn take(&mut self, end: End) {
        let Some(line) = self.lines[end as usize].take() else { return };
        self.times.entry(line.modified_ms).or_default()[end as usize].push((line.version_id.clone(), line.is_latest));
        match self.waiting[end.other() as usize].remove(&line.version_id) {
            Some(like) => {
                let pair = if end == End::Left { [line, like] } else { [like, line] };
                self.ready.push(Step::Both(Box::new(pair)));
            }
            None => drop(self.waiting[end as usize].insert(line.version_id.clone(), line)),
        }
    }

    /// Nothing newer than this time comes any more of this key.
    fn past(&mut self, modified_ms: i64) {
        let newer = self.times.split_off(&modified_ms.saturating_add(1));
        self.orders(newer);
    }

    fn end_key(&mut self) {
        let all = std::mem::take(&mut self.times);
        self.orders(all);
        for end in [End::Left, End::Right] {
            let only = self.waiting[end as usize].drain().map(|(_, line)| Step::Only(end, Box::new(line)));
            self.ready.extend(only);
        }
    }

    fn orders(&mut self, times: BTreeMap<i64, [Vec<(VersionId, bool)>; 2]>) {
        let Some(key) = &self.key else { return };
        let differing = times.into_iter().filter(|(_, [left, right])| left != right && same_versions(left, right));
        let orders = differing.map(|(modified_ms, at)| Order { key: key.clone(), modified_ms, at });
        self.ready.extend(orders.map(|order| Step::Order(Box::new(order))));
    }
}

/// Where they are not the same versions, that is the difference, and not their order.
fn same_versions(left: &[(VersionId, bool)], right: &[(VersionId, bool)]) -> bool {
    let ids = |of: &[(VersionId, bool)]| {
        let mut ids: Vec<_> = of.iter().map(|(id, _)| id.clone()).collect();
        ids.sort();
        ids
    };
    ids(left) == ids(right)
}
