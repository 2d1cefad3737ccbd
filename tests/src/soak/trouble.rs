//! What goes wrong during a round, drawn from its seed.

use std::{fmt, time::Duration};

use rand::{Rng, rngs::SmallRng};

use crate::{lab_error::LabError, pair::Pair, rest::Rest, server::Process, site::Site};

/// Of whom or what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// Twinlog beside a site.
    Twinlog(Site),
    /// A site's store.
    Store(Site),
    /// The broker.
    Kafka,
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// SIGKILL, and a start.
    Killed,
    /// SIGTERM, and a start.
    Stopped,
    /// SIGSTOP, and SIGCONT.
    Paused,
}

/// One trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// Whom it strikes.
    pub victim: Victim,
    /// How.
    pub harm: Harm,
    /// How long it is away.
    pub away: Duration,
}

impl Trouble {
    /// Draws one; nobody is away for more seconds than `longest`.
    pub fn draw(rng: &mut SmallRng, longest: u64) -> Self {
        let site = Site::BOTH[rng.random_range(0..2)];
        let victim = match rng.random_range(0..8) {
            0..=3 => Victim::Twinlog(site),
            4..=6 => Victim::Store(site),
            _ => Victim::Kafka,
        };
        let harm = [Harm::Killed, Harm::Stopped, Harm::Paused][rng.random_range(0..3)];
        // Beyond the time after which a group takes a process for dead, now and then.
        let seconds =
            if rng.random_ratio(1, 4) { rng.random_range(longest * 3 / 5..longest) } else { rng.random_range(1..6) };
        Self { victim, harm, away: Duration::from_secs(seconds) }
    }

    /// Lets it happen and makes it good again.
    ///
    /// A store that is killed or stopped loses notices of what its clients do at that moment, and of what they did just
    /// before and were told is done (it tells of that later), which only a sweep finds: they rest meanwhile, from when it
    /// has told of what they did until it tells of changes again.
    ///
    /// # Errors
    /// What does not come up again.
    pub async fn strike(self, pair: &mut Pair, rest: &Rest) -> Result<(), LabError> {
        match (self.victim, self.harm) {
            (Victim::Twinlog(site), Harm::Paused) => self.pause(pair.deployment.process(site)?).await,
            (Victim::Twinlog(site), harm) => {
                match harm {
                    Harm::Killed => pair.deployment.kill(site)?,
                    _ => pair.deployment.stop(site).await?,
                }
                tokio::time::sleep(self.away).await;
                pair.deployment.start(site)
            }
            (Victim::Kafka, Harm::Paused) => self.pause(pair.kafka.process()?).await,
            (Victim::Kafka, harm) => {
                match harm {
                    Harm::Killed => drop(pair.kafka.process()?.kill()?),
                    _ => pair.kafka.stop().await?,
                }
                tokio::time::sleep(self.away).await;
                Ok(pair.kafka.start_again().await?)
            }
            (Victim::Store(site), Harm::Paused) => self.pause(pair.store(site).process()?).await,
            (Victim::Store(site), harm) => {
                rest.begin(site).await;
                super::probe::crosses(pair, site).await?;
                match harm {
                    Harm::Killed => drop(pair.store(site).process()?.kill()?),
                    _ => pair.store(site).stop().await?,
                }
                tokio::time::sleep(self.away).await;
                pair.store(site).start_again().await?;
                super::probe::crosses(pair, site).await?;
                rest.end(site);
                Ok(())
            }
        }
    }

    async fn pause(self, process: &mut Process) -> Result<(), LabError> {
        process.pause()?;
        tokio::time::sleep(self.away).await;
        Ok(process.resume()?)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.victim {
            Victim::Twinlog(site) => write!(to, "twinlog at {site}")?,
            Victim::Store(site) => write!(to, "store {site}")?,
            Victim::Kafka => write!(to, "kafka")?,
        }
        let harm = match self.harm {
            Harm::Killed => "killed",
            Harm::Stopped => "stopped",
            Harm::Paused => "paused",
        };
        write!(to, " {harm} for {} s", self.away.as_secs())
    }
}
