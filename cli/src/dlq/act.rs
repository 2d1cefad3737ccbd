//! Replaying and discarding: one letter after the other, each put on record once what was done of it stands in the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use twinlog_dead::{Cause, Change, History, Letter, State};
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::outgoing::{Outgoing, Partitions};
use twinlog_log::{Headers, Log, LogError, Record, header, partition_of_record_key};
use twinlog_schemas::{ExamineCause, OwnNotice, SiteName, VersionRef};

use super::found::Found;
use crate::config::Config;
use crate::deployment::Deployment;
use crate::exit::Failure;

/// What is to be done with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Its version is asked for again.
    Replay,
    /// It is not to be applied, for this reason.
    Discard(String),
}

/// What was done with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It was done, and stands on record.
    Acted,
    /// It would have been done.
    Would,
    /// It cannot be done, and the letter stays as it is.
    Cannot(String),
}

/// Who acts, and by what.
pub struct Act<'a> {
    deployment: &'a Deployment,
    deed: Deed,
    by: String,
    dry_run: bool,
    clock: Arc<dyn Clock>,
    ids: Ids,
    /// Where each site's topics are.
    homes: BTreeMap<SiteName, Partitions>,
}

/// What is written to replay a letter, and to which sites.
#[derive(Debug, PartialEq, Eq)]
pub enum Replay<'a> {
    /// The version is asked for by name: at the site that wrote the record. Of a fact of the target's own site, which the
    /// target does not read from itself, at every other site.
    Version(Vec<&'a SiteName>, VersionRef),
    /// The notice once more, to its own site.
    Notice,
}

impl<'a> Replay<'a> {
    /// How this letter is replayed.
    ///
    /// # Errors
    /// Why it cannot be, in words.
    pub fn of(config: &'a Config, found: &Found) -> Result<Self, String> {
        if found.letter.notice {
            return Ok(Self::Notice);
        }
        let (Some(version), Some(source)) = (found.content.version(), &found.letter.source) else {
            return Err("its record cannot be read, so nobody knows what to ask for: it stays open; look at it with \
                        `twinlog dlq show`, then discard it"
                .to_owned());
        };
        let links = config.links.iter().filter(|link| link.target == found.into && link.carries(&version.bucket));
        let sources = links.map(|link| &link.source).filter(|site| *site == source || found.into == *source);
        let sources: Vec<_> = sources.collect();
        if sources.is_empty() {
            let bucket = &version.bucket;
            return Err(format!(
                "no link from {source} into {} carries bucket {bucket} any more: it stays open",
                found.into
            ));
        }
        Ok(Self::Version(sources, version))
    }
}

impl<'a> Act<'a> {
    /// Nothing is done yet.
    pub fn new(
        deployment: &'a Deployment,
        deed: Deed,
        by: String,
        dry_run: bool,
        (clock, ids): (Arc<dyn Clock>, Ids),
    ) -> Result<Self, Failure> {
        let mut homes = BTreeMap::new();
        for site in deployment.config.sites.keys() {
            let home: &Arc<dyn Log> = deployment.home(site)?;
            homes.insert(site.clone(), Partitions::new(Arc::clone(home)));
        }
        Ok(Self { deployment, deed, by, dry_run, clock, ids, homes })
    }

    /// Does it with one letter. Dropped or failed in between, the letter is as it was, and doing it again does no harm.
    pub async fn one(&self, found: &Found) -> Result<Done, Failure> {
        let (state, why) = match &self.deed {
            Deed::Discard(why) => (State::Discarded, Some(why.clone())),
            Deed::Replay => {
                let replay = match Replay::of(&self.deployment.config, found) {
                    Ok(replay) => replay,
                    Err(why) => return Ok(Done::Cannot(why)),
                };
                if !self.dry_run {
                    self.replay(found, replay).await?;
                }
                (State::Replayed, None)
            }
        };
        if self.dry_run {
            return Ok(Done::Would);
        }
        let change = Change { state, by: self.by.clone(), why, at_us: self.clock.now_us() };
        let said = self.say(&found.into, &found.letter.cause, found.history.as_ref(), change).await;
        said.map_err(|error| self.deployment.home_failed(&found.into, &error))?;
        Ok(Done::Acted)
    }

    async fn replay(&self, found: &Found, replay: Replay<'_>) -> Result<(), Failure> {
        match replay {
            Replay::Notice => {
                let told = self.tell_again(&found.into, &found.letter).await;
                told.map_err(|error| self.deployment.home_failed(&found.into, &error))
            }
            Replay::Version(sources, version) => {
                for source in sources {
                    let asked = self.ask(source, &found.into, &version).await;
                    asked.map_err(|error| self.deployment.home_failed(source, &error))?;
                }
                Ok(())
            }
        }
    }

    /// The notice once more, byte for byte: what it told is captured, as if its store had said it again.
    async fn tell_again(&self, site: &SiteName, letter: &Letter) -> Result<(), LogError> {
        let topic = self.deployment.config.topics.names.notices(site);
        let Some(home) = self.homes.get(site) else { return Ok(()) };
        let count = home.count(&topic).await?;
        // Where another program wrote it without a key, it stays in its lane.
        let partition = match &letter.key {
            Some(key) => partition_of_record_key(key, count),
            None => letter.cause.partition(count),
        };
        let record = Record {
            topic,
            partition,
            key: letter.key.clone(),
            value: letter.value.clone(),
            headers: letter.record_headers().with(header::REPLAYED, self.by.clone()),
            timestamp_ms: self.clock.now_ms(),
        };
        home.append(record).await
    }

    /// A notice to the source: capture reads the version afresh, in turn with the key's other notices.
    async fn ask(&self, source: &SiteName, asked_by: &SiteName, version: &VersionRef) -> Result<(), LogError> {
        let topic = self.deployment.config.topics.names.notices(source);
        let notice = OwnNotice {
            id: self.ids.event_id(),
            cause: ExamineCause::Replay,
            bucket: version.bucket.clone(),
            key: version.key.clone(),
            version_id: Some(version.version_id.clone()),
            may_create: true,
            asked_by: asked_by.clone(),
            asked_at_us: self.clock.now_us(),
        };
        let value = notice.to_json().map_err(|error| unwritable(&topic, &error))?.into();
        let Some(home) = self.homes.get(source) else { return Ok(()) };
        let outgoing = Outgoing {
            topic: &topic,
            bucket: &version.bucket,
            key: &version.key,
            record_key: None,
            value,
            headers: Headers::default(),
            timestamp_ms: self.clock.now_ms(),
        };
        home.append(home.place(outgoing).await?).await
    }

    /// Puts a letter's state on record.
    async fn say(
        &self,
        site: &SiteName,
        cause: &Cause,
        before: Option<&History>,
        change: Change,
    ) -> Result<(), LogError> {
        let topic = self.deployment.config.topics.names.dead_state(site);
        let Some(home) = self.homes.get(site) else { return Ok(()) };
        let history = History::after(cause, before, change).to_json().map_err(|error| unwritable(&topic, &error))?;
        let count = home.count(&topic).await?;
        home.append(cause.state_record(topic, count, history.into(), self.clock.now_ms())).await
    }
}

fn unwritable(topic: &twinlog_log::TopicName, error: &serde_json::Error) -> LogError {
    LogError::new("encode for", topic, twinlog_log::LogErrorKind::Fatal, error.to_string())
}
