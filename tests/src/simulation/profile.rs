//! Named configurations of runs: what clients do, and what goes wrong.

use std::time::Duration;

use twinlog_site::memory::Wording;

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Puts a small object.
    Put,
    /// Puts one that does not travel inside the event.
    PutLarge,
    /// Puts one with tags.
    PutTagged,
    /// Puts one with a retention or a legal hold.
    PutLocked,
    /// Uploads in parts.
    Multipart,
    /// Copies a version of any key.
    Copy,
    /// Replaces the tags of a version.
    Tag,
    /// Removes the tags of a version.
    Untag,
    /// Deletes without a version id.
    Delete,
    /// The multi-delete of several keys, some with version ids.
    DeleteMany,
    /// Removes an object version by its id.
    DeleteVersion,
    /// Removes a delete marker by its id.
    DeleteMarker,
    /// Sets a retention.
    Retain,
    /// Lifts a retention.
    Lift,
    /// Sets the legal hold.
    Hold,
    /// Lifts the legal hold.
    Release,
}

/// A configuration of runs.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// How many sites, 2 or 3.
    pub sites: usize,
    /// Which store, if not one by chance.
    pub store: Option<Wording>,
    /// How many processes beside each site.
    pub members: usize,
    /// What clients do, with weights.
    pub operations: Vec<(Operation, u32)>,
    /// How much of it.
    pub count: usize,
    /// The shortest time between two operations, unless they come in bursts.
    pub apart: Duration,
    /// The longest time between two operations, on top of that.
    pub gap: Duration,
    /// The keys.
    pub keys: Vec<&'static str>,
    /// Retentions last up to so long.
    pub retention: Duration,
    /// How far clocks may be apart.
    pub skew: Duration,
    /// Operations that follow the one before in the same moment, in percent.
    pub bursts: u32,
    /// Whether processes crash, stop and start again.
    pub crashes: bool,
    /// Whether processes are stopped where they are, and wake after others have taken over.
    pub stops: bool,
    /// Calls to stores that fail, in percent.
    pub faults: u32,
    /// How long a replica write is under way, at most, unless it is late.
    pub way: Duration,
    /// Replica writes that arrive late, in percent: some after their sender gave up, some after their expiry.
    pub late_writes: u32,
    /// Replica writes that a load balancer sends twice, in percent.
    pub doubled: u32,
    /// Notices that come after more time than the sure door is given, in percent.
    pub late: u32,
    /// Whether the last change of tags is what must hold at the end, and of a legal hold that one site alone changed: where
    /// every notice comes within the time that the sure door is given, and clocks agree. (No store takes tags or locks on
    /// a condition, so what a client changes at the target between our look and our write is lost.)
    pub last_wins: bool,
    /// Whether a null version is at the end what the last client wrote, whatever was under way.
    pub last_null_wins: bool,
    /// Whether doors lose notices for a while, and sweeps find what they told.
    pub deaf: bool,
    /// Whether operators replay versions, those that are gone too.
    pub replays: bool,
    /// Whether clients take every legal hold off when they are done: what a lock of a null version kept out comes then.
    pub frees: bool,
}

impl Profile {
    fn new(name: &'static str, operations: &[(Operation, u32)]) -> Self {
        Self {
            name,
            sites: 2,
            store: None,
            members: 1,
            operations: operations.to_vec(),
            count: 40,
            // Of the markers that a multi-delete made, notices tell no more than the millisecond.
            apart: Duration::from_millis(1),
            gap: Duration::from_millis(1_500),
            keys: vec!["a", "b", "dir/c"],
            retention: Duration::from_secs(7 * 24 * 3_600),
            skew: Duration::ZERO,
            bursts: 0,
            crashes: false,
            stops: false,
            faults: 0,
            way: Duration::from_millis(20),
            late_writes: 0,
            doubled: 0,
            late: 3,
            last_wins: false,
            last_null_wins: false,
            deaf: false,
            replays: false,
            frees: false,
        }
    }

    /// The same with three sites.
    #[must_use]
    pub fn three(self) -> Self {
        Self { sites: 3, ..self }
    }
}

use Operation as O;

const VERSIONS: &[(Operation, u32)] = &[
    (O::Put, 8),
    (O::PutLarge, 2),
    (O::Multipart, 2),
    (O::Copy, 2),
    (O::Delete, 5),
    (O::DeleteMany, 3),
    (O::DeleteVersion, 5),
    (O::DeleteMarker, 4),
];

