//! Every index gives the same answers to the same calls, and the stored one also after a restart.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

use std::path::Path;

use proptest::prelude::*;
use twinlog_index::{
    Expired, Index, IndexError, MemoryIndex, Merge, Position, Rebuilt, StoredConfig, StoredIndex, resume_at,
};
use twinlog_schemas::{Fact, VersionRef, arbitrary};

#[derive(Debug, Clone)]
enum Call {
    Merge(Vec<Merge>, Option<Position>),
    SetPosition(Position),
    Expire(i64, usize),
    /// Closes and opens the stored index.
    Restart,
}

/// Few keys, one of them with a NUL inside, and few versions: so that calls meet.
fn versions() -> Vec<VersionRef> {
    let version = |key: &str, id: &str| VersionRef {
        bucket: "photos".parse().unwrap(),
        key: key.parse().unwrap(),
        version_id: id.parse().unwrap(),
    };
    vec![version("a", "null"), version("a", "v1"), version("a\0v1", "v2"), version("b", "v1")]
}

fn record() -> impl Strategy<Value = Merge> {
    let fact = (arbitrary::fact(), 0..4_usize).prop_map(|(fact, n)| Merge::Fact(at(fact, n)));
    let receipt = (arbitrary::receipt(), 0..4_usize, arbitrary::time_ns()).prop_map(|(mut receipt, n, at_ns)| {
        let VersionRef { bucket, key, version_id } = versions().swap_remove(n);
        (receipt.bucket, receipt.key, receipt.version_id, receipt.written_at_ns) = (bucket, key, version_id, at_ns);
        Merge::Receipt(receipt)
    });
    prop_oneof![3 => fact, 1 => receipt]
}

fn at(fact: Fact, n: usize) -> Fact {
    let VersionRef { bucket, key, version_id } = versions().swap_remove(n);
    Fact { bucket, key, version_id, ..fact }
}

fn position() -> impl Strategy<Value = Position> {
    (prop::sample::select(vec!["facts.east", "facts.west"]), 0..2, 0..9_i64)
        .prop_map(|(topic, partition, next)| Position::new(topic, partition, next))
}

fn call() -> impl Strategy<Value = Call> {
    let records = proptest::collection::vec(record(), 0..4);
    prop_oneof![
        6 => (records, proptest::option::of(position())).prop_map(|(records, position)| Call::Merge(records, position)),
        1 => position().prop_map(Call::SetPosition),
        1 => (arbitrary::time_ns(), 0..3_usize).prop_map(|(before, limit)| Call::Expire(before, limit)),
        1 => Just(Call::Restart),
    ]
}

fn open(path: &Path) -> StoredIndex {
    StoredIndex::open(path, StoredConfig { cache_bytes: 1 << 20, checkpoint_every: 3 }).unwrap().index
}

fn same(one: &dyn Index, other: &dyn Index) -> Result<(), TestCaseError> {
    prop_assert_eq!(one.positions().unwrap(), other.positions().unwrap());
    for version in versions() {
        prop_assert_eq!(one.version(&version).unwrap(), other.version(&version).unwrap());
        let of_key = one.versions_of(&version.bucket, &version.key).unwrap();
        prop_assert_eq!(&of_key, &other.versions_of(&version.bucket, &version.key).unwrap());
        let known = of_key.get(&version.version_id).cloned().unwrap_or_default();
        prop_assert_eq!(known, one.version(&version).unwrap());
    }
    Ok(())
}

/// A full round of expiry, so that it does not matter where a restart left off.
fn expire(index: &dyn Index, before_ns: i64, limit: usize) -> usize {
    let mut dropped = 0;
    for _ in 0..2 {
        loop {
            let Expired { dropped: more, round_done, looked_at } = index.expire(before_ns, limit).unwrap();
            assert!(looked_at <= limit.max(1));
            dropped += more;
            if round_done {
                break;
            }
        }
    }
    dropped
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_store_answer_alike(calls in proptest::collection::vec(call(), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let memory = MemoryIndex::new();
        let mut stored = Some(open(folder.path()));
        for call in &calls {
            let index = stored.as_ref().unwrap();
            match call {
                Call::Merge(records, position) => {
                    memory.merge(records, position.as_ref()).unwrap();
                    index.merge(records, position.as_ref()).unwrap();
                }
                Call::SetPosition(position) => {
                    memory.set_position(position).unwrap();
                    index.set_position(position).unwrap();
                }
                Call::Expire(before, limit) => {
                    prop_assert_eq!(expire(&memory, *before, *limit), expire(index, *before, *limit));
                }
                Call::Restart => {
                    drop(stored.take());
                    stored = Some(open(folder.path()));
                }
            }
            same(&memory, stored.as_ref().unwrap())?;
        }
    }
}

/// Some facts about different versions.
fn facts(many: usize) -> Vec<Merge> {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    (0..many).map(|_| Merge::Fact(arbitrary::fact().new_tree(&mut runner).unwrap().current())).collect()
}

fn knows(index: &dyn Index, records: &[Merge]) -> usize {
    records.iter().filter(|record| !index.version(&record.version()).unwrap().is_empty()).count()
}

/// Scenario: the process is killed: what is on disk is what the file holds while the index is still open.
/// Guarantees: the index opens with the state and the position of one and the same checkpoint.
#[test]
fn after_a_kill_state_and_position_belong_together() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let index = open(folder.path());
    let records = facts(8);
    for (next, record) in (1..).zip(&records) {
        index.merge(std::slice::from_ref(record), Some(&Position::new("facts.east", 0, next))).unwrap();
        std::fs::copy(folder.path().join("index.redb"), copy.path().join("index.redb")).unwrap();
        let found = open(copy.path());
        let read = found.positions().unwrap().into_values().next().unwrap_or(0);
        assert!(next - read < 3, "no more than is between two checkpoints is lost");
        assert_eq!(knows(&found, &records), usize::try_from(read).unwrap());
    }
    index.checkpoint().unwrap();
    std::fs::copy(folder.path().join("index.redb"), copy.path().join("index.redb")).unwrap();
    assert_eq!(knows(&open(copy.path()), &records), records.len());
}

