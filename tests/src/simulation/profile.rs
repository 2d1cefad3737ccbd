//! Named configurations of runs: what clients do, and what goes wrong.

use std::time::Duration;

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
    /// How many processes beside each site.
    pub members: usize,
    /// What clients do, with weights.
    pub operations: Vec<(Operation, u32)>,
    /// How much of it.
    pub count: usize,
    /// The longest time between two operations.
    pub gap: Duration,
    /// The keys.
    pub keys: Vec<&'static str>,
    /// Retentions last up to so long.
    pub retention: Duration,
    /// How far clocks may be apart.
    pub skew: Duration,
    /// Whether processes crash, stop and start again.
    pub crashes: bool,
    /// Calls to stores that fail, in percent.
    pub faults: u32,
    /// Replica writes that arrive late, in percent: some after their sender gave up, some after their expiry.
    pub zombies: u32,
    /// Notices that come after more time than the sure door is given, in percent.
    pub late: u32,
}

impl Profile {
    fn new(name: &'static str, operations: &[(Operation, u32)]) -> Self {
        Self {
            name,
            sites: 2,
            members: 1,
            operations: operations.to_vec(),
            count: 40,
            gap: Duration::from_millis(1_500),
            keys: vec!["a", "b", "dir/c"],
            retention: Duration::from_secs(7 * 24 * 3_600),
            skew: Duration::ZERO,
            crashes: false,
            faults: 0,
            zombies: 0,
            late: 3,
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

/// The names of all profiles.
pub const PROFILES: &[&str] = &[
    "versions",
    "tags",
    "locks",
    "expiry",
    "nulls",
    "crashes",
    "faults",
    "zombies",
    "rebalances",
    "skew",
    "everything",
    "versions-three",
    "tags-three",
    "locks-three",
    "nulls-three",
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
        "tags" => Profile::new("tags", TAGS),
        "locks" => Profile::new("locks", LOCKS),
        "expiry" => Profile { retention: Duration::from_secs(40), ..Profile::new("expiry", LOCKS) },
        "nulls" => {
            let operations: Vec<_> = VERSIONS.iter().chain(TAGS).copied().collect();
            Profile { keys: vec!["d/", "e/", "a"], ..Profile::new("nulls", &operations) }
        }
        "crashes" => Profile { crashes: true, ..Profile::new("crashes", EVERYTHING) },
        "faults" => Profile { faults: 15, ..Profile::new("faults", EVERYTHING) },
        "zombies" => Profile { zombies: 15, crashes: true, ..Profile::new("zombies", EVERYTHING) },
        "rebalances" => Profile { members: 2, crashes: true, ..Profile::new("rebalances", EVERYTHING) },
        "skew" => Profile { skew: Duration::from_secs(1), ..Profile::new("skew", EVERYTHING) },
        "everything" => Profile {
            members: 2,
            crashes: true,
            faults: 8,
            zombies: 5,
            skew: Duration::from_millis(500),
            ..Profile::new("everything", EVERYTHING)
        },
        _ => return None,
    })
}
