//! What is known of one version: what each site has said of it, and what was last written into each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twinlog_schemas::{
    Category, Fact, LocksSeen, NullRegister, Receipt, Removal, Retention, SiteName, Stamp, StampRef, Tags, UploadBegun,
    Wrote,
};

use crate::merge::{self, RetentionRegisters};
use crate::said::{Answered, Said};
use crate::written::{self, Put, Written};

/// The join of all facts and receipts of one version. The empty state is "nothing is known".
///
/// Facts and receipts may be merged in any order and any number of times; the state, and every answer, is the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionState {
    /// What each site has said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub said: BTreeMap<SiteName, Said>,
    /// What was last written into each site.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub written: BTreeMap<SiteName, Written>,
    /// The newest multipart upload that was begun at each site, or (`None` inside) that it ended without an object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uploads: BTreeMap<SiteName, Put<UploadBegun>>,
}

impl VersionState {
    /// Joins a fact; whether it said anything new (its time apart).
    pub fn merge_fact(&mut self, fact: &Fact) -> bool {
        let fresh = Said { said_at_ns: i64::MIN, ..Said::default() };
        self.said.entry(fact.site.clone()).or_insert(fresh).merge(fact)
    }

    /// Takes a receipt; whether it told of a newer write than those known.
    pub fn merge_receipt(&mut self, receipt: &Receipt) -> bool {
        if receipt.wrote == Wrote::Upload {
            let mut held = self.uploads.remove(&receipt.site);
            let newer = written::put(&mut held, receipt.written_at_ns, Some(receipt.upload.clone()));
            self.uploads.extend(held.map(|put| (receipt.site.clone(), put)));
            return newer;
        }
        let fresh = Written { written_at_ns: i64::MIN, ..Written::default() };
        self.written.entry(receipt.site.clone()).or_insert(fresh).merge(receipt)
    }

