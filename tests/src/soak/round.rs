//! One round, in a bucket of its own.

use std::{fmt, sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    Soak, Trouble,
    wire::{Disturbance, disturb},
};
use crate::{
    bucket,
    crowd::{Crowd, Settled, Tally, settle},
    kills::{self, Kills},
    lab_error::LabError,
    pair::Pair,
    rest::Rest,
    site::Site,
    wire::Wire,
};

/// How long a round may take to be equal at its end.
const SETTLE: Duration = Duration::from_secs(300);
/// One in so many seeds of a chaos is a round of kills.
const KILLS_EVERY: u64 = 3;
/// How many kills it has.
const KILLS: usize = 30;
/// The longest between two troubles, in milliseconds.
const BETWEEN_MS: u64 = 4_000;

/// How a round went.
#[derive(Debug, Clone)]
pub struct Round {
    /// Its number.
    pub number: u64,
    /// Its seed.
    pub seed: u64,
    /// What became of it.
    pub went: Went,
}

/// What became of a round.
#[derive(Debug, Clone)]
pub enum Went {
    /// A crowd acted while things went wrong.
    Mixed {
        /// What clients did.
        tally: Tally,
        /// What happened to processes and servers.
        troubles: Vec<Trouble>,
        /// What happened at the wire.
        disturbances: Vec<Disturbance>,
        /// How it ended.
        settled: Settled,
    },
    /// Processes were killed, and the work was counted.
    Killed(kills::Report),
}

impl fmt::Display for Round {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "round {} seed {}: ", self.number, self.seed)?;
        let (tally, troubles, disturbances, settled) = match &self.went {
            Went::Killed(report) => return write!(to, "{report}"),
            Went::Mixed { tally, troubles, disturbances, settled } => (tally, troubles, disturbances, settled),
        };
        let Settled { versions, bytes, kept, letters, .. } = settled;
        write!(to, "EQUAL, {versions} versions, {bytes} bytes; {tally}")?;
        write!(to, "; {kept} kept by locks for a while, dead letters {letters:?}")?;
        let told = troubles.iter().map(ToString::to_string).chain(disturbances.iter().map(ToString::to_string));
        write!(to, "; {}", told.collect::<Vec<_>>().join(", "))
    }
}

/// Makes the round's bucket, and has it done.
pub(super) async fn round(soak: &Soak, pair: &mut Pair, number: u64, seed: u64) -> Result<Round, LabError> {
    let before = std::mem::replace(&mut pair.bucket, format!("{}-{number}", soak.sort.name()));
    for site in Site::BOTH {
        bucket::make(&pair.store(site).root_client(), &pair.bucket, bucket::Lock::On).await?;
    }
    pair.deployment.run(&["bucket", "disable", &before]).await?;
    pair.deployment.enable(&pair.bucket).await?;
    let went = match pair.wire.clone() {
        Some(wire) if seed.is_multiple_of(KILLS_EVERY) => Went::Killed(killed(pair, &wire, seed).await?),
        _ => mixed(soak, pair, seed).await?,
    };
    Ok(Round { number, seed, went })
}

/// Kills processes of the same deployment in place of its own two.
async fn killed(pair: &mut Pair, wire: &Wire, seed: u64) -> Result<kills::Report, LabError> {
    for site in Site::BOTH {
        pair.deployment.stop(site).await?;
    }
    let report = kills::run(&pair.deployment, &pair.bucket, &wire.stores, Kills { seed, kills: KILLS }).await?;
    pair.deployment.start_both().await?;
    Ok(report)
}

async fn mixed(soak: &Soak, pair: &mut Pair, seed: u64) -> Result<Went, LabError> {
    let sites = Site::BOTH.map(|site| pair.deployment.bucket(site, &pair.bucket));
    let crowd = Crowd { kind: soak.kind, seed, acts: soak.acts, foul: true };
    let rest = Rest::default();
    let acting = tokio::spawn({
        let rest = rest.clone();
        async move { crowd.act(&sites, &rest).await }
    });
    let stop = CancellationToken::new();
    let disturbing = pair.wire.as_ref().map(|wire| disturbing(wire, seed, &stop));
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut troubles = Vec::new();
    while !acting.is_finished() {
        let trouble = Trouble::draw(&mut rng, soak.sort.away());
        trouble.strike(pair, &rest).await?;
        troubles.push(trouble);
        tokio::time::sleep(Duration::from_millis(rng.random_range(500..BETWEEN_MS))).await;
    }
    stop.cancel();
    let mut disturbances = Vec::new();
    for one in disturbing.into_iter().flatten() {
        disturbances.extend(one.await.map_err(|error| LabError::io("the wire")(std::io::Error::other(error)))?);
    }
    if let Some(wire) = &pair.wire {
        wire.mend();
    }
    let tally = acting.await.map_err(|error| LabError::io("the clients")(std::io::Error::other(error)))??;
    for site in Site::BOTH {
        pair.deployment.ready(site).await?;
    }
    let settled = settle(&pair.deployment, &pair.bucket, SETTLE).await?;
    let (equal, said) = pair.deployment.verify(&pair.bucket, SETTLE).await?;
    if !equal {
        return Err(LabError::NotInTime {
            what: "twinlog verify found differences".to_owned(),
            within: SETTLE,
            last: said,
        });
    }
    Ok(Went::Mixed { tally, troubles, disturbances, settled })
}

/// Disturbs the ways to the stores and those to Kafka, apart from each other.
fn disturbing(wire: &Arc<Wire>, seed: u64, stop: &CancellationToken) -> [JoinHandle<Vec<Disturbance>>; 2] {
    let begin = |salt: u64, draw: fn(&mut SmallRng) -> Disturbance| {
        tokio::spawn(disturb(Arc::clone(wire), seed ^ (salt << 32), draw, stop.clone()))
    };
    [begin(1, Disturbance::of_a_store), begin(2, Disturbance::of_kafka)]
}
