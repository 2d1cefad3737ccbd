//! A further process beside a site: it shares the site's lanes with the first, and reaches the stores its own way.

use std::process::Command;

use super::{Deployment, READY, Scraper, binary::twinlog, config, write};
use crate::{
    lab_error::LabError,
    server::{Port, Process, ready::ready},
    site::Site,
};

/// The process. Dropping it kills it.
pub struct Another {
    process: Process,
    scraper: Scraper,
    site: Site,
}

impl Deployment {
    /// Starts a further `twinlog run --only consumer` beside a site, which reaches the stores at these endpoints;
    /// returns when it is ready.
    ///
    /// # Errors
    /// Where it cannot be started, or does not become ready.
    pub async fn another_consumer(&self, site: Site, endpoints: [String; 2]) -> Result<Another, LabError> {
        let mut parts = self.parts.clone();
        parts.folder = self.parts.folder.join("another");
        for (of, endpoint) in parts.sites.iter_mut().zip(endpoints) {
            of.endpoint = endpoint;
        }
        std::fs::create_dir_all(&parts.folder).map_err(LabError::io(format!("making {}", parts.folder.display())))?;
        let (intakes, metrics) = ([Port::free()?, Port::free()?], [Port::free()?, Port::free()?]);
        let file = parts.folder.join("config.toml");
        write(&file, &config::text(&parts, &intakes, &metrics))?;
        let scraper = Scraper::new([0, 1].map(|at: usize| metrics[at].address()))?;
        let mut command = Command::new(twinlog()?);
        command.args(["run", "--at", site.name(), "--only", "consumer", "--config"]).arg(&file);
        let log = parts.folder.join("twinlog.log");
        let process = Process::spawn(&format!("another twinlog at {site}"), command, &log, parts.life)?;
        let mut another = Another { process, scraper, site };
        another.ready().await?;
        Ok(another)
    }
}

impl Another {
    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// Where it ends or takes too long, with the end of its log.
    pub async fn ready(&mut self) -> Result<(), LabError> {
        let (scraper, site) = (self.scraper.clone(), self.site);
        Ok(ready(&mut self.process, READY, async || scraper.ready(site).await).await?)
    }

    /// The process: pause and resume are its own.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
