//! The plan: a pure function from what is known of a version to what is to be done at the target. Every rule of
//! convergence is here and has a name; whatever talks to a network only executes it.

mod attributes;
#[cfg(test)]
mod interleavings;
mod null;
#[cfg(test)]
mod properties;
mod removal;
mod rule;

pub use rule::Rule;

use std::collections::BTreeSet;

use twinlog_index::VersionState;
use twinlog_schemas::{
    ChangeEvent, Encryption, NullRegister, ObjectState, Retention, SiteName, StoreReading, Tags, Told, VersionKind,
};
use twinlog_site::{ObjectReading, Precondition, Reading};

/// All that a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The change event, if one is the reason; a fact plans without one.
    pub event: Option<&'a ChangeEvent>,
    /// What the target holds.
    pub target: Target<'a>,
    /// What all facts together say, the event's own stamps included.
    pub index: &'a VersionState,
    /// Whether this is the null version of its key.
    pub null: bool,
    /// The target's site.
    pub here: &'a SiteName,
    /// The sources whose lifecycle's removals stay theirs.
    pub lifecycle_stays: &'a BTreeSet<SiteName>,
    /// What the target's own site answered to a doubt of this record: a value that it names is in doubt no longer, even
    /// if it was not worth a stamp.
    pub answered: Option<&'a StoreReading>,
    /// A write of this record may have acted, or may not: its outcome was never known.
    pub unsure: bool,
    /// Now, milliseconds since the Unix epoch; an expired retention equals none.
    pub now_ms: i64,
}

/// What is known of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// Not read yet.
    Unread,
    /// Read, with the listed modification time in milliseconds where one was looked up (null versions).
    Read(&'a Reading, Option<i64>),
}

/// What is to be done, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: the target is as it should be, or this record gives no leave to change it.
    Nothing(Rule),
    /// The target must be read before anything can be said.
    Read(Rule),
    /// Execute these in order; afterwards the version is as it should be, as far as this record knows.
    Act(Rule, Vec<Action>),
    /// Something at the target may be a client's change whose notice is still under way: ask its own site first.
    Doubt(Rule),
    /// The other sites must be asked for this version's state (a null OBJECT that only a fact tells of).
    Ask(Rule),
    /// It cannot be applied: a dead letter.
    Refuse(Rule),
    /// It cannot be applied before this time, milliseconds since the Unix epoch: a dead letter, and planned again then.
    RefuseUntil(Rule, i64),
    /// There is nothing to do before this time, milliseconds since the Unix epoch: it is planned again then.
    PutOff(Rule, i64),
    /// A newer release wrote this: the link waits for an upgrade.
    HoldLink(Rule),
}

/// One step at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write the object with these attributes.
    Put(Precondition, Attributes),
    /// Create the delete marker, and look at it afterwards.
    PutMarker,
    /// Remove the version.
    Remove {
        /// Pass a GOVERNANCE retention that replication placed.
        bypass_governance: bool,
        /// Only if the object has this ETag (null versions).
        if_match: Option<String>,
    },
    /// Replace the tags.
    SetTags(Tags),
    /// Set or lift the retention.
    SetRetention(Option<Retention>),
    /// Set the legal hold.
    SetLegalHold(bool),
}

/// The three categories as the index decides them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Tags.
    pub tags: Tags,
    /// Retention in force, or none.
    pub retention: Option<Retention>,
    /// Legal hold.
    pub legal_hold: bool,
}

/// Makes the plan.
#[must_use]
pub fn plan(q: Question<'_>) -> Plan {
    if q.event.is_some_and(|event| event.kind == VersionKind::Unknown || event.told == Told::Unknown) {
        return Plan::HoldLink(Rule::UnknownSymbol);
    }
    if q.null {
        return null::plan(q);
    }
    if stays(q) {
        return Plan::Nothing(Rule::LifecycleStays);
    }
    if removed(q) {
        return removal::plan(q);
    }
    match q.target {
        Target::Unread => unread(q),
        Target::Read(Reading::Absent, _) => absent(q),
        Target::Read(Reading::Marker { .. }, _) => match q.event.map(|event| event.kind) {
            Some(VersionKind::Object) => Plan::Refuse(Rule::IdentityDiffers),
            _ => Plan::Nothing(Rule::AlreadyThere),
        },
        Target::Read(Reading::Object(held), _) => match q.event {
            Some(event) if !same_identity(event, held) => Plan::Refuse(Rule::IdentityDiffers),
            _ => attributes::plan(q, held),
        },
    }
}

/// Whether this is a removal, or a delete marker, by a lifecycle that does not reach here.
fn stays(q: Question<'_>) -> bool {
    let removes = |kind| matches!(kind, VersionKind::Removed | VersionKind::DeleteMarker);
    q.event.is_some_and(|event| event.lifecycle && removes(event.kind) && q.lifecycle_stays.contains(&event.site))
}

/// Whether the version was removed, as far as this site goes by it.
fn removed(q: Question<'_>) -> bool {
    let mut removals = q.index.said.iter().filter_map(|(site, said)| Some((site, said.removal.as_ref()?)));
    removals.any(|(site, removal)| !(removal.lifecycle && q.lifecycle_stays.contains(site)))
}

/// A birth of an object is put if absent, so that the common case costs one write; everything else reads first, also
/// one written part by part, whose completion would replace what is there.
fn unread(q: Question<'_>) -> Plan {
    let at_once = |event: &ChangeEvent| event.object.as_ref().is_none_or(|object| object.parts.is_empty());
    match q.event {
        Some(event) if event.creates() && event.kind == VersionKind::Object && at_once(event) => create(q, event),
        _ => Plan::Read(Rule::ReadFirst),
    }
}

fn absent(q: Question<'_>) -> Plan {
    match q.event {
        Some(event) if event.creates() && event.kind == VersionKind::Object => create(q, event),
        Some(event) if event.creates() && event.kind == VersionKind::DeleteMarker => {
            let was_here = q.unsure || q.index.written.contains_key(q.here);
            if was_here && q.answered.is_none_or(|answer| answer.present) {
                return Plan::Doubt(Rule::UnexplainedAbsence);
            }
            Plan::Act(Rule::BirthCreates, vec![Action::PutMarker])
        }
        _ => Plan::Nothing(Rule::OnlyBirthsCreate),
    }
}

fn create(q: Question<'_>, event: &ChangeEvent) -> Plan {
    match &event.object {
        None => Plan::Refuse(Rule::NoState),
        Some(object) if object.encryption == Encryption::SseC => Plan::Refuse(Rule::CustomerKey),
        Some(_) => Plan::Act(Rule::BirthCreates, vec![Action::Put(Precondition::Absent, attributes::decided(q))]),
    }
}

/// Same identity: an object of the same size and, unless encryption changes ETags, the same ETag.
fn same_identity(event: &ChangeEvent, held: &ObjectReading) -> bool {
    let same = |object: &ObjectState| {
        let clear = object.encryption == Encryption::None && held.encryption == Encryption::None;
        u64::try_from(object.size).is_ok_and(|size| size == held.size) && (!clear || object.etag == held.etag)
    };
    match event.kind {
        VersionKind::Object => event.object.as_ref().is_none_or(same),
        VersionKind::DeleteMarker => false,
        VersionKind::Removed | VersionKind::Unknown => true,
    }
}

/// The register that an event of a null version stands for.
#[must_use]
pub fn null_register(event: &ChangeEvent) -> Option<NullRegister> {
    null::register(event)
}
