//! What a site last had of a version, as far as facts and receipts tell: what may be overwritten there without asking.
//!
//! That is what the site said last, or what was written into it last, whichever was later by the clocks beside that site. A
//! value that was there *before* is not: a client may have set it again, and the notice of that be under way.

use twinlog_schemas::{Basis, Category, Retention, SiteName, Stamp, StampRef, Tags};

use crate::merge::RetentionRegisters;
use crate::state::VersionState;
use crate::written::Put;

/// What is known of one category at one site.
struct Last<'a, T> {
    /// What the site said of it last.
    own: Option<&'a Stamp<T>>,
    /// What was written into the site last.
    written: Option<&'a Put<T>>,
    /// The greatest stamp that was written into the site, or was found there.
    reached: Option<&'a StampRef>,
}

impl<T> Last<'_, T> {
    /// Whether the site last had this, given the stamps of all sites; `alike` compares values.
    fn had<'s>(&self, mut stamps: impl Iterator<Item = &'s Stamp<T>>, alike: impl Fn(&T) -> bool) -> bool
    where
        T: 's,
    {
        let said_at = self.own.map_or(i64::MIN, |own| own.changed_at_ns);
        let written_at = self.written.map_or(i64::MIN, |put| put.at_ns);
        // What a look has found there has no time of its own.
        let own = self.own.filter(|own| own.basis == Basis::Unknown || said_at >= written_at);
        let written = self.written.filter(|_| written_at >= said_at).and_then(|put| put.value.as_ref());
        let found = self.reached.filter(|reached| self.own.is_none_or(|own| !own.named().covers(reached)));
        own.is_some_and(|own| alike(&own.value))
            || written.is_some_and(&alike)
            || stamps.any(|stamp| found == Some(&stamp.named()) && alike(&stamp.value))
    }
}

impl VersionState {
    /// Whether these tags are what `site` last had; or none, if nothing was ever said there nor written.
    #[must_use]
    pub fn had_tags(&self, held: &Tags, site: &SiteName) -> bool {
        let (said, written) = (self.said_now(site), self.written_now(site));
        let last = Last {
            own: said.and_then(|said| said.tags.as_ref()),
            written: written.and_then(|written| written.tags.as_ref()),
            reached: written.and_then(|written| written.stamp(Category::Tags)),
        };
        let unwritten = self.written.get(site).is_none_or(|written| written.tags.is_none());
        (last.own.is_none() && unwritten && held.is_empty()) || last.had(self.tags_stamps(), |value| value == held)
    }

    /// Whether this retention is what `site` last had, likewise. Expired retention equals none, on both sides, as of
    /// `now_ms` (milliseconds since the Unix epoch).
    #[must_use]
    pub fn had_retention(&self, held: Option<Retention>, site: &SiteName, now_ms: i64) -> bool {
        let in_force = |retention: Option<Retention>| retention.filter(|retention| retention.in_force(now_ms));
        let held = in_force(held);
        let (said, written) = (self.said_now(site), self.written_now(site));
        let last = Last {
            own: said.and_then(|said| said.retention.as_ref()).map(RetentionRegisters::effective),
            written: written.and_then(|written| written.retention.as_ref()),
            reached: written.and_then(|written| written.stamp(Category::Retention)),
        };
        let unwritten = self.written.get(site).is_none_or(|written| written.retention.is_none());
        (last.own.is_none() && unwritten && held.is_none())
            || last.had(self.retention_stamps(), |value| in_force(*value) == held)
    }

    /// Whether this legal hold is what `site` last had, likewise; `false` is none.
    #[must_use]
    pub fn had_legal_hold(&self, held: bool, site: &SiteName) -> bool {
        let (said, written) = (self.said_now(site), self.written_now(site));
        let last = Last {
            own: said.and_then(|said| said.legal_hold.as_ref()),
            written: written.and_then(|written| written.legal_hold.as_ref()),
            reached: written.and_then(|written| written.stamp(Category::LegalHold)),
        };
        let unwritten = self.written.get(site).is_none_or(|written| written.legal_hold.is_none());
        (last.own.is_none() && unwritten && !held) || last.had(self.hold_stamps(), |value| *value == held)
    }
}
