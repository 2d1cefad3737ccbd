//! Applying: change events and facts of a lane are planned and executed at the target, one key at a time.
//!
//! Owns nothing durable but what it writes: replica writes at the target, receipts, dead letters and doubt notices. A
//! record is done when the target is as the index says, or when it is a dead letter; everything else keeps trying.

mod act;
mod asked;
mod attributes;
mod conflicts;
mod deaths;
mod doubt;
mod due;
mod guards;
mod keep;
mod letters;
mod newest;
mod outbox;
mod planned;
mod reach;
mod record;
mod settle;
mod skipped;
mod storms;
mod stuck;
#[cfg(test)]
mod tests;
mod unstamped;
mod uploads;

#[cfg(test)]
pub(crate) use attributes::join as join_for_tests;
pub use doubt::Doubts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use twinlog_index::Index;
use twinlog_log::backoff::Backoff;
use twinlog_log::clock::{Clock, Ids};
use twinlog_log::lane::Lease;
use twinlog_log::{Log, Tell, TopicName, Topics};
use twinlog_schemas::SiteName;
use twinlog_schemas::codec::Codec;
use twinlog_site::Site;
use twinlog_tail::Tail;

use crate::hold::Holds;
use crate::link::Link;
use crate::observe::Observer;
use crate::plan::{Plan, Question, plan};
use crate::transfer::Budget;

/// How the consumer behaves.
#[derive(Debug, Clone)]
pub struct ApplyConfig {
    /// How long the sure door may take: how long an unexplained value is waited for before its site is asked.
    pub sure_door_delay: Duration,
    /// How long an answer to a doubt is waited for before it is asked again.
    pub answer_within: Duration,
    /// How waits between tries grow.
    pub backoff: Backoff,
    /// How often both ends' set-up is looked at.
    pub guard_every: Duration,
    /// How what is held or away is probed.
    pub probe: Backoff,
    /// How long a change event of a held bucket waits in memory before its partition is given back; `None`: for ever.
    pub park_after: Option<Duration>,
    /// How long a key may fail, while others of its link succeed, before it is a dead letter. Time in which the link's
    /// breaker is open or the bucket held does not count.
    pub give_up_after: Duration,
    /// How often a body that arrives broken is tried before it is a dead letter.
    pub digest_tries: u32,
    /// Bytes buffered by all transfers at a time.
    pub buffer_bytes: u64,
    /// The folder for bodies that must be hashed before they are sent and are too large for memory; made when needed.
    pub spool: PathBuf,
    /// How long bringing the index to the end of the facts may take before lanes begin without an unreachable cluster.
    pub catch_up: Duration,
}

impl Default for ApplyConfig {
    fn default() -> Self {
        Self {
            sure_door_delay: Duration::from_secs(8),
            answer_within: Duration::from_secs(60),
            backoff: Backoff::PATIENT,
            guard_every: Duration::from_secs(30),
            probe: Backoff::new(Duration::from_secs(2), Duration::from_secs(30)),
            park_after: Some(Duration::from_secs(5)),
            give_up_after: Duration::from_secs(3_600),
            digest_tries: 5,
            buffer_bytes: 64 << 20,
            spool: std::env::temp_dir(),
            catch_up: Duration::from_secs(60),
        }
    }
}

/// What the consumer is made of.
pub struct Parts {
    /// The target.
    pub here: Arc<dyn Site>,
    /// The target's own cluster.
    pub home: Arc<dyn Log>,
    /// Topic names.
    pub topics: Topics,
    /// The links into the target, by source.
    pub links: Vec<Link>,
    /// The index of this process.
    pub index: Arc<dyn Index>,
    /// The tail that keeps it up to date; it tells `doubts` every fact.
    pub tail: Arc<Tail>,
    /// Doubts under way.
    pub doubts: Arc<Doubts>,
    /// The codec.
    pub codec: Arc<Codec>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids and jitter.
    pub ids: Ids,
    /// Who counts.
    pub observer: Arc<dyn Observer>,
    /// Holds, shared with whoever shows or releases them.
    pub holds: Arc<Holds>,
    /// Who is told of breakers and of decided conflicts.
    pub tell: Arc<dyn Tell>,
    /// Says whether the lanes are known to be this process's own; the target writes nothing without.
    pub lease: Lease,
    /// Settings.
    pub config: ApplyConfig,
}

/// The handler of the consumer's lanes.
pub struct Apply {
    parts: Parts,
    links: BTreeMap<SiteName, Link>,
    facts_topics: BTreeMap<TopicName, SiteName>,
    planned: planned::Planned,
    guards: guards::Guards,
    reach: reach::Reach,
    storms: storms::Storms,
    left: skipped::Left,
    /// Records of a newer release that wait to be understood.
    unread: AtomicUsize,
    budget: Budget,
    outbox: outbox::Outbox,
    asked: asked::Asked,
    /// The sources whose lifecycle's removals stay theirs.
    lifecycle_stays: BTreeSet<SiteName>,
    unstamped: unstamped::Unstamped,
    conflicts: conflicts::Conflicts,
    letters: letters::Letters,
    deaths: deaths::Counted,
    plan: Planner,
}

/// How a record is planned.
pub(crate) type Planner = for<'a> fn(Question<'a>) -> Plan;

impl Apply {
    /// Puts the consumer together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let links: BTreeMap<_, _> = parts.links.iter().map(|link| (link.source_name().clone(), link.clone())).collect();
        let sites = links.keys().chain(std::iter::once(parts.here.name()));
        let facts_topics = sites.map(|site| (parts.topics.facts(site), site.clone())).collect();
        let stays = links.values().filter(|link| link.lifecycle_stays).map(|link| link.source_name().clone());
        Self {
            lifecycle_stays: stays.collect(),
            asked: asked::Asked::new(4_096),
            unstamped: unstamped::Unstamped::new(4_096),
            conflicts: conflicts::Conflicts::new(4_096),
            letters: letters::Letters::default(),
            deaths: deaths::Counted::default(),
            plan,
            planned: planned::Planned::new(65_536),
            guards: guards::Guards::new(parts.config.guard_every),
            reach: reach::Reach::default(),
            storms: storms::Storms::default(),
            left: skipped::Left::default(),
            unread: AtomicUsize::new(0),
            budget: Budget::new(parts.config.buffer_bytes),
            outbox: outbox::Outbox::new(Arc::clone(&parts.home), parts.config.backoff, parts.ids.clone()),
            links,
            facts_topics,
            parts,
        }
    }

    /// The same with another plan: for tests of what a broken one does.
    #[cfg(test)]
    pub(crate) fn planned_by(self, plan: Planner) -> Self {
        Self { plan, ..self }
    }
}
