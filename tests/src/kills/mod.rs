//! Processes killed where they stand (SIGKILL), at random moments, many times, while clients write at both sites; and
//! what must be true of the sites, of the log and of the work that was done twice afterwards.
//!
//! One site has Twinlog in one process, the other its producer and its consumer in one each. What is drawn from the
//! seed: whom each kill strikes, after how long at work, and what clients do. When it strikes depends on the machine.

mod account;
mod fleet;
mod unfinished;
mod wire;

use std::{fmt, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng, seq::SliceRandom};

pub use account::{Account, Work, clean};
pub use fleet::Fleet;
pub use unfinished::{Unfinished, unfinished};
pub use wire::Watch;

use crate::{
    deployment::{Deployment, Half},
    lab_error::LabError,
    load::Load,
    proxy::Proxy,
    site::Site,
    workload::Mix,
};

/// How long the sites may take to be equal once nobody is killed any more: while its producer is away a store's sure door
/// falls behind, by minutes on RustFS.
const SETTLE: Duration = Duration::from_secs(300);
/// The longest time at work before a kill.
const AT_WORK_MS: u64 = 1_200;
/// The longest time until what was killed is started again.
const AWAY_MS: u64 = 300;
/// One in so many kills does not wait until its victim is at work again: it strikes while that begins.
const EARLY: u32 = 4;

/// How much is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kills {
    /// What all is drawn from.
    pub seed: u64,
    /// How many.
    pub kills: usize,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Versions that both sites have in the end.
    pub versions: usize,
    /// Which halves were killed how often, by site.
    pub killed: Killed,
    /// The work.
    pub account: Account,
    /// Uploads without parts that nobody can know of ([`Unfinished::unknown`]), by site.
    pub unknown_uploads: [usize; 2],
}

/// How often each half was killed at each site; a joint process is both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Killed {
    /// Producers at east and west.
    pub producers: [usize; 2],
    /// Consumers at east and west.
    pub consumers: [usize; 2],
}

impl fmt::Display for Report {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Killed { producers, consumers } = self.killed;
        write!(to, "{} versions EQUAL and accounted for; producers killed {producers:?}, ", self.versions)?;
        write!(to, "consumers {consumers:?} times at east and west; {}; ", self.account)?;
        write!(to, "uploads left to the stores' expiry {:?}", self.unknown_uploads)
    }
}

/// Has the processes of a deployment killed under load; nothing of it must run at first, and nothing does in the end.
/// `ways` are those of Twinlog to the stores.
///
/// # Errors
/// [`LabError::Unaccounted`] with whatever is not as it must be; [`LabError::NotInTime`] where the sites do not become
/// equal.
pub async fn run(deployment: &Deployment, bucket: &str, ways: &[Proxy; 2], kills: Kills) -> Result<Report, LabError> {
    let mut rng = SmallRng::seed_from_u64(kills.seed);
    let watch = Watch::begin(ways, bucket);
    let joint = Site::BOTH[rng.random_range(0..2)];
    let mut fleet = Fleet::of(deployment, joint, kills.seed)?;
    fleet.start().await?;
    let sites = Site::BOTH.map(|site| deployment.bucket(site, bucket));
    let load = Load::begin(&sites, &Mix::tags(), kills.seed);
    let mut killed = Killed::default();
    let mut order: Vec<usize> = Vec::new();
    for _ in 0..kills.kills {
        if order.is_empty() {
            // One after the other, so that one comes back while the next is killed.
            order = (0..fleet.members().len()).collect();
            order.shuffle(&mut rng);
        }
        let Some(next) = order.pop() else { break };
        let member = &mut fleet.members()[next];
        if !rng.random_ratio(1, EARLY) {
            load.ease();
            member.ready().await?;
        }
        load.press();
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..AT_WORK_MS))).await;
        member.kill()?;
        killed.count(member.site(), [Half::Producer, Half::Consumer].map(|half| member.runs(half)));
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..AWAY_MS))).await;
        member.start()?;
    }
    let ledger = load.end().await?;
    fleet.ready().await?;
    let compared = deployment.equal(bucket, u64::MAX, SETTLE).await?;
    let account = Account::of(deployment, bucket, &ledger, &watch).await?;
    let unknown_uploads = clean(deployment, bucket, &ledger).await?;
    let left = |site: usize| unknown_uploads[site] > killed.consumers[site];
    let more = Site::BOTH.into_iter().filter(|site| left(site.index()));
    let more = more.map(|site| format!("{} at {site}", unknown_uploads[site.index()])).collect();
    LabError::if_any("more uploads are left over than consumers were killed", more)?;
    account.within(&killed, deployment)?;
    fleet.stop().await?;
    Ok(Report { versions: compared.versions, killed, account, unknown_uploads })
}

impl Killed {
    fn count(&mut self, site: Site, [producer, consumer]: [bool; 2]) {
        self.producers[site.index()] += usize::from(producer);
        self.consumers[site.index()] += usize::from(consumer);
    }
}
