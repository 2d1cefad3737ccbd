//! The sweep of a bucket at two sites.
//!
//! Changes are under way while a sweep runs, so what differs at first sight is looked at again: keys that differ are
//! gathered, and once the doors had time to tell of what was under way, the index is brought up to date and each key is
//! compared once more. Only that second look has consequences.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;
use twinlog_index::IndexError;
use twinlog_schemas::{BucketName, ObjectKey, SiteName, VersionKind, VersionRef};
use twinlog_site::{ListedVersion, SiteError};
use twinlog_verify::{AtSite, Lines, Looked, Merge, Step, VerifyError};

use crate::account::Account;
use crate::around::Around;
use crate::compare::{Missing, compare};
use crate::finding::{Finding, What};
use crate::pace::Pace;
use crate::side::{Attributes, Line, Side, Whole};

/// How many versions, and how many keys that differ, are looked at at a time; each at both ends at once.
const AT_A_TIME: usize = 8;
/// The differing keys that are gathered for the second look.
const GATHERED: usize = 5_000;
/// After so many versions the place is told, also where nothing differs.
const TOLD_EVERY: u64 = 50_000;

/// One of the two sites.
pub struct End {
    /// The site's name.
    pub site: SiteName,
    /// The bucket there.
    pub bucket: AtSite,
    /// Whether a link leads from here to the other site.
    pub replicates: bool,
}

/// What of the bucket is swept, and how.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Only keys that begin so.
    pub prefix: String,
    /// Only keys after this one: where an earlier sweep was interrupted.
    pub after: Option<ObjectKey>,
    /// Whether tags and locks are compared, which costs a read of each version at both ends.
    pub attributes: bool,
    /// How long a difference must last to be none that is under way.
    pub settle: Duration,
    /// What becomes of versions that vanished.
    pub missing: Missing,
}

/// A sweep.
pub struct Sweep<'a> {
    /// The two sites.
    pub ends: [End; 2],
    /// The bucket.
    pub bucket: BucketName,
    /// What, and how.
    pub scope: Scope,
    /// How fast versions are looked at and asked for.
    pub pace: Pace,
    /// What else it needs.
    pub around: &'a dyn Around,
    /// The wall clock in milliseconds since the Unix epoch: retention that has run out is none.
    pub now_ms: &'a (dyn Fn() -> i64 + Send + Sync),
}

/// Why a sweep ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A bucket cannot be read.
    #[error(transparent)]
    Listing(#[from] VerifyError<SiteError>),
    /// The index cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The log cannot be read or written; in words.
    #[error("{0}")]
    Around(String),
}

/// What is found of one key.
type Findings = Vec<(VersionRef, Finding)>;

/// The keys that differ at first sight.
#[derive(Default)]
struct Gathered {
    keys: BTreeSet<ObjectKey>,
    /// Of the versions that came last.
    key: Option<ObjectKey>,
    /// How many versions came since the place was told.
    compared: u64,
}

