//! `./justw soak`: rounds of a crowd's work while servers and Twinlog are killed, stopped and paused; after each round
//! the sites must be equal. `./justw chaos`: the same with everything that can go wrong at the wire between Twinlog, the
//! stores and Kafka at the same time, and with rounds in which processes are killed as often as can be and the work that
//! was done twice is counted ([`crate::kills`]).
//!
//! A round has a seed and a bucket of its own. Its seed draws what the clients do and what goes wrong; when it goes
//! wrong depends on the machine.

mod probe;
mod round;
mod trouble;
mod wire;

use std::{fmt, path::PathBuf, time::Duration};

pub use round::{Round, Went};
pub use trouble::{Harm, Trouble, Victim};
pub use wire::{Disturbance, Disturbed};

use crate::{
    deployment::Pace,
    lab_error::LabError,
    pair::{Pair, PairOptions},
    server::{Life, StoreKind},
    site::Site,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Servers and processes, at Twinlog's usual pace.
    Soak,
    /// The wire too, and more of everything in less time.
    Chaos,
}

impl Sort {
    /// As the task is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Soak => "soak",
            Self::Chaos => "chaos",
        }
    }

    /// The longest that a process or server is away, in seconds: beyond the time after which it is taken for dead.
    fn away(self) -> u64 {
        match self {
            Self::Soak => 25,
            Self::Chaos => 12,
        }
    }
}

/// A soak, or a chaos.
#[derive(Debug, Clone)]
pub struct Soak {
    /// What goes wrong.
    pub sort: Sort,
    /// On which store.
    pub kind: StoreKind,
    /// Where everything goes.
    pub folder: PathBuf,
    /// The first round's seed; each further one is the next number.
    pub seed: u64,
    /// What clients do in a round.
    pub acts: u64,
    /// For how long new rounds begin; there is one at least.
    pub lasting: Duration,
}

/// A run that ended badly.
#[derive(Debug)]
pub struct Failed {
    /// The round's seed, and what repeats it; none where it was no round's fault.
    pub repeat: Option<String>,
    /// What is wrong.
    pub error: LabError,
}

impl fmt::Display for Failed {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", self.error)?;
        self.repeat.as_ref().map_or(Ok(()), |repeat| write!(to, "\nrepeat it with: {repeat}"))
    }
}

impl From<LabError> for Failed {
    fn from(error: LabError) -> Self {
        Self { repeat: None, error }
    }
}

impl Soak {
    /// The command that does the round of a seed again.
    #[must_use]
    pub fn repeats(&self, seed: u64) -> String {
        let Self { sort, kind, acts, .. } = self;
        format!("./justw {} --store {} --minutes 0 --acts {acts} --seed {seed}", sort.name(), kind.name())
    }
}

/// Runs it; `tell` hears of every round. Returns how many there were.
///
/// # Errors
/// The first round after which the sites are not equal, and whatever does not come up.
pub async fn run(soak: &Soak, mut tell: impl FnMut(String)) -> Result<u64, Failed> {
    let mut pair = start(soak).await?;
    let begun = std::time::Instant::now();
    let mut number = 0;
    while number == 0 || begun.elapsed() < soak.lasting {
        let seed = soak.seed + number;
        number += 1;
        match round::round(soak, &mut pair, number, seed).await {
            Ok(round) => tell(round.to_string()),
            Err(error) => return Err(Failed { repeat: Some(soak.repeats(seed)), error }),
        }
    }
    for site in Site::BOTH {
        pair.deployment.stop(site).await?;
    }
    Ok(number)
}

async fn start(soak: &Soak) -> Result<Pair, LabError> {
    let chaos = soak.sort == Sort::Chaos;
    let options = PairOptions {
        kind: soak.kind,
        folder: soak.folder.clone(),
        bucket: format!("{}-0", soak.sort.name()),
        life: Life::Bound,
        wired: chaos,
    };
    let mut pair = Pair::servers(options, |what| println!("{what}")).await?;
    if chaos {
        pair.deployment.change(|parts| parts.pace = Pace::Brief)?;
    }
    pair.deployment.enable(&pair.bucket).await?;
    pair.deployment.start_both().await?;
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_round_says_what_repeats_it() {
        let soak = Soak {
            sort: Sort::Chaos,
            kind: StoreKind::MinIo,
            folder: PathBuf::new(),
            seed: 7,
            acts: 600,
            lasting: Duration::ZERO,
        };
        let found = vec!["a stray marker".to_owned()];
        let error = LabError::Unaccounted { what: "the sites".to_owned(), found };
        let told = Failed { repeat: Some(soak.repeats(8)), error }.to_string();
        assert!(told.contains("a stray marker"), "{told}");
        assert!(told.ends_with("./justw chaos --store minio --minutes 0 --acts 600 --seed 8"), "{told}");
    }
}
