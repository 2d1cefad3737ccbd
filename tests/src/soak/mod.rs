//! `./justw soak`: rounds of a crowd's work while servers and Twinlog are killed, stopped and paused; after each round
//! the sites must be equal.
//!
//! A round has a seed and a bucket of its own. Its seed draws what the clients do and what goes wrong; when it goes
//! wrong depends on the machine.

mod probe;
mod trouble;

use std::{fmt, path::PathBuf, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};

pub use trouble::{Harm, Trouble, Victim};

use crate::{
    bucket,
    crowd::{Crowd, Rest, Settled, Tally, settle},
    lab_error::LabError,
    pair::{Pair, PairOptions},
    server::{Life, StoreKind},
    site::Site,
};

/// How long a round may take to be equal at its end.
const SETTLE: Duration = Duration::from_secs(300);

/// A soak.
#[derive(Debug, Clone)]
pub struct Soak {
    /// On which store.
    pub kind: StoreKind,
    /// Where everything goes.
    pub folder: PathBuf,
    /// The first round's seed; each further one is the next number.
    pub seed: u64,
    /// What clients do in a round.
    pub acts: u64,
    /// For how long new rounds begin.
    pub lasting: Duration,
}

/// How a round went.
#[derive(Debug, Clone)]
pub struct Round {
    /// Its number.
    pub number: u64,
    /// Its seed.
    pub seed: u64,
    /// What clients did.
    pub tally: Tally,
    /// What went wrong.
    pub troubles: Vec<Trouble>,
    /// How it ended.
    pub settled: Settled,
}

impl fmt::Display for Round {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settled { versions, bytes, kept, letters, .. } = &self.settled;
        write!(
            to,
            "round {} seed {}: EQUAL, {versions} versions, {bytes} bytes; {}",
            self.number, self.seed, self.tally
        )?;
        write!(to, "; {kept} kept by locks for a while, dead letters {letters:?}")?;
        let troubles: Vec<String> = self.troubles.iter().map(ToString::to_string).collect();
        write!(to, "; {}", troubles.join(", "))
    }
}

/// Runs it; `tell` hears of every round. Returns how many there were.
///
/// # Errors
/// The first round after which the sites are not equal, and whatever does not come up.
pub async fn run(soak: &Soak, mut tell: impl FnMut(String)) -> Result<u64, LabError> {
    let options =
        PairOptions { kind: soak.kind, folder: soak.folder.clone(), bucket: "soak-0".to_owned(), life: Life::Bound };
    let mut pair = Pair::start(options, |what| println!("{what}")).await?;
    let begun = std::time::Instant::now();
    let mut number = 0;
    while begun.elapsed() < soak.lasting {
        let seed = soak.seed + number;
        number += 1;
        tell(round(soak, &mut pair, number, seed).await?.to_string());
    }
    for site in Site::BOTH {
        pair.deployment.stop(site).await?;
    }
    Ok(number)
}

async fn round(soak: &Soak, pair: &mut Pair, number: u64, seed: u64) -> Result<Round, LabError> {
    let before = std::mem::replace(&mut pair.bucket, format!("soak-{number}"));
    for site in Site::BOTH {
        bucket::make(&pair.store(site).root_client(), &pair.bucket, bucket::Lock::On).await?;
    }
    pair.deployment.run(&["bucket", "disable", &before]).await?;
    pair.deployment.enable(&pair.bucket).await?;
    let sites = Site::BOTH.map(|site| pair.deployment.bucket(site, &pair.bucket));
    let crowd = Crowd { kind: soak.kind, seed, acts: soak.acts, foul: true };
    let rest = Rest::default();
    let acting = tokio::spawn({
        let rest = rest.clone();
        async move { crowd.act(&sites, &rest).await }
    });
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut troubles = Vec::new();
    while !acting.is_finished() {
        let trouble = Trouble::draw(&mut rng);
        trouble.strike(pair, &rest).await?;
        troubles.push(trouble);
        tokio::time::sleep(Duration::from_secs(rng.random_range(1..5))).await;
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
    Ok(Round { number, seed, tally, troubles, settled })
}
