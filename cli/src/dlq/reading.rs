//! Reading the letters that are meant, site after site, each site's oldest first, each cause once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use futures::future::join_all;
use twinlog_dead::{Scan, States};
use twinlog_log::Log;
use twinlog_schemas::SiteName;
use twinlog_schemas::codec::Codec;

use super::found::{Choice, Found};
use crate::bucket::control;
use crate::deployment::Deployment;
use crate::exit::Failure;

/// The letters while they are read. In memory are a few letters at a time, and a little of each that was looked at.
pub struct Reading<'a> {
    deployment: &'a Deployment,
    choice: Choice,
    codec: Codec,
    sites: VecDeque<SiteName>,
    now: Option<Site>,
    found: usize,
    strangers: u64,
}

/// The site whose letters are read now.
struct Site {
    name: SiteName,
    scan: Scan,
    states: States,
}

impl<'a> Reading<'a> {
    /// Begins to read the letters of every site at an end of a link: of what could not be applied there, and of notices that
    /// could not be captured there.
    pub async fn begin(deployment: &'a Deployment, choice: Choice) -> Result<Self, Failure> {
        let ends = deployment.config.links.iter().flat_map(|link| [link.source.clone(), link.target.clone()]);
        let ends: BTreeSet<SiteName> = ends.collect();
        let mut sites: VecDeque<_> = ends.into_iter().filter(|site| choice.may_be_into(site)).collect();
        let first = sites.pop_front();
        let begun = async {
            match first {
                Some(name) => Site::begin(deployment, &choice, name).await.map(Some),
                None => Ok(None),
            }
        };
        // Together, so that the first cluster is waited for once if it does not answer.
        let (codec, now) = futures::try_join!(codec(deployment), begun)?;
        Ok(Self { deployment, choice, codec, sites, now, found: 0, strangers: 0 })
    }

    /// The next letter that is meant; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Found>, Failure> {
        loop {
            let Some(site) = &mut self.now else {
                let Some(name) = self.sites.pop_front() else { return Ok(None) };
                self.now = Some(Site::begin(self.deployment, &self.choice, name).await?);
                continue;
            };
            let next = if self.found < self.choice.limit() { site.scan.next().await } else { Ok(None) };
            let Some(letter) = next.map_err(|error| self.deployment.home_failed(&site.name, &error))? else {
                self.strangers += site.scan.strangers();
                self.now = None;
                continue;
            };
            let content = letter.content(&self.codec);
            let history = site.states.of(&letter.cause).cloned();
            let found = Found { into: site.name.clone(), letter, content, history };
            if self.choice.fits(&found) {
                self.found += 1;
                return Ok(Some(found));
            }
        }
    }

    /// How many records of the site that is read now are still to be looked at.
    pub fn left(&self) -> u64 {
        self.now.as_ref().map_or(0, |site| site.scan.left())
    }

    /// How many records were no letters of Twinlog's, so far.
    pub fn strangers(&self) -> u64 {
        self.strangers
    }
}

impl Site {
    async fn begin(deployment: &Deployment, choice: &Choice, name: SiteName) -> Result<Self, Failure> {
        let log: &Arc<dyn Log> = deployment.home(&name)?;
        let topics = &deployment.config.topics.names;
        let begun = async {
            let (dead, said) = (topics.dead(&name), topics.dead_state(&name));
            // The states first: what is said while the letters are read is said of letters that were open.
            let states = States::load(log.as_ref(), &said).await?;
            let scan = match choice.only() {
                Some(cause) => Scan::around(log.as_ref(), topics, &dead, cause).await?,
                None => Scan::begin(log.as_ref(), topics, &dead).await?,
            };
            Ok((states, scan))
        };
        let (states, scan) = begun.await.map_err(|error| deployment.home_failed(&name, &error))?;
        Ok(Self { name, scan, states })
    }
}

/// A codec that reads what newer producers wrote too, as far as their sites' control topics can be read.
async fn codec(deployment: &Deployment) -> Result<Codec, Failure> {
    let codec = Codec::new().map_err(|error| Failure::internal(error.to_string()))?;
    let asked = deployment.sites.keys().map(|site| async move { (site, control(deployment, site).await) });
    for (site, control) in join_all(asked).await {
        let control = match control {
            Ok(control) => control,
            Err(failure) => {
                tracing::debug!(%site, error = %failure, "published schemas are not read");
                continue;
            }
        };
        for schema in control.schemas() {
            let learnt = schema.verified().map_err(|error| error.to_string());
            if let Err(error) = learnt.and_then(|json| codec.learn(json).map_err(|error| error.to_string())) {
                tracing::debug!(schema = schema.fingerprint, error, "a published schema is not learnt");
            }
        }
    }
    Ok(codec)
}
