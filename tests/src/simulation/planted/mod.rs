//! Faults planted on purpose: each leaves one rule out, or makes one mistake, around the real code and never in it. A
//! simulation that does not notice them is worth nothing.
//!
//! They sit where a process meets the world: [`Tongue`] at what it writes to the log, [`Hands`] at the records that it is
//! given, [`Knowledge`] at what its index answers, [`super::reach`] at its stores, and the courier at the doors.

mod hands;
mod knowledge;
mod scene;
mod tongue;

pub(super) use hands::Hands;
pub(super) use knowledge::{Knowledge, Part};
pub(super) use scene::{Doing, Scene};
pub(super) use tongue::Tongue;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Planted {
    /// Facts are merged into the index and plan nothing (without: every fact plans its version again).
    FactsPlanNothing,
    /// A birth does not see that its version was removed (without: removed is terminal).
    RemovalForgotten,
    /// What a version was born with is no fact (without: BIRTH facts).
    BirthsUnsaid,
    /// Whatever tags the target holds count as explained (without: the barrier for tags).
    TagsUnasked,
    /// Whatever lock the target holds counts as explained (without: the barrier for locks).
    LocksUnasked,
    /// The null version's register is no fact (without: null facts).
    NullsUnsaid,
    /// What an examination finds and nothing explains is no fact (without: UNKNOWN facts).
    UnknownsUnsaid,
    /// Stores take writes however late they come (without: requests that expire).
    RequestsNeverExpire,
    /// Capture compares locks without what receipts say was written here (without: the baseline of audit records).
    AuditWithoutBaseline,
    /// A marker is taken for made without a look (without: look after the marker).
    MarkerUnseen,
    /// A marker is sent without a look before or after.
    MarkerBlind,
    /// What was fetched is committed at once (without: commit after the plan).
    CommitBeforePlan,
    /// One more offset is committed than is done.
    LedgerOffByOne,
    /// Notices about versions with REPLICA status are dropped.
    ReplicaNoticesDropped,
    /// Nothing is known of what a client left who took tags off but what is read (without: the notice's name says it).
    UntagsUnbelieved,
    /// Changes of tags and locks may create what the target lacks.
    ChangesCreate,
    /// No site hears the facts of another.
    FactsIgnored,
    /// Where two sites changed a category in the same moment, each keeps its own (without: the site decides ties).
    TiesUnbroken,
    /// Retention keeps its latest stamp only (without: the COMPLIANCE register).
    ComplianceForgotten,
    /// A null version is written over whatever is there (without: If-Match).
    NullsBlind,
    /// Records of one key are handled at the same time (without: order per key).
    KeysUnordered,
    /// Removals are sent with REPLICA status, under which MinIO breaks locks.
    RemovalsAsReplicas,
    /// A sweep creates whatever one side lacks (without: vanished).
    SweepsCreateAll,
    /// A process takes its lanes for its own until it hears otherwise (without: the lease).
    LanesForGranted,
    /// A new owner begins at once (without: waiting out the writes of an owner that died).
    TakeoverAtOnce,
    /// Receipts are not kept (without: what was written by us is explained).
    ReceiptsForgotten,
}

impl Planted {
    /// All of them.
    pub const ALL: [Planted; 26] = [
        Self::FactsPlanNothing,
        Self::RemovalForgotten,
        Self::BirthsUnsaid,
        Self::TagsUnasked,
        Self::LocksUnasked,
        Self::NullsUnsaid,
        Self::UnknownsUnsaid,
        Self::RequestsNeverExpire,
        Self::AuditWithoutBaseline,
        Self::MarkerUnseen,
        Self::MarkerBlind,
        Self::CommitBeforePlan,
        Self::LedgerOffByOne,
        Self::ReplicaNoticesDropped,
        Self::UntagsUnbelieved,
        Self::ChangesCreate,
        Self::FactsIgnored,
        Self::TiesUnbroken,
        Self::ComplianceForgotten,
        Self::NullsBlind,
        Self::KeysUnordered,
        Self::RemovalsAsReplicas,
        Self::SweepsCreateAll,
        Self::LanesForGranted,
        Self::TakeoverAtOnce,
        Self::ReceiptsForgotten,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FactsPlanNothing => "facts-plan-nothing",
            Self::RemovalForgotten => "removal-forgotten",
            Self::BirthsUnsaid => "births-unsaid",
            Self::TagsUnasked => "tags-unasked",
            Self::LocksUnasked => "locks-unasked",
            Self::NullsUnsaid => "nulls-unsaid",
            Self::UnknownsUnsaid => "unknowns-unsaid",
            Self::RequestsNeverExpire => "requests-never-expire",
            Self::AuditWithoutBaseline => "audit-without-baseline",
            Self::MarkerUnseen => "marker-unseen",
            Self::MarkerBlind => "marker-blind",
            Self::CommitBeforePlan => "commit-before-plan",
            Self::LedgerOffByOne => "ledger-off-by-one",
            Self::ReplicaNoticesDropped => "replica-notices-dropped",
            Self::UntagsUnbelieved => "untags-unbelieved",
            Self::ChangesCreate => "changes-create",
            Self::FactsIgnored => "facts-ignored",
            Self::TiesUnbroken => "ties-unbroken",
            Self::ComplianceForgotten => "compliance-forgotten",
            Self::NullsBlind => "nulls-blind",
            Self::KeysUnordered => "keys-unordered",
            Self::RemovalsAsReplicas => "removals-as-replicas",
            Self::SweepsCreateAll => "sweeps-create-all",
            Self::LanesForGranted => "lanes-for-granted",
            Self::TakeoverAtOnce => "takeover-at-once",
            Self::ReceiptsForgotten => "receipts-forgotten",
        }
    }

    /// The fault of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|planted| planted.name() == name)
    }
}
