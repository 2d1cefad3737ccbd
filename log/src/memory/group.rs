//! Group membership of the in-memory log: cooperative and sticky, as Kafka's `cooperative-sticky` assignor.
//!
//! A lane is owned by one member at a time. One that is to move is first revoked, stays with its owner until that
//! one releases it (or leaves, or is expelled), and only then acquired by the next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Shared;
use crate::contract::{Membership, OwnershipChange, Pulse};
use crate::error::{LogError, LogErrorKind};
use crate::mark::Mark;

/// How long after its last sign of life a member may be expelled, for whoever goes by it.
pub const SESSION: Duration = Duration::from_secs(6);

/// Members are told apart by the order of joining: names may come twice after a restart.
type MemberId = u64;

#[derive(Default)]
pub(super) struct Group {
    lanes: i32,
    joined: MemberId,
    members: BTreeMap<MemberId, Member>,
    marks: BTreeMap<i32, Mark>,
}

struct Member {
    name: String,
    /// Expelled members stay known, own nothing and are given nothing.
    admitted: bool,
    /// Whether an acquisition (perhaps of nothing) was queued since it was (re)admitted.
    greeted: bool,
    owned: BTreeSet<i32>,
    /// Of those owned, the ones it has been told to release.
    revoked: BTreeSet<i32>,
    /// Of those owned, the ones that bear a mark of its own.
    claimed: BTreeSet<i32>,
    /// The lanes it knows that it owns or drains: grows when it takes an event, shrinks when it releases.
    known: BTreeSet<i32>,
    events: VecDeque<OwnershipChange>,
}

impl Group {
    pub(super) fn join(&mut self, name: &str, lanes: i32) -> MemberId {
        self.lanes = lanes;
        self.joined += 1;
        let member = Member {
            name: name.to_owned(),
            admitted: true,
            greeted: false,
            owned: BTreeSet::new(),
            revoked: BTreeSet::new(),
            claimed: BTreeSet::new(),
            known: BTreeSet::new(),
            events: VecDeque::new(),
        };
        self.members.insert(self.joined, member);
        self.rebalance();
        self.joined
    }

    pub(super) fn leave(&mut self, id: MemberId) {
        self.members.remove(&id);
        self.rebalance();
    }

    pub(super) fn expel(&mut self, name: &str) {
        for member in self.members.values_mut().filter(|m| m.admitted && m.name == name) {
            member.admitted = false;
            member.greeted = false;
            member.owned.clear();
            member.revoked.clear();
            member.claimed.clear();
            member.events.clear();
            if !member.known.is_empty() {
                member.events.push_back(OwnershipChange::Lost(member.known.iter().copied().collect()));
            }
        }
        self.rebalance();
    }

    pub(super) fn readmit(&mut self, name: &str) {
        self.members.values_mut().filter(|m| m.name == name).for_each(|m| m.admitted = true);
        self.rebalance();
    }

    /// The marks before, or the first of the lanes that is not the member's.
    fn claim(&mut self, id: MemberId, lanes: &[i32], mark: Mark) -> Result<BTreeMap<i32, Mark>, i32> {
        let owned = |lane: &i32| self.members.get(&id).is_some_and(|member| member.owned.contains(lane));
        if let Some(lane) = lanes.iter().find(|lane| !owned(lane)) {
            return Err(*lane);
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.claimed.extend(lanes);
        }
        let put = |lane: &i32| Some((*lane, self.marks.insert(*lane, mark)?));
        Ok(lanes.iter().filter_map(put).collect())
    }

    fn claimed_any(&self, id: MemberId) -> bool {
        self.members.get(&id).is_some_and(|member| !member.claimed.is_empty())
    }

    pub(super) fn owners(&self) -> BTreeMap<i32, String> {
        let of = |m: &Member| m.owned.iter().map(|lane| (*lane, m.name.clone())).collect::<Vec<_>>();
        self.members.values().flat_map(of).collect()
    }

    fn released(&mut self, id: MemberId, lanes: &[i32]) {
        if let Some(member) = self.members.get_mut(&id) {
            for lane in lanes {
                if member.revoked.remove(lane) {
                    member.owned.remove(lane);
                    member.known.remove(lane);
                    member.claimed.remove(lane);
                }
            }
        }
        self.rebalance();
    }

    fn take_event(&mut self, id: MemberId) -> Option<OwnershipChange> {
        let member = self.members.get_mut(&id)?;
        let event = member.events.pop_front()?;
        match &event {
            OwnershipChange::Acquired(lanes) => member.known.extend(lanes),
            OwnershipChange::Revoked(_) => {}
            OwnershipChange::Lost(lanes) => lanes.iter().for_each(|lane| _ = member.known.remove(lane)),
        }
        Some(event)
    }

    /// Shares the lanes out as evenly as it goes with as few moves as it takes; the same state gives the same shares.
    fn rebalance(&mut self) {
        let mut order: Vec<(MemberId, usize)> =
            self.members.iter().filter(|(_, m)| m.admitted).map(|(id, m)| (*id, m.kept().count())).collect();
        order.sort_by_key(|(id, kept)| (std::cmp::Reverse(*kept), *id));
        let lanes = usize::try_from(self.lanes).unwrap_or(0);
        let mut free: VecDeque<i32> = self.free();
        for (place, (id, _)) in order.iter().enumerate() {
            let quota = lanes / order.len() + usize::from(place < lanes % order.len());
            if let Some(member) = self.members.get_mut(id) {
                member.revoke_down_to(quota);
                member.acquire_up_to(quota, &mut free);
            }
        }
    }