const TAGS: &[(Operation, u32)] = &[
    (O::Put, 3),
    (O::PutTagged, 3),
    (O::Multipart, 1),
    (O::Copy, 1),
    (O::Tag, 12),
    (O::Untag, 3),
    (O::Delete, 1),
    (O::DeleteVersion, 2),
];

const LOCKS: &[(Operation, u32)] = &[
    (O::Put, 4),
    (O::PutLocked, 3),
    (O::Retain, 6),
    (O::Lift, 3),
    (O::Hold, 6),
    (O::Release, 5),
    (O::Delete, 1),
    (O::DeleteVersion, 4),
];

const EVERYTHING: &[(Operation, u32)] = &[
    (O::Put, 6),
    (O::PutLarge, 1),
    (O::PutTagged, 2),
    (O::PutLocked, 1),
    (O::Multipart, 2),
    (O::Copy, 2),
    (O::Tag, 6),
    (O::Untag, 2),
    (O::Delete, 3),
    (O::DeleteMany, 2),
    (O::DeleteVersion, 4),
    (O::DeleteMarker, 2),
    (O::Retain, 2),
    (O::Lift, 1),
    (O::Hold, 2),
    (O::Release, 2),
];

/// Many changes of few versions in the same moments.
const TIES: &[(Operation, u32)] =
    &[(O::PutTagged, 1), (O::Put, 1), (O::Tag, 10), (O::Untag, 2), (O::Hold, 5), (O::Release, 4), (O::Delete, 1)];

/// Versions that are replaced and removed, markers above all.
const MARKERS: &[(Operation, u32)] =
    &[(O::Put, 3), (O::Delete, 8), (O::DeleteMany, 6), (O::DeleteMarker, 6), (O::DeleteVersion, 2)];

/// Changes of tags, with what they are of.
const RETAGS: &[(Operation, u32)] = &[(O::Put, 2), (O::PutTagged, 1), (O::Tag, 10), (O::Untag, 2)];

/// Locks, and removals that meet them.
const LOCKED_REMOVALS: &[(Operation, u32)] =
    &[(O::Put, 5), (O::Retain, 6), (O::Hold, 6), (O::Release, 3), (O::DeleteVersion, 6)];

/// Legal holds of versions of one key.
const HOLDS: &[(Operation, u32)] = &[(O::Put, 3), (O::Hold, 7), (O::Release, 6)];

/// Null versions that are held and retained, and replaced.
const HELD_NULLS: &[(Operation, u32)] = &[
    (O::Put, 6),
    (O::PutLarge, 1),
    (O::PutTagged, 2),
    (O::Hold, 5),
    (O::Release, 4),
    (O::Retain, 4),
    (O::Lift, 2),
    (O::Tag, 2),
    (O::Delete, 1),
];

/// Null versions that are replaced while tags and locks of the one before are on their way.
const NULL_ATTRIBUTES: &[(Operation, u32)] =
    &[(O::Put, 6), (O::PutTagged, 1), (O::Tag, 8), (O::Untag, 2), (O::Hold, 3), (O::Release, 3)];

/// Null versions that are removed while the next one is being written. All travel inside their events: of one that does
/// not, and that MinIO lets a removal of ours meet before the other site has read it, nothing is left anywhere.
const NULL_REMOVALS: &[(Operation, u32)] = &[(O::Put, 7), (O::DeleteVersion, 4), (O::Delete, 1)];

/// The names of all profiles; those that end in `-three` have three sites.
pub const PROFILES: &[&str] = &[
    "versions",
    "markers",
    "tags",
    "locks",
    "expiry",
    "nulls",
    "ties",
    "crashes",
    "faults",
    "zombies",
    "lossy",
    "replays",
    "rebalances",
    "skew",
    "audits",
    "doubled",
    "null-writes",
    "null-locks",
    "null-attributes",
    "null-removals",
    "overtaking",
    "locked-meanwhile",
    "takeovers",
    "everything",
    "versions-three",
    "markers-three",
    "tags-three",
    "locks-three",
    "expiry-three",
    "nulls-three",
    "ties-three",
    "crashes-three",
    "faults-three",
    "zombies-three",
    "lossy-three",
    "replays-three",
    "rebalances-three",
    "skew-three",
    "audits-three",
    "doubled-three",
    "null-writes-three",
    "null-locks-three",
    "null-attributes-three",
    "null-removals-three",
    "overtaking-three",
    "locked-meanwhile-three",
    "takeovers-three",
    "everything-three",
];

