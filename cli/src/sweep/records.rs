//! How far back what two sites told of a bucket is whole, read from their control topics.

use twinlog_control::Control;
use twinlog_sweep::Whole;

use crate::bucket::control;
use crate::deployment::Deployment;
use crate::exit::Failure;
use crate::verify::pairs::Pair;

/// The records of a pair of sites.
pub struct Records<'a> {
    pub deployment: &'a Deployment,
    pub pair: &'a Pair,
    /// Whether what is older than the first `bucket enable` is created: the bucket was never filled, and somebody asked.
    pub fills: bool,
}

impl Records<'_> {
    /// As they stand now, in the order of the pair's sites.
    pub async fn whole(&self) -> Result<[Whole; 2], Failure> {
        let (controls, broken) = self.look().await?;
        let ns = |us: i64| us.saturating_mul(1_000);
        Ok([0, 1].map(|at| {
            // Then what it lacks may have been removed there, however old it is.
            let unbroken = controls[at].unbroken(&self.pair.bucket).filter(|_| !broken[at]);
            Whole {
                unbroken_since_ns: unbroken.and_then(|unbroken| unbroken.since_us).map(ns),
                filling_before_ns: unbroken.filter(|_| self.fills).map(|unbroken| ns(unbroken.first_us)),
            }
        }))
    }

    /// Whether something that either site told is lost.
    pub async fn broken(&self) -> Result<bool, Failure> {
        let (_, broken) = self.look().await?;
        Ok(broken.contains(&true))
    }

    /// Both control topics, and whether something that the site told is lost: it could not be captured, or records of it
    /// are gone unread, at the site itself or at the other one.
    async fn look(&self) -> Result<([Control; 2], [bool; 2]), Failure> {
        let Pair { bucket, left, right } = self.pair;
        let controls = [control(self.deployment, left).await?, control(self.deployment, right).await?];
        let broken = [left, right].map(|site| (site.clone(), bucket.clone()));
        let broken = broken.map(|told| controls.iter().any(|control| control.sweep(&told).is_some()));
        let dirty = controls.each_ref().map(|control| control.dirty().iter().any(|dirty| dirty.bucket == *bucket));
        Ok((controls, [broken[0] || dirty[0], broken[1] || dirty[1]]))
    }
}