    fn free(&self) -> VecDeque<i32> {
        let owned: BTreeSet<i32> = self.members.values().flat_map(|m| m.owned.iter().copied()).collect();
        (0..self.lanes).filter(|lane| !owned.contains(lane)).collect()
    }
}

impl Member {
    fn kept(&self) -> impl Iterator<Item = i32> + '_ {
        self.owned.difference(&self.revoked).copied()
    }

    fn revoke_down_to(&mut self, quota: usize) {
        let too_many: Vec<i32> = self.kept().skip(quota).collect();
        if !too_many.is_empty() {
            self.revoked.extend(&too_many);
            self.events.push_back(OwnershipChange::Revoked(too_many));
        }
    }

    fn acquire_up_to(&mut self, quota: usize, free: &mut VecDeque<i32>) {
        let room = quota.saturating_sub(self.kept().count()).min(free.len());
        let lanes: Vec<i32> = free.drain(..room).collect();
        if !lanes.is_empty() || !self.greeted {
            self.greeted = true;
            self.owned.extend(&lanes);
            self.events.push_back(OwnershipChange::Acquired(lanes));
        }
    }
}

pub(super) struct MemoryMembership {
    shared: Arc<Shared>,
    group: String,
    id: MemberId,
}

impl MemoryMembership {
    pub(super) fn new(shared: Arc<Shared>, group: String, id: MemberId) -> Self {
        Self { shared, group, id }
    }

    fn with_group<T>(&self, act: impl FnOnce(&mut Group) -> T) -> Result<T, LogError> {
        let mut state = self.shared.state();
        let gone = || LogError::new("member of", &self.group, LogErrorKind::Fatal, "the group does not exist");
        state.groups.get_mut(&self.group).map(act).ok_or_else(gone)
    }
}

/// Asks after one place.
struct MemoryPulse {
    shared: Arc<Shared>,
    group: String,
    id: MemberId,
}

#[async_trait]
impl Pulse for MemoryPulse {
    async fn beat(&self) -> Result<bool, LogError> {
        Ok(self.shared.state().groups.get(&self.group).is_some_and(|group| group.claimed_any(self.id)))
    }
}

#[async_trait]
impl Membership for MemoryMembership {
    fn session(&self) -> Duration {
        SESSION
    }

    fn pulse(&self) -> Arc<dyn Pulse> {
        Arc::new(MemoryPulse { shared: Arc::clone(&self.shared), group: self.group.clone(), id: self.id })
    }

    async fn next(&mut self) -> Result<OwnershipChange, LogError> {
        let shared = self.shared.clone();
        loop {
            // Registered before looking, so that a change in between is not missed.
            let mut woken = std::pin::pin!(shared.groups.notified());
            woken.as_mut().enable();
            if let Some(event) = self.with_group(|group| group.take_event(self.id))? {
                return Ok(event);
            }
            woken.await;
        }
    }

    async fn released(&mut self, lanes: &[i32]) -> Result<(), LogError> {
        self.with_group(|group| group.released(self.id, lanes))?;
        self.shared.groups.notify_waiters();
        Ok(())
    }

    async fn claim(&mut self, lanes: &[i32], mark: Mark) -> Result<BTreeMap<i32, Mark>, LogError> {
        let claimed = self.with_group(|group| group.claim(self.id, lanes, mark))?;
        let lost = |lane| format!("lane {lane} is somebody else's");
        claimed.map_err(|lane| LogError::new("claim in", &self.group, LogErrorKind::Transient, lost(lane)))
    }

    async fn leave(self: Box<Self>) -> Result<(), LogError> {
        // Dropping is leaving.
        Ok(())
    }
}

impl Drop for MemoryMembership {
    fn drop(&mut self) {
        if let Some(group) = self.shared.state().groups.get_mut(&self.group) {
            group.leave(self.id);
        }
        self.shared.groups.notify_waiters();
    }
}

#[cfg(test)]
impl Group {
    /// Every lane has at most one owner.
    pub(super) fn check(&self) {
        let owned: Vec<i32> = self.members.values().flat_map(|m| m.owned.iter().copied()).collect();
        assert_eq!(owned.len(), owned.iter().collect::<BTreeSet<_>>().len(), "a lane has two owners: {owned:?}");
    }

    /// Members take their events and release what is revoked until nothing changes any more.
    pub(super) fn settle(&mut self, ids: &[MemberId]) {
        while let Some((id, event)) = ids.iter().find_map(|id| Some((*id, self.take_event(*id)?))) {
            if let OwnershipChange::Revoked(lanes) = event {
                self.released(id, &lanes);
                self.check();
            }
        }
    }

    pub(super) fn sizes(&self) -> Vec<usize> {
        self.members.values().map(|m| m.owned.len()).collect()
    }
}