    /// Whether nothing is known of the version at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.said.is_empty() && self.written.is_empty() && self.uploads.is_empty()
    }

    /// When the newest fact was said or the newest write was, nanoseconds since the Unix epoch; `None` if nothing is
    /// known. What is older than the facts topic's retention may be dropped.
    #[must_use]
    pub fn last_said_at_ns(&self) -> Option<i64> {
        let said = self.said.values().map(|said| said.said_at_ns);
        let written = self.written.values().map(|written| written.written_at_ns);
        said.chain(written).chain(self.uploads.values().map(|put| put.at_ns)).max()
    }

    /// The earliest removal that any site told of. Terminal: it never becomes `None` again. Never of a null version,
    /// whose removal is in its register.
    #[must_use]
    pub fn removed(&self) -> Option<Removal> {
        let removals = self.said.values().filter_map(|said| said.removal.as_ref());
        removals.max_by(|one, other| merge::compare_removal(one, other)).cloned()
    }

    /// The site whose telling of the removal [`VersionState::removed`] gives: the removal's origin, as far as is known.
    #[must_use]
    pub fn removed_at(&self) -> Option<&SiteName> {
        let removals = self.said.iter().filter_map(|(site, said)| said.removal.as_ref().map(|removal| (site, removal)));
        removals.max_by(|(_, one), (_, other)| merge::compare_removal(one, other)).map(|(site, _)| site)
    }

    /// Whether a site that removed the version had this legal hold before: then its store let the version go because
    /// the hold had been lifted there.
    #[must_use]
    pub fn removal_saw_legal_hold(&self, stamp: &StampRef) -> bool {
        self.locks_seen().filter_map(|seen| seen.legal_hold.as_ref()).any(|seen| seen.covers(stamp))
    }

    /// Whether a site that removed the version had this retention before, likewise.
    #[must_use]
    pub fn removal_saw_retention(&self, stamp: &StampRef) -> bool {
        self.locks_seen().filter_map(|seen| seen.retention.as_ref()).any(|seen| seen.covers(stamp))
    }

    fn locks_seen(&self) -> impl Iterator<Item = &LocksSeen> {
        self.said.values().filter_map(|said| said.removal.as_ref()?.locks_seen.as_ref())
    }

    /// The greatest stamp of a category that has reached a site: said there, or held there after a write of ours.
    #[must_use]
    pub fn reached(&self, site: &SiteName, category: Category) -> Option<StampRef> {
        let said = self.said_now(site).and_then(|said| said.stamp(category));
        let written = self.written_now(site).and_then(|written| written.stamp(category));
        StampRef::greater(said, written.cloned())
    }

    /// What a site has said of the null version that holds, or of a version with an id.
    #[must_use]
    pub fn said_now(&self, site: &SiteName) -> Option<&Said> {
        let said = self.said.get(site)?;
        self.is_now(said).then_some(said)
    }

    /// What was written into a site of the null version that holds, or of a version with an id.
    pub(crate) fn written_now(&self, site: &SiteName) -> Option<&Written> {
        let winner = self.null();
        let of_this = |written: &&Written| written.null.as_ref().and_then(|put| put.value.as_ref()) == winner.as_ref();
        self.written.get(site).filter(|written| winner.is_none() || of_this(written))
    }

    fn is_now(&self, said: &Said) -> bool {
        // A version with an id has no registers, and all of its stamps count.
        self.said
            .values()
            .filter_map(|said| said.null.as_ref())
            .all(|register| said.null.as_ref().is_some_and(|own| merge::compare_null(own, register).is_ge()))
    }

    /// The winning tags stamp of all sites.
    #[must_use]
    pub fn tags(&self) -> Option<Stamp<Tags>> {
        self.tags_stamps().max_by(|one, other| merge::compare(one, other)).cloned()
    }

    /// The retention stamp that holds, of all sites: see [`crate::effective_retention`]. Its value may have expired,
    /// which equals none.
    #[must_use]
    pub fn retention(&self) -> Option<Stamp<Option<Retention>>> {
        self.retention_registers().map(|registers| registers.effective().clone())
    }

    /// The retention's two registers, joined over all sites.
    #[must_use]
    pub fn retention_registers(&self) -> Option<RetentionRegisters> {
        let mut all = self.now().filter_map(|said| said.retention.as_ref());
        let first = all.next()?.clone();
        Some(all.fold(first, |mut joined, registers| {
            joined.join(registers);
            joined
        }))
    }

    /// The winning legal hold stamp of all sites.
    #[must_use]
    pub fn legal_hold(&self) -> Option<Stamp<bool>> {
        self.hold_stamps().max_by(|one, other| merge::compare(one, other)).cloned()
    }

    /// The winning register of a null version.
    #[must_use]
    pub fn null(&self) -> Option<NullRegister> {
        self.said.values().filter_map(|said| said.null.as_ref()).max_by(|a, b| merge::compare_null(a, b)).cloned()
    }

    /// Every site's register of a null version, by site, and those that were last written into a site.
    pub fn null_registers(&self) -> impl Iterator<Item = NullRegister> {
        let written = self.written.values().filter_map(|written| written.null.as_ref()?.value.clone());
        self.said.values().filter_map(|said| said.null.clone()).chain(written)
    }

    /// The newest answer of a site to a doubt.
    #[must_use]
    pub fn answer(&self, site: &SiteName) -> Option<&Answered> {
        self.said.get(site)?.answer.as_ref()
    }

    /// The multipart upload of this version that was begun at `site` and has not ended, as far as receipts tell: it may
    /// have been completed, or be gone.
    #[must_use]
    pub fn upload(&self, site: &SiteName) -> Option<&UploadBegun> {
        let begun = self.uploads.get(site)?;
        // The write of an object writes its tags, also none.
        let tags = self.written.get(site).and_then(|written| written.tags.as_ref());
        let completed = tags.is_some_and(|put| put.value.is_some() && put.at_ns >= begun.at_ns);
        begun.value.as_ref().filter(|_| !completed)
    }

    /// Whether these tags at `site` are explained, so that an examination need not tell of them: they equal a stamp of any site (so also what the index says), or
    /// what was last written there; or they are empty, and either no stamp exists or nothing was ever said at that site
    /// nor written into it, so that they are as they were born there.
    #[must_use]
    pub fn explains_tags(&self, held: &Tags, site: &SiteName) -> bool {
        let untouched = self.untouched(site, |said| said.tags.is_none(), |written| written.tags.is_none());
        let as_born = held.is_empty() && (untouched || self.tags_stamps().next().is_none());
        let written = self.written_now(site).and_then(|written| written.tags.as_ref()?.value.as_ref());
        as_born || written == Some(held) || self.tags_stamps().any(|stamp| stamp.value == *held)
    }

    /// Whether this retention at `site` is explained, likewise; both registers of every site count. Expired retention
    /// equals none, on both sides, as of `now_ms` (milliseconds since the Unix epoch).
    #[must_use]
    pub fn explains_retention(&self, held: Option<Retention>, site: &SiteName, now_ms: i64) -> bool {
        let in_force = |retention: Option<Retention>| retention.filter(|retention| retention.in_force(now_ms));
        let held = in_force(held);
        let untouched = self.untouched(site, |said| said.retention.is_none(), |written| written.retention.is_none());
        let as_born = held.is_none() && (untouched || self.retention_stamps().next().is_none());
        let written = self.written_now(site).and_then(|written| written.retention.as_ref()?.value);
        as_born
            || written.is_some_and(|written| in_force(written) == held)
            || self.retention_stamps().any(|stamp| in_force(stamp.value) == held)
    }

    /// Whether this legal hold at `site` is explained, likewise; `false` is empty.
    #[must_use]
    pub fn explains_legal_hold(&self, held: bool, site: &SiteName) -> bool {
        let untouched = self.untouched(site, |said| said.legal_hold.is_none(), |written| written.legal_hold.is_none());
        let as_born = !held && (untouched || self.hold_stamps().next().is_none());
        let written = self.written_now(site).and_then(|written| written.legal_hold.as_ref()?.value);
        as_born || written == Some(held) || self.hold_stamps().any(|stamp| stamp.value == held)
    }

    /// Whether nothing of a category was ever said at a site nor written into it.
    fn untouched(&self, site: &SiteName, unsaid: impl Fn(&Said) -> bool, unwritten: impl Fn(&Written) -> bool) -> bool {
        self.said_now(site).is_none_or(unsaid) && self.written_now(site).is_none_or(unwritten)
    }

    /// What sites have said of the null version that holds, or of a version with an id.
    fn now(&self) -> impl Iterator<Item = &Said> {
        self.said.values().filter(|said| self.is_now(said))
    }

    pub(crate) fn tags_stamps(&self) -> impl Iterator<Item = &Stamp<Tags>> {
        self.now().filter_map(|said| said.tags.as_ref())
    }

    /// Both registers of every site.
    pub(crate) fn retention_stamps(&self) -> impl Iterator<Item = &Stamp<Option<Retention>>> {
        let registers = self.now().filter_map(|said| said.retention.as_ref());
        registers.flat_map(|registers| std::iter::once(&registers.latest).chain(&registers.compliance))
    }

    pub(crate) fn hold_stamps(&self) -> impl Iterator<Item = &Stamp<bool>> {
        self.now().filter_map(|said| said.legal_hold.as_ref())
    }
}
