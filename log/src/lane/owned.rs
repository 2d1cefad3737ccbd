//! A lane that this process owns, and what its claim has found out.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::actor::{Command, Ended, Lane, LaneFault};
use super::before::Before;
use super::group::LaneGroup;
use super::opening::Begun;
use crate::mark::Mark;
use crate::topic::TopicPartition;

/// A lane that is ours. Dropping it closes its commands, which ends its task.
pub(super) struct Owned {
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) task: JoinHandle<Result<(), LaneFault>>,
    pub(super) assigned: BTreeSet<(usize, TopicPartition)>,
    /// Set once the lane bears our mark.
    pub(super) claimed: Option<Claimed>,
    pub(super) prepared: bool,
    /// Partitions of which nothing of another's acts any more since this claim: it was handed over, or waited out.
    pub(super) waited: BTreeSet<(usize, TopicPartition)>,
}

/// What a claim has found out.
#[derive(Clone, Copy)]
pub(super) struct Claimed {
    /// The claim's own mark.
    pub(super) mark: Mark,
    /// That of the claim before, where it is known.
    pub(super) last: Option<Mark>,
    /// Whether that one was this process's, which knows when it had stopped.
    pub(super) ourselves: bool,
    /// By when whoever owned the lane before had begun all that they began.
    pub(super) since: Instant,
}

impl Claimed {
    /// By when all had begun, of an ownership that ends now as well: one that has not begun anything adds nothing.
    pub(super) fn stopped(self, prepared: bool) -> Instant {
        if prepared { Instant::now() } else { self.since }
    }
}

impl Owned {
    /// Starts the lane's task, of a group that `began` then.
    pub(super) fn start(number: i32, spec: &LaneGroup, began: Instant, ended: mpsc::UnboundedSender<Ended>) -> Self {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (config, handler) = (spec.config.clone(), Arc::clone(&spec.handler));
        let lane = Lane::new(number, config, began, handler, spec.lease.clone(), ended);
        let task = tokio::spawn(lane.run(inbox));
        Self { commands, task, assigned: BTreeSet::new(), claimed: None, prepared: false, waited: BTreeSet::new() }
    }

    /// How the lane is to be prepared that gets these partitions, unless it is and all of them were handed over.
    pub(super) fn before(&self, partitions: &[Begun]) -> Option<Before> {
        let Claimed { last, ourselves, since, .. } = self.claimed?;
        let clean = partitions.iter().all(|begun| self.waited.contains(&begun.at()) || begun.clean(last));
        (!self.prepared || !clean).then(|| Before::judge(clean, ourselves, since.elapsed()))
    }

    /// Stops reading a partition and returns when nothing of it is under way to the log. A lane that has died is found
    /// by its task's result.
    pub(super) async fn stop(&mut self, assigned: &(usize, TopicPartition)) {
        self.assigned.remove(assigned);
        let (done, stopped) = oneshot::channel();
        let _ = self.commands.send(Command::Stop(assigned.1.clone(), done));
        let _ = stopped.await;
    }
}
