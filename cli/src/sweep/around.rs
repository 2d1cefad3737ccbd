//! What a sweep of this program has around it: the index, the notices topics, the record in control, and who is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use twinlog_index::{Index, IndexError, VersionState};
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::outgoing::{Outgoing, Partitions};
use twinlog_log::{Backoff, LogErrorKind, TopicName};
use twinlog_schemas::{ExamineCause, ObjectKey, OwnNotice, SiteName, VersionRef};
use twinlog_sweep::{Account, Around, Ask, Leave, What, Whole};
use twinlog_tail::Tail;

use super::pair::Record;
use super::records::Records;

/// How long the facts of all sites may take to be read before the second look.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a notice that the log did not take is appended.
const ATTEMPTS: usize = 10;

/// What all sweeps of a process share.
pub struct Tools {
    /// What was said.
    pub index: Arc<dyn Index>,
    /// Keeps it up to date.
    pub tail: Arc<Tail>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids and jitter.
    pub ids: Ids,
}

/// What somebody who watches a sweep is told.
pub enum Told<'a> {
    /// A finding.
    Found(&'a VersionRef, &'a What),
    /// How far it has come.
    DoneTo(&'a ObjectKey, &'a Account),
}

/// The notices topic of each site.
pub type Notices = BTreeMap<SiteName, (Partitions, TopicName)>;

/// Around one pair.
pub struct Asking<'a> {
    pub tools: &'a Tools,
    pub records: Records<'a>,
    pub asked_by: &'a SiteName,
    /// None where nothing is to be asked.
    pub notices: Option<Notices>,
    pub record: Option<&'a Record>,
    pub tell: &'a (dyn Fn(Told<'_>) + Send + Sync),
}

#[async_trait]
impl Around for Asking<'_> {
    async fn refresh(&self) -> Result<[Whole; 2], String> {
        let caught_up = self.tools.tail.caught_up(PATIENCE).await;
        caught_up.map_err(|error| format!("what the sites have said cannot be read: {error}"))?;
        self.records.whole().await.map_err(|failure| failure.to_string())
    }

    fn known(&self, version: &VersionRef) -> Result<VersionState, IndexError> {
        self.tools.index.version(version)
    }

    async fn ask(&self, version: &VersionRef, ask: &Ask) -> Result<(), String> {
        let Some(notices) = &self.notices else { return Ok(()) };
        let (partitions, topic) =
            notices.get(&ask.site).ok_or_else(|| format!("site {} is not of the pair", ask.site))?;
        let notice = OwnNotice {
            id: self.tools.ids.event_id(),
            cause: if ask.leave == Leave::ToRemove { ExamineCause::Removed } else { ExamineCause::Sweep },
            bucket: version.bucket.clone(),
            key: version.key.clone(),
            version_id: Some(version.version_id.clone()),
            may_create: ask.leave == Leave::ToCreate,
            asked_by: self.asked_by.clone(),
            asked_at_us: self.tools.clock.now_us(),
        };
        let json = Bytes::from(notice.to_json().map_err(|error| error.to_string())?);
        let mut delays = Backoff::PROMPT.delays(self.tools.ids.seed());
        for attempt in 1.. {
            let outgoing = Outgoing {
                topic,
                bucket: &version.bucket,
                key: &version.key,
                record_key: None,
                value: json.clone(),
                headers: Default::default(),
                timestamp_ms: self.tools.clock.now_ms(),
            };
            let appended = async { partitions.append(partitions.place(outgoing).await?).await };
            match appended.await {
                Ok(()) => break,
                Err(error) if error.kind == LogErrorKind::Transient && attempt < ATTEMPTS => delays.wait().await,
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    fn found(&self, version: &VersionRef, what: &What) {
        (self.tell)(Told::Found(version, what));
    }

    async fn done_to(&self, key: &ObjectKey, account: &Account) -> Result<(), String> {
        if let Some(record) = self.record {
            record.done_to(key, account).await;
        }
        (self.tell)(Told::DoneTo(key, account));
        Ok(())
    }
}
