//! A process beside a site with a configuration file, metrics and a state folder of its own, so that several can run
//! there: one half of what belongs beside the site, or all of it.

use std::path::PathBuf;

use super::{Deployment, Parts, READY, Scraper, config, run, write};
use crate::{
    lab_error::LabError,
    server::{Port, Process, ServerError, ready::ready},
    site::Site,
};

/// One half of what runs beside a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Notices in, change events out. It listens on the deployment's intake, so there is one at a time.
    Producer,
    /// Change events in, replica writes out.
    Consumer,
}

impl Half {
    fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// The process. Dropping it kills it.
pub struct Member {
    name: String,
    site: Site,
    only: Option<Half>,
    /// With the folder of this member.
    parts: Parts,
    scraper: Scraper,
    metrics: [Port; 2],
    /// None between a stop or kill and a start.
    process: Option<Process>,
}

impl Deployment {
    /// Prepares a process beside a site, one half of it or all; it does not run yet.
    ///
    /// # Errors
    /// Where its configuration cannot be written or no port is free.
    pub fn member(&self, name: &str, site: Site, only: Option<Half>) -> Result<Member, LabError> {
        self.member_with(name, site, only, |_| ())
    }

    /// As [`Deployment::member`], with other parts than the deployment's own.
    ///
    /// # Errors
    /// As there.
    pub fn member_with(
        &self,
        name: &str,
        site: Site,
        only: Option<Half>,
        change: impl FnOnce(&mut Parts),
    ) -> Result<Member, LabError> {
        let mut parts = self.parts.clone();
        parts.folder = self.parts.folder.join(name);
        change(&mut parts);
        std::fs::create_dir_all(&parts.folder).map_err(LabError::io(format!("making {}", parts.folder.display())))?;
        let metrics = [Port::free()?, Port::free()?];
        let scraper = Scraper::new([0, 1].map(|at: usize| metrics[at].address()))?;
        let name = format!("{name} of twinlog at {site}");
        let member = Member { name, site, only, parts, scraper, metrics, process: None };
        write(&member.config(), &config::text(&member.parts, &self.intakes, &member.metrics))?;
        Ok(member)
    }

    /// Starts a further consumer beside a site, which reaches the stores at these endpoints; returns when it is ready.
    ///
    /// # Errors
    /// Where it cannot be started, or does not become ready.
    pub async fn another_consumer(&self, site: Site, endpoints: [String; 2]) -> Result<Member, LabError> {
        let mut another = self.member_with("another", site, Some(Half::Consumer), |parts| {
            for (of, endpoint) in parts.sites.iter_mut().zip(endpoints) {
                of.endpoint = endpoint;
            }
        })?;
        another.start()?;
        another.ready().await?;
        Ok(another)
    }
}

impl Member {
    fn config(&self) -> PathBuf {
        self.parts.folder.join("config.toml")
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.parts.folder.join("twinlog.log")
    }

    /// Beside which site it runs.
    #[must_use]
    pub fn site(&self) -> Site {
        self.site
    }

    /// Whether it is, or has, this half.
    #[must_use]
    pub fn runs(&self, half: Half) -> bool {
        self.only.is_none_or(|only| only == half)
    }

    /// Starts it; returns at once.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(&mut self) -> Result<(), LabError> {
        let mut command = run(&self.parts, self.site, &self.config())?;
        if let Some(only) = self.only {
            command.args(["--only", only.name()]);
        }
        self.process = Some(Process::spawn(&self.name, command, &self.log(), self.parts.life)?);
        Ok(())
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// Where it ends or takes too long, with the end of its log.
    pub async fn ready(&mut self) -> Result<(), LabError> {
        let (scraper, site) = (self.scraper.clone(), self.site);
        Ok(ready(self.process()?, READY, async || scraper.ready(site).await).await?)
    }

    /// The process: pause and resume are its own.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] between a stop or kill and a start.
    pub fn process(&mut self) -> Result<&mut Process, ServerError> {
        self.process.as_mut().ok_or_else(|| ServerError::NotRunning { name: self.name.clone() })
    }

    /// Kills it where it stands (SIGKILL).
    ///
    /// # Errors
    /// Where it does not run, or the system refuses.
    pub fn kill(&mut self) -> Result<(), LabError> {
        self.process()?.kill()?;
        self.process = None;
        Ok(())
    }

    /// Stops it in good order.
    ///
    /// # Errors
    /// Where it has to be killed, or ends with an error.
    pub async fn stop(&mut self) -> Result<(), LabError> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        super::stopped(&format!("run --at {}", self.site), &mut process).await
    }

    /// Deletes all that it keeps on its disk: the index, and what it spools.
    ///
    /// # Errors
    /// Where that cannot be deleted.
    pub fn forget(&self) -> Result<(), LabError> {
        let state = self.parts.folder.join("state");
        std::fs::remove_dir_all(&state).map_err(LabError::io(format!("removing {}", state.display())))
    }
}
