//! Conflicts: two sites changed the same thing, neither knowing of the other's change, and the rules let one of them
//! win. Pure.
//!
//! A change that its site made over another site's is none: that one had been seen there. Which one was seen is in the
//! stamp (`over`). A conflict is told beside the site whose client lost, once, whichever of the two facts comes later.

use twinlog_index::VersionState;
use twinlog_schemas::{Basis, Fact, FactBody, NullRegister, RegisterRef, SiteName, Stamp, StampRef};

/// What was in conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contested {
    /// The tags.
    Tags,
    /// The retention.
    Retention,
    /// The legal hold.
    LegalHold,
    /// The null version itself.
    Null,
}

impl Contested {
    /// The word in metrics and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Retention => "retention",
            Self::LegalHold => "legal-hold",
            Self::Null => "null-version",
        }
    }
}

/// One of the two changes: where and when it was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Side {
    /// The site.
    pub site: SiteName,
    /// When it changed there, nanoseconds since the Unix epoch.
    pub changed_at_ns: i64,
}

/// A conflict that the rules have decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// What was in conflict.
    pub contested: Contested,
    /// Whose change holds.
    pub winner: Side,
    /// Whose change is gone: always the site beside which this is told.
    pub loser: Side,
}

impl Conflict {
    /// Whether the times tied, so that the site's name decided.
    #[must_use]
    pub fn tied(&self) -> bool {
        self.winner.changed_at_ns == self.loser.changed_at_ns
    }
}

/// The conflict that this fact decides against a client of `here`, if it does; `state` is what the index says with it.
#[must_use]
pub fn decided(fact: &Fact, state: &VersionState, here: &SiteName) -> Option<Conflict> {
    // Of a null version that has been replaced since, no stamp matters any more.
    let stands = || fact.of.is_none() || fact.of == state.null();
    let own = || state.said_now(here);
    match &fact.body {
        FactBody::Tags(told) if stands() => {
            lost(told, own().and_then(|own| own.tags.as_ref()), state.tags().as_ref(), here, Contested::Tags)
        }
        FactBody::Retention { latest, .. } if stands() => {
            let own = own().and_then(|own| own.retention.as_ref()).map(|registers| &registers.latest);
            lost(latest, own, state.retention().as_ref(), here, Contested::Retention)
        }
        FactBody::LegalHold(told) if stands() => {
            let own = own().and_then(|own| own.legal_hold.as_ref());
            lost(told, own, state.legal_hold().as_ref(), here, Contested::LegalHold)
        }
        FactBody::Null(told) => replaced(told, state, here),
        _ => None,
    }
}

/// `told` is either the loser, a stamp of this site, or the winner that this site's `own` loses to.
fn lost<T: PartialEq>(
    told: &Stamp<T>,
    own: Option<&Stamp<T>>,
    winner: Option<&Stamp<T>>,
    here: &SiteName,
    contested: Contested,
) -> Option<Conflict> {
    let winner = winner.filter(|winner| winner.site != *here)?;
    let loser = own.filter(|own| own.site == *here && own.basis != Basis::Birth && own.value != winner.value)?;
    let concerns = [loser.named(), winner.named()].contains(&told.named());
    let seen = winner.over.as_ref().is_some_and(|over| over.covers(&loser.named()));
    let side = |stamp: StampRef| Side { site: stamp.site, changed_at_ns: stamp.changed_at_ns };
    let conflict = Conflict { contested, winner: side(winner.named()), loser: side(loser.named()) };
    (concerns && !seen).then_some(conflict)
}

fn replaced(told: &NullRegister, state: &VersionState, here: &SiteName) -> Option<Conflict> {
    let winner = state.null().filter(|winner| winner.site != *here)?;
    let own = state.said.get(here).and_then(|said| said.null.clone());
    let loser = if told.site == *here { Some(told.clone()) } else { own }.filter(|own| own.site == *here)?;
    let concerns = told.named() == winner.named() || told.site == *here;
    let order = |register: &RegisterRef| (register.at_ns, register.site.clone());
    let seen = winner.over.as_ref().is_some_and(|over| order(over) >= order(&loser.named()));
    let differ = (winner.state, &winner.etag) != (loser.state, &loser.etag);
    let side = |register: &NullRegister| Side { site: register.site.clone(), changed_at_ns: register.at_ns };
    let conflict = Conflict { contested: Contested::Null, winner: side(&winner), loser: side(&loser) };
    (concerns && differ && !seen).then_some(conflict)
}
