//! Ownership of lanes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::timeout;

use super::{Case, DEADLINE, Outcome, soon};
use crate::contract::{Membership, OwnershipChange, Pulse};
use crate::error::LogError;
use crate::mark::Mark;

/// A member that releases what is revoked at once.
struct Owner {
    membership: Box<dyn Membership>,
    lanes: BTreeSet<i32>,
}

impl Owner {
    /// Takes one change of ownership.
    async fn step(&mut self) -> Result<(), LogError> {
        match self.membership.next().await? {
            OwnershipChange::Acquired(lanes) => {
                assert!(lanes.iter().all(|lane| self.lanes.insert(*lane)), "{lanes:?} acquired twice");
            }
            OwnershipChange::Revoked(lanes) => {
                assert!(lanes.iter().all(|lane| self.lanes.remove(lane)), "{lanes:?} revoked without being owned");
                self.membership.released(&lanes).await?;
            }
            OwnershipChange::Lost(lanes) => panic!("{lanes:?} lost"),
        }
        Ok(())
    }

    async fn until_owning(&mut self, count: usize) -> Result<(), LogError> {
        while self.lanes.len() != count {
            soon("a change of ownership", self.step()).await?;
        }
        Ok(())
    }
}

pub(super) async fn lanes_are_handed_over(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(4).await?;
    let mut first = log.join(&case.prefix, "a", &topic.name).await?;
    let all = BTreeSet::from([0, 1, 2, 3]);
    let got = acquired(first.as_mut()).await?;
    assert_eq!(got, all);
    let lanes: Vec<i32> = got.into_iter().collect();
    let (pulse, of_nobody) = (first.pulse(), "nothing is claimed yet");
    assert!(!soon("a sign of life", pulse.beat()).await?, "{of_nobody}");
    assert_eq!(soon("a claim", first.claim(&lanes, Mark(1))).await?, BTreeMap::new(), "nobody claimed them before");
    assert!(soon("a sign of life", pulse.beat()).await?, "the owner's is taken");

    let mut second = case.log().join(&case.prefix, "b", &topic.name).await?;
    let revoked = match soon("a revocation", until_not_empty(first.as_mut())).await? {
        OwnershipChange::Revoked(lanes) => lanes,
        other => panic!("{other:?} instead of a revocation"),
    };
    assert_eq!(revoked.len(), 2);
    // Until they are released nobody else has them: whatever the second was told, it is of nothing.
    let early = futures::poll!(Box::pin(until_not_empty(second.as_mut())));
    assert!(early.is_pending(), "{early:?} before anything was released");
    first.released(&revoked).await?;
    let got = acquired(second.as_mut()).await?;
    assert_eq!(got, revoked.iter().copied().collect());

    // The mark of the owner before is found, whatever that one's signs of life name.
    assert!(soon("a sign of life", until_taken(pulse.as_ref())).await?);
    let lane = revoked[0];
    assert_eq!(soon("a claim", second.claim(&[lane], Mark(2))).await?, BTreeMap::from([(lane, Mark(1))]));
    assert_eq!(soon("a claim", second.claim(&[lane], Mark(3))).await?, BTreeMap::from([(lane, Mark(2))]));
    first.leave().await?;
    second.leave().await?;
    Ok(())
}

pub(super) async fn a_member_that_leaves_gives_its_lanes_up(case: &Case<'_>) -> Outcome {
    let topic = case.topic(4).await?;
    let join = async |name: &str| -> Result<Owner, LogError> {
        let membership = case.log().join(&case.prefix, name, &topic.name).await?;
        Ok(Owner { membership, lanes: BTreeSet::new() })
    };
    let mut first = join("a").await?;
    first.until_owning(4).await?;
    let mut second = join("b").await?;
    let (one, other) = tokio::join!(first.until_owning(2), second.until_owning(2));
    one.and(other)?;
    assert!(first.lanes.is_disjoint(&second.lanes));
    // Left on purpose, so the other need not wait for any session to time out.
    first.membership.leave().await?;
    second.until_owning(4).await?;
    second.membership.leave().await?;
    let mut third = join("c").await?;
    third.until_owning(4).await?;
    drop(third);
    Ok(())
}

pub(super) async fn a_member_dropped_while_it_drains_gives_everything_up(case: &Case<'_>) -> Outcome {
    let topic = case.topic(4).await?;
    let mut first = case.log().join(&case.prefix, "a", &topic.name).await?;
    assert_eq!(acquired(first.as_mut()).await?.len(), 4);
    let membership = case.log().join(&case.prefix, "b", &topic.name).await?;
    let mut second = Owner { membership, lanes: BTreeSet::new() };
    let change = soon("a revocation", until_not_empty(first.as_mut())).await?;
    assert!(matches!(change, OwnershipChange::Revoked(_)), "{change:?}");
    drop(first);
    second.until_owning(4).await?;
    second.membership.leave().await?;
    Ok(())
}

/// A rebalance waits for the member that drains, and a member that has asked to join waits for the rebalance.
pub(super) async fn leaving_waits_for_nobody(case: &Case<'_>) -> Outcome {
    let topic = case.topic(4).await?;
    let mut first = case.log().join(&case.prefix, "a", &topic.name).await?;
    assert_eq!(acquired(first.as_mut()).await?.len(), 4);
    let second = case.log().join(&case.prefix, "b", &topic.name).await?;
    let change = soon("a revocation", until_not_empty(first.as_mut())).await?;
    assert!(matches!(change, OwnershipChange::Revoked(_)), "{change:?}");
    let mut third = case.log().join(&case.prefix, "c", &topic.name).await?;
    // Time for its wish to join to reach the log: nothing tells of it.
    let early = timeout(Duration::from_millis(500), until_not_empty(third.as_mut())).await;
    assert!(early.is_err(), "nothing is released yet: {early:?}");
    // The rebalance that is under way lasts as long as a group's time-out, a minute: whoever waited for it would be late.
    timeout(DEADLINE / 2, third.leave()).await.map_err(|_| "leaving waited for the rebalance")??;
    drop(first);
    second.leave().await?;
    Ok(())
}

/// A sign of life may come while the group is being shared out anew.
async fn until_taken(pulse: &dyn Pulse) -> Result<bool, LogError> {
    loop {
        match pulse.beat().await {
            Err(error) if error.is_transient() => tokio::time::sleep(Duration::from_millis(100)).await,
            answer => return answer,
        }
    }
}

/// Everything acquired up to the first acquisition that is not empty.
async fn acquired(membership: &mut dyn Membership) -> Result<BTreeSet<i32>, LogError> {
    match soon("an acquisition", until_not_empty(membership)).await? {
        OwnershipChange::Acquired(lanes) => Ok(lanes.into_iter().collect()),
        other => panic!("{other:?} instead of an acquisition within {DEADLINE:?}"),
    }
}

/// The next change, apart from acquisitions of nothing.
async fn until_not_empty(membership: &mut dyn Membership) -> Result<OwnershipChange, LogError> {
    loop {
        match membership.next().await? {
            OwnershipChange::Acquired(lanes) if lanes.is_empty() => {}
            change => return Ok(change),
        }
    }
}
