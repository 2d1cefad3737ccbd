//! Whole sweeps of two stores in memory.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use twinlog_index::{Index, IndexError, MemoryIndex, Merge, VersionState};
use twinlog_schemas::{BucketName, EventId, Fact, FactBody, ObjectKey, Receipt, Removal, SiteName, VersionRef, Wrote};
use twinlog_site::Site;
use twinlog_site::memory::{BucketSetup, ClientPut, MemorySite, MemorySiteOptions, Quirks};
use twinlog_verify::AtSite;

use crate::{Account, Around, Ask, End, Leave, Missing, Pace, Scope, Sweep, SweepError, What, Whole};

type Asked = Vec<(String, SiteName, Leave)>;
type Meanwhile = Box<dyn FnOnce(&World) + Send>;

struct World {
    stores: [MemorySite; 2],
    index: MemoryIndex,
    asked: Mutex<Asked>,
    found: Mutex<Vec<(String, What)>>,
    done_to: Mutex<Vec<String>>,
    /// What happens while differences settle.
    meanwhile: Mutex<Option<Meanwhile>>,
    whole: Mutex<[Whole; 2]>,
}

fn site(name: &str) -> SiteName {
    SiteName::new(name).unwrap()
}

fn bucket() -> BucketName {
    BucketName::new("photos").unwrap()
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::new(key).unwrap()
}

const BORN_NS: i64 = 1_000_000_000_000;

impl World {
    fn new() -> Self {
        let now_ns = Arc::new(AtomicI64::new(BORN_NS));
        let store = |name: &str, seed| {
            let now = Arc::clone(&now_ns);
            let clock = Arc::new(move || now.fetch_add(1_000_000, Ordering::SeqCst));
            let store = MemorySite::new(MemorySiteOptions::new(site(name), Quirks::rustfs(), clock, seed));
            store.create_bucket(&bucket(), BucketSetup::REPLICATED);
            store
        };
        Self {
            stores: [store("east", 1), store("west", 2)],
            index: MemoryIndex::new(),
            asked: Mutex::default(),
            found: Mutex::default(),
            done_to: Mutex::default(),
            meanwhile: Mutex::default(),
            whole: Mutex::default(),
        }
    }

    fn put(&self, at: usize, name: &str) -> VersionRef {
        let put = ClientPut { body: Bytes::from(name.to_owned()), ..ClientPut::default() };
        let written = self.stores[at].client("somebody").put(&bucket(), &key(name), &put).unwrap();
        VersionRef { bucket: bucket(), key: key(name), version_id: written.version_id }
    }

    fn removed(&self, version: &VersionRef) {
        let body =
            FactBody::Removed(Removal { removed_at_ns: 1, cause: String::new(), lifecycle: false, locks_seen: None });
        let VersionRef { bucket, key, version_id } = version.clone();
        let (event_id, site) = (EventId::new(1, [0; 10]), site("west"));
        let fact = Fact { event_id, site, bucket, key, version_id, said_at_ns: 1, of: None, body };
        self.index.merge(&[Merge::Fact(fact)], None).unwrap();
    }

    fn scope(missing: Missing) -> Scope {
        Scope { prefix: String::new(), after: None, attributes: true, settle: Duration::from_secs(10), missing }
    }

    async fn sweep(&self, scope: Scope, unbroken_since_ns: Option<i64>, two_way: bool) -> Result<Account, SweepError> {
        let now_ms = Arc::new(|| BORN_NS / 1_000_000);
        let end = |at: usize| End {
            site: self.stores[at].name().clone(),
            bucket: AtSite::new(Arc::new(self.stores[at].clone()), bucket(), now_ms.clone()),
            replicates: at == 0 || two_way,
        };
        *self.whole.lock().unwrap() = [Whole { unbroken_since_ns, filling_before_ns: None }; 2];
        let pace = Pace::new(NonZeroU32::MAX);
        let now_ms = || BORN_NS / 1_000_000;
        let sweep = Sweep { ends: [end(0), end(1)], bucket: bucket(), scope, pace, around: self, now_ms: &now_ms };
        sweep.run().await
    }