/// A profile by its name.
#[must_use]
pub fn profile(name: &str) -> Option<Profile> {
    if let Some(two) = name.strip_suffix("-three") {
        let three = profile(two)?.three();
        return Some(Profile { name: PROFILES.iter().find(|known| **known == name)?, ..three });
    }
    Some(match name {
        "versions" => Profile::new("versions", VERSIONS),
        "markers" => Profile { keys: vec!["a", "b"], crashes: true, ..Profile::new("markers", MARKERS) },
        "tags" => Profile { late: 0, way: Duration::ZERO, last_wins: true, ..Profile::new("tags", TAGS) },
        "locks" => Profile { late: 0, way: Duration::ZERO, last_wins: true, ..Profile::new("locks", LOCKS) },
        "expiry" => Profile { retention: Duration::from_secs(40), ..Profile::new("expiry", LOCKS) },
        "nulls" => {
            let operations: Vec<_> = VERSIONS.iter().chain(TAGS).copied().collect();
            Profile { keys: vec!["d/", "e/", "a"], ..Profile::new("nulls", &operations) }
        }
        "ties" => Profile { keys: vec!["a", "b"], bursts: 60, ..Profile::new("ties", TIES) },
        "crashes" => Profile { crashes: true, ..Profile::new("crashes", EVERYTHING) },
        "faults" => Profile { faults: 15, ..Profile::new("faults", EVERYTHING) },
        "zombies" => Profile { members: 2, stops: true, late_writes: 15, ..Profile::new("zombies", EVERYTHING) },
        "lossy" => {
            // Without multi-deletes: RustFS names no marker that they make, so one made while its doors are deaf is told
            // by the next one's notice, whatever became of it meanwhile.
            let operations: Vec<_> = EVERYTHING.iter().filter(|(one, _)| *one != O::DeleteMany).copied().collect();
            Profile { deaf: true, ..Profile::new("lossy", &operations) }
        }
        "replays" => {
            // Without removals of markers by id: MinIO calls them "created", and one that a replay undoes before its
            // notice is captured is then taken for a birth.
            let operations: Vec<_> = EVERYTHING.iter().filter(|(one, _)| *one != O::DeleteMarker).copied().collect();
            Profile { replays: true, ..Profile::new("replays", &operations) }
        }
        "rebalances" => Profile { members: 2, crashes: true, ..Profile::new("rebalances", EVERYTHING) },
        "skew" => Profile { skew: Duration::from_secs(1), ..Profile::new("skew", EVERYTHING) },
        "audits" => Profile {
            store: Some(Wording::RustFs),
            keys: vec!["a"],
            count: 60,
            late: 0,
            way: Duration::ZERO,
            last_wins: true,
            ..Profile::new("audits", HOLDS)
        },
        "doubled" => Profile { doubled: 15, ..Profile::new("doubled", EVERYTHING) },
        "null-writes" => Profile {
            keys: vec!["d/", "e/"],
            gap: Duration::from_millis(1_500),
            late: 0,
            way: Duration::from_secs(3),
            last_null_wins: true,
            ..Profile::new("null-writes", &[(O::Put, 6), (O::PutLarge, 2), (O::PutTagged, 2)])
        },
        "null-locks" => Profile {
            keys: vec!["d/", "e/"],
            retention: Duration::from_secs(40),
            frees: true,
            ..Profile::new("null-locks", HELD_NULLS)
        },
        "null-attributes" => Profile {
            keys: vec!["d/", "e/"],
            gap: Duration::from_millis(800),
            way: Duration::from_millis(1_500),
            frees: true,
            ..Profile::new("null-attributes", NULL_ATTRIBUTES)
        },
        "null-removals" => Profile {
            keys: vec!["d/", "e/"],
            gap: Duration::from_millis(800),
            way: Duration::from_secs(4),
            ..Profile::new("null-removals", NULL_REMOVALS)
        },
        "overtaking" => Profile {
            keys: vec!["a", "b"],
            gap: Duration::from_millis(800),
            way: Duration::from_millis(1_500),
            ..Profile::new("overtaking", RETAGS)
        },
        "locked-meanwhile" => Profile {
            keys: vec!["a", "b"],
            gap: Duration::from_millis(800),
            way: Duration::from_millis(1_500),
            ..Profile::new("locked-meanwhile", LOCKED_REMOVALS)
        },
        "takeovers" => Profile {
            members: 2,
            keys: vec!["a", "b"],
            gap: Duration::from_millis(2_500),
            crashes: true,
            way: Duration::from_secs(9),
            ..Profile::new("takeovers", RETAGS)
        },
        "everything" => Profile {
            members: 2,
            crashes: true,
            stops: true,
            faults: 8,
            late_writes: 5,
            skew: Duration::from_millis(500),
            ..Profile::new("everything", EVERYTHING)
        },
        _ => return None,
    })
}