#[test]
fn a_wiped_folder_is_an_empty_index_without_positions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/there/yet");
    let opened = StoredIndex::open(&path, StoredConfig::default()).unwrap();
    assert_eq!(opened.rebuilt, Some(Rebuilt::Missing));
    let records = facts(3);
    opened.index.merge(&records, Some(&Position::new("facts.east", 0, 3))).unwrap();
    drop(opened);
    let opened = StoredIndex::open(&path, StoredConfig::default()).unwrap();
    assert_eq!((opened.rebuilt, knows(&opened.index, &records)), (None, 3));
    drop(opened.index);
    std::fs::remove_dir_all(&path).unwrap();
    let opened = StoredIndex::open(&path, StoredConfig::default()).unwrap();
    assert_eq!(opened.rebuilt, Some(Rebuilt::Missing));
    assert!(opened.index.positions().unwrap().is_empty());
    assert_eq!(knows(&opened.index, &records), 0);
}

/// Scenario: the file is cut, overwritten, or altered anywhere.
/// Guarantees: it opens, whole or made anew, and never with a position beyond what it knows.
#[test]
fn a_corrupt_file_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("index.redb");
    let records = facts(40);
    let index = open(folder.path());
    index.merge(&records, Some(&Position::new("facts.east", 0, 40))).unwrap();
    drop(index);
    let good = std::fs::read(&file).unwrap();
    let used = good.iter().rposition(|byte| *byte != 0).unwrap();
    let mut damaged = vec![b"no database".to_vec(), Vec::new(), good[..good.len() / 2].to_vec(), good[..100].to_vec()];
    for n in 0..24 {
        let mut bytes = good.clone();
        let from = used * n / 24;
        bytes[from..from + 64].iter_mut().for_each(|byte| *byte ^= 0x5A);
        damaged.push(bytes);
    }
    let mut anew = 0;
    for bytes in damaged {
        std::fs::write(&file, bytes).unwrap();
        let opened = StoredIndex::open(folder.path(), StoredConfig::default()).unwrap();
        let positioned = !opened.index.positions().unwrap().is_empty();
        assert_eq!(knows(&opened.index, &records), if positioned { 40 } else { 0 });
        anew += usize::from(opened.rebuilt.is_some());
    }
    assert!(anew >= 4, "{anew} were made anew");
}

#[test]
fn an_entry_of_nonsense_is_told_and_the_next_start_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let records = facts(1);
    open(folder.path()).merge(&records, None).unwrap();
    {
        const STATES: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("states");
        let database = redb::Database::open(folder.path().join("index.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        let VersionRef { bucket, key, version_id } = records[0].version();
        let key = format!("{bucket}\0{key}\0{version_id}");
        transaction.open_table(STATES).unwrap().insert(key.as_bytes(), b"{".as_slice()).unwrap();
        transaction.commit().unwrap();
    }
    let index = open(folder.path());
    let error = index.version(&records[0].version()).unwrap_err();
    assert!(matches!(error, IndexError::Corrupt { .. }));
    assert!(error.to_string().contains("rebuilt at the next start"), "{error}");
    drop(index);
    let opened = StoredIndex::open(folder.path(), StoredConfig::default()).unwrap();
    assert!(matches!(opened.rebuilt, Some(Rebuilt::Corrupt(_))));
    assert!(opened.index.version(&records[0].version()).unwrap().is_empty());
}

#[test]
fn a_second_owner_is_refused_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path());
    let records = facts(2);
    index.merge(&records, None).unwrap();
    let error = StoredIndex::open(folder.path(), StoredConfig::default()).unwrap_err();
    assert!(matches!(error, IndexError::Locked { .. }));
    assert!(error.to_string().contains("in use by another process"), "{error}");
    assert_eq!(knows(&index, &records), 2);
    drop(index);
    assert_eq!(knows(&open(folder.path()), &records), 2);
}

/// Guarantees: a merge that is repeated from an earlier offset does not move the position back; setting it does.
#[test]
fn positions_go_forward_unless_they_are_set() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path());
    let memory = MemoryIndex::new();
    for index in [&index as &dyn Index, &memory] {
        index.merge(&[], Some(&Position::new("facts.east", 1, 7))).unwrap();
        index.merge(&facts(1), Some(&Position::new("facts.east", 1, 3))).unwrap();
        assert_eq!(index.positions().unwrap().into_values().collect::<Vec<_>>(), [7]);
        index.set_position(&Position::new("facts.east", 1, 2)).unwrap();
        assert_eq!(index.positions().unwrap().into_values().collect::<Vec<_>>(), [2]);
    }
}

#[test]
fn a_restart_begins_at_the_lower_offset() {
    assert_eq!(resume_at(Some(5), Some(3)), Some(3));
    assert_eq!(resume_at(Some(2), Some(3)), Some(2));
    assert_eq!(resume_at(Some(5), None), None);
    assert_eq!(resume_at(None, Some(3)), None);
}