impl Sweep<'_> {
    /// Sweeps from the beginning, or from where the scope says, to the end.
    ///
    /// # Errors
    /// [`SweepError`]; what was asked for until then was asked for.
    pub async fn run(&self) -> Result<Account, SweepError> {
        let mut seen = self.first_looks();
        let (mut account, mut gathered) = (Account::default(), Gathered::default());
        while let Some((key, seen)) = seen.try_next().await? {
            let full = gathered.keys.len() >= GATHERED || gathered.compared >= TOLD_EVERY;
            if full && gathered.key.as_ref() != Some(&key) {
                self.settle(&mut gathered, &mut account).await?;
            }
            account.compared += u64::from(seen.counts);
            account.unread += u64::from(seen.unread);
            gathered.compared += u64::from(seen.counts);
            if seen.differs {
                gathered.keys.insert(key.clone());
            }
            gathered.key = Some(key);
        }
        self.settle(&mut gathered, &mut account).await?;
        Ok(account)
    }

    fn first_looks(&self) -> BoxStream<'_, Result<(ObjectKey, Seen), SweepError>> {
        let steps = stream::try_unfold(Merge::new(self.listings()), |mut merge| async move {
            let step = merge.next().await?;
            Ok::<_, SweepError>(step.map(|step| (step, merge)))
        });
        let seen = steps.map(move |step| async move {
            let step = step?;
            Ok((step.key().clone(), self.first_look(&step).await?))
        });
        seen.buffered(AT_A_TIME).boxed()
    }

    fn second_looks(
        &self,
        keys: BTreeSet<ObjectKey>,
        whole: [Whole; 2],
    ) -> BoxStream<'_, Result<Findings, SweepError>> {
        let found = stream::iter(keys).map(move |key| async move { self.second_look(&key, whole).await });
        found.buffered(AT_A_TIME).boxed()
    }

    fn listings(&self) -> [Lines<'_, SiteError>; 2] {
        let Scope { prefix, after, .. } = &self.scope;
        self.ends.each_ref().map(|end| match after {
            Some(key) => Lines::after(&end.bucket, prefix, key),
            None => Lines::new(&end.bucket, prefix),
        })
    }

    async fn first_look(&self, step: &Step) -> Result<Seen, SweepError> {
        match step {
            Step::Only(..) => Ok(Seen { counts: true, differs: true, unread: false }),
            Step::Order(_) => Ok(Seen::default()),
            Step::Both(pair) => {
                let [one, other] = pair.each_ref().map(line);
                let listed = one != other;
                let looked = if listed { None } else { Some(self.attributes(pair).await?) };
                let unread = looked.as_ref().is_some_and(|looked| looked.contains(&None));
                let apart =
                    |[one, other]: [Option<Attributes>; 2]| !one.unwrap_or_default().agree(&other.unwrap_or_default());
                Ok(Seen { counts: true, differs: listed || looked.is_some_and(apart), unread })
            }
        }
    }

    /// The tags and locks of a version at both sites; `None` where they cannot be read. Nothing where they are not
    /// compared, or where there are none.
    async fn attributes(&self, pair: &[ListedVersion; 2]) -> Result<[Option<Attributes>; 2], SweepError> {
        let objects = pair.iter().all(|line| line.kind == VersionKind::Object);
        if !objects || !self.scope.attributes {
            return Ok([Some(Attributes::default()), Some(Attributes::default())]);
        }
        self.pace.step().await;
        let [one, other] = self.ends.each_ref().map(|end| &end.bucket);
        let looked = futures::try_join!(one.look(&pair[0]), other.look(&pair[1]));
        let (one, other) = looked.map_err(VerifyError::Side)?;
        Ok([one, other].map(|looked| self.shown(looked)))
    }

    fn shown(&self, looked: Looked) -> Option<Attributes> {
        match looked {
            Looked::Object(object) => Some(Attributes {
                retention: Some(object.retention.filter(|retention| retention.in_force((self.now_ms)()))),
                legal_hold: Some(object.legal_hold),
                tags: Some(object.tags),
            }),
            // Removed since it was listed: the next look at the listing tells.
            Looked::Gone => Some(Attributes::default()),
            Looked::Unreadable => None,
        }
    }

    /// Looks again at what was gathered, once it had time to settle, and tells how far the sweep has come.
    async fn settle(&self, gathered: &mut Gathered, account: &mut Account) -> Result<(), SweepError> {
        let Gathered { keys, key, .. } = std::mem::take(gathered);
        if !keys.is_empty() {
            sleep(self.scope.settle).await;
            let whole = self.around.refresh().await.map_err(SweepError::Around)?;
            let mut again = self.second_looks(keys, whole);
            while let Some(found) = again.try_next().await? {
                for (version, finding) in found {
                    self.act(&version, &finding).await?;
                    account.count(&finding.what);
                    self.around.found(&version, &finding.what);
                }
            }
        }
        match key {
            Some(key) => self.around.done_to(&key, account).await.map_err(SweepError::Around),
            None => Ok(()),
        }
    }

    async fn second_look(&self, key: &ObjectKey, whole: [Whole; 2]) -> Result<Findings, SweepError> {
        let mut merge = Merge::new(self.ends.each_ref().map(|end| Lines::of(&end.bucket, key)));
        let mut found = Vec::new();
        while let Some(step) = merge.next().await? {
            let lines: [Option<(&ListedVersion, Attributes)>; 2] = match &step {
                Step::Order(_) => continue,
                Step::Both(pair) => {
                    let [one, other] = self.attributes(pair).await?.map(Option::unwrap_or_default);
                    [Some((&pair[0], one)), Some((&pair[1], other))]
                }
                Step::Only(end, line) => {
                    let mut lines = [None, None];
                    lines[*end as usize] = Some((&**line, Attributes::default()));
                    lines
                }
            };
            found.extend(self.compared(lines, whole)?);
        }
        Ok(found)
    }

    fn compared(
        &self,
        lines: [Option<(&ListedVersion, Attributes)>; 2],
        whole: [Whole; 2],
    ) -> Result<Option<(VersionRef, Finding)>, SweepError> {
        let Some((listed, _)) = lines.iter().flatten().next() else { return Ok(None) };
        let (bucket, key, version_id) = (self.bucket.clone(), listed.key.clone(), listed.version_id.clone());
        let version = VersionRef { bucket, key, version_id };
        let known = BTreeMap::from([(version.version_id.clone(), self.around.known(&version)?)]);
        let side = |at: usize| {
            let site = &self.ends[at].site;
            let Whole { unbroken_since_ns, filling_before_ns } = whole[at];
            let shown = lines[at].as_ref();
            let shown = shown.map(|(of, attributes)| Line { attributes: attributes.clone(), ..line(of) });
            let lines = shown.map(|line| (version.version_id.clone(), line)).into_iter().collect();
            Side { site, lines, unbroken_since_ns, filling_before_ns }
        };
        let found = compare(&side(0), &side(1), &known, self.scope.missing).pop();
        Ok(found.filter(|finding| self.concerns(&finding.what)).map(|finding| (version, finding)))
    }

    /// What is only at the end of a one-way link is that site's own.
    fn concerns(&self, what: &What) -> bool {
        match what {
            What::Missing { at } => self.replicates(at),
            What::Left { gone_at } | What::GivenUp { gone_at } => self.replicates(gone_at),
            What::Differs { .. } | What::Vanished { .. } => true,
        }
    }

    fn replicates(&self, site: &SiteName) -> bool {
        self.ends.iter().any(|end| end.site == *site && end.replicates)
    }

    async fn act(&self, version: &VersionRef, finding: &Finding) -> Result<(), SweepError> {
        for ask in finding.asks().iter().filter(|ask| self.replicates(&ask.site)) {
            self.pace.step().await;
            self.around.ask(version, ask).await.map_err(SweepError::Around)?;
        }
        Ok(())
    }
}

/// What the first look at a step says.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Whether it is a version of its own.
    counts: bool,
    differs: bool,
    unread: bool,
}

fn line(listed: &ListedVersion) -> Line {
    Line {
        kind: listed.kind,
        modified_ms: listed.modified_ms,
        etag: listed.etag.clone(),
        attributes: Attributes::default(),
    }
}