    fn asked(&self) -> Asked {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Around for World {
    async fn refresh(&self) -> Result<[Whole; 2], String> {
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().take() {
            meanwhile(self);
        }
        Ok(*self.whole.lock().unwrap())
    }

    fn known(&self, version: &VersionRef) -> Result<VersionState, IndexError> {
        self.index.version(version)
    }

    async fn ask(&self, version: &VersionRef, ask: &Ask) -> Result<(), String> {
        assert_eq!(version.version_id, ask.version_id);
        self.asked.lock().unwrap().push((version.key.to_string(), ask.site.clone(), ask.leave));
        Ok(())
    }

    fn found(&self, version: &VersionRef, what: &What) {
        self.found.lock().unwrap().push((version.key.to_string(), what.clone()));
    }

    async fn done_to(&self, key: &ObjectKey, _account: &Account) -> Result<(), String> {
        self.done_to.lock().unwrap().push(key.to_string());
        Ok(())
    }
}

fn asked(key: &str, at: &str, leave: Leave) -> (String, SiteName, Leave) {
    (key.to_owned(), site(at), leave)
}

/// Scenario: versions at one site only, either way; one of them is known to be removed at the other; one was written
/// where it is by replication.
/// Guarantees: who holds what is missing is asked to have it created, who removed it to tell so again, and of what
/// nothing is known nobody is asked.
#[tokio::test(start_paused = true)]
async fn what_one_site_lacks_is_asked_for_where_it_is_known_why() {
    let world = World::new();
    world.put(0, "a");
    world.put(1, "b");
    world.removed(&world.put(0, "c"));
    let replica = world.put(0, "d");
    let receipt = Receipt::of(Wrote::Object, replica, EventId::new(1, [0; 10]), [site("west"), site("east")], 1);
    world.index.merge(&[Merge::Receipt(receipt)], None).unwrap();
    let account = world.sweep(World::scope(Missing::Listed), Some(0), true).await.unwrap();
    let expected =
        [asked("a", "east", Leave::ToCreate), asked("b", "west", Leave::ToCreate), asked("c", "west", Leave::ToLook)];
    assert_eq!(world.asked(), expected);
    assert_eq!((account.compared, account.asked(), account.vanished()), (4, 3, 1));
    assert_eq!(account.vanished[&site("east")], 1);
    assert_eq!(world.found.lock().unwrap().last().unwrap(), &("d".to_owned(), What::Vanished { at: site("east") }));
    let account = world.sweep(World::scope(Missing::Removed), Some(0), true).await.unwrap();
    assert_eq!(world.asked().last(), Some(&asked("d", "west", Leave::ToRemove)));
    assert_eq!((account.given_up, account.vanished()), (1, 0));
}

/// Scenario: nobody knows since when the sites tell everything.
/// Guarantees: nothing is created, but for a person who says so.
#[tokio::test(start_paused = true)]
async fn without_a_record_everything_vanished() {
    let world = World::new();
    world.put(0, "a");
    let account = world.sweep(World::scope(Missing::Listed), None, true).await.unwrap();
    assert_eq!((world.asked(), account.vanished()), (Vec::new(), 1));
    world.sweep(World::scope(Missing::Created), None, true).await.unwrap();
    assert_eq!(world.asked(), [asked("a", "east", Leave::ToCreate)]);
}

/// Scenario: a version is removed, and another comes to the other site, while differences settle.
/// Guarantees: only what differs at the second look counts.
#[tokio::test(start_paused = true)]
async fn what_was_under_way_is_no_difference() {
    let world = World::new();
    let gone = world.put(0, "gone");
    world.put(0, "stays");
    *world.meanwhile.lock().unwrap() = Some(Box::new(move |world: &World| {
        world.stores[0].client("somebody").delete_version(&gone, false).unwrap();
    }));
    let begun = tokio::time::Instant::now();
    let account = world.sweep(World::scope(Missing::Listed), Some(0), true).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(10), "the doors had their time");
    assert_eq!(world.asked(), [asked("stays", "east", Leave::ToCreate)]);
    assert_eq!((account.compared, account.missing), (2, 1));
}

/// Scenario: the log loses what the site that lacks a version has told, while the sweep is under way.
/// Guarantees: the version is not created: its removal may be among what was lost.
#[tokio::test(start_paused = true)]
async fn what_is_lost_during_a_sweep_counts() {
    let world = World::new();
    world.put(0, "a");
    *world.meanwhile.lock().unwrap() =
        Some(Box::new(|world: &World| *world.whole.lock().unwrap() = Default::default()));
    let account = world.sweep(World::scope(Missing::Listed), Some(0), true).await.unwrap();
    assert_eq!((world.asked(), account.vanished()), (Vec::new(), 1));
}

/// Scenario: the same version at both sites with other tags.
/// Guarantees: both are asked, without leave to create; not so if listings alone are compared.
#[tokio::test(start_paused = true)]
async fn tags_that_differ_are_found_by_a_look_only() {
    let world = World::new();
    let version = world.put(0, "k");
    let reading = world.stores[0].read(&version, twinlog_site::BodyWish::No).await.unwrap();
    let twinlog_site::Reading::Object(object) = reading else { panic!("{reading:?}") };
    let modified_ms = world.stores[0].versions_of(&bucket(), &key("k")).await.unwrap()[0].modified_ms;
    let replica = twinlog_site::Replica {
        version: version.clone(),
        modified_at_ns: modified_ms * 1_000_000,
        etag: object.etag.clone(),
        send_etag: false,
        headers: object.headers.clone(),
        user_metadata: Default::default(),
        tags: [("a".to_owned(), "1".to_owned())].into(),
        retention: None,
        legal_hold: false,
        tags_at_ns: 1,
        retention_at_ns: 1,
        legal_hold_at_ns: 1,
        storage_class: None,
        encryption: object.encryption,
        checksums: Vec::new(),
    };
    let body = twinlog_site::Body::Bytes(Bytes::from_static(b"k"));
    world.stores[1].put_object(&replica, body, &twinlog_site::Precondition::Absent).await.unwrap();
    let listings = Scope { attributes: false, ..World::scope(Missing::Created) };
    assert_eq!(world.sweep(listings, Some(0), true).await.unwrap().asked(), 0);
    let account = world.sweep(World::scope(Missing::Created), Some(0), true).await.unwrap();
    assert_eq!((account.compared, account.differing), (1, 1));
    assert_eq!(world.asked(), [asked("k", "east", Leave::ToLook), asked("k", "west", Leave::ToLook)]);
}

/// Scenario: a link in one direction only; an earlier sweep was interrupted after a key.
/// Guarantees: what only the target has is its own; only later keys are swept, and the last one is told.
#[tokio::test(start_paused = true)]
async fn one_way_links_and_interrupted_sweeps() {
    let world = World::new();
    world.put(1, "targets-own");
    for name in ["a", "b", "c"] {
        world.put(0, name);
    }
    let scope = Scope { after: Some(key("a")), ..World::scope(Missing::Listed) };
    let account = world.sweep(scope, Some(0), false).await.unwrap();
    assert_eq!(world.asked(), [asked("b", "east", Leave::ToCreate), asked("c", "east", Leave::ToCreate)]);
    assert_eq!(account.compared, 3);
    assert_eq!(*world.done_to.lock().unwrap(), ["targets-own"]);
}
