//! An index on disk: one redb file in a folder of its own, with bounded memory.
//!
//! It is a cache of the facts and receipts topics. What is merged is visible at once and durable at the next
//! checkpoint, every [`StoredConfig::checkpoint_every`] calls and when the index is dropped; a process that is killed
//! in between finds the state of the last checkpoint, positions included, and reads on from there. A folder that is
//! missing, corrupt or of another format is made anew, with no positions.

mod folder;
mod tables;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, WriteTransaction};
use twinlog_schemas::{BucketName, ObjectKey, VersionId, VersionRef};

use crate::error::IndexError;
use crate::index::{Expired, Index, Merge};
use crate::key;
use crate::position::{Partition, Position};
use crate::state::VersionState;
use folder::Folder;
pub use folder::Rebuilt;
use tables::{POSITIONS, STATES, VersionTable};

/// The bounds of a stored index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredConfig {
    /// The most memory, in bytes, that pages read and written may take. Nothing else grows with the index.
    pub cache_bytes: usize,
    /// How many writing calls are made durable together: each such checkpoint costs an fsync, and a process that is
    /// killed reads at most so many calls' records again.
    pub checkpoint_every: u32,
}

impl Default for StoredConfig {
    fn default() -> Self {
        Self { cache_bytes: 32 * 1024 * 1024, checkpoint_every: 1000 }
    }
}

/// An index that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The index, ready.
    pub index: StoredIndex,
    /// Why it had to be made anew, if it was: it is empty then and everything is to be read again.
    pub rebuilt: Option<Rebuilt>,
}

/// An index in a folder, which it keeps locked while it lives.
#[derive(Debug)]
pub struct StoredIndex {
    database: Database,
    /// Writing calls since the last checkpoint.
    unsaved: AtomicU32,
    checkpoint_every: u32,
    /// Where the next step of expiry goes on: after this key.
    expired_to: Mutex<Option<Vec<u8>>>,
    /// Last, so that the lock is let go after the database is closed.
    folder: Folder,
}

impl StoredIndex {
    /// Opens the index in a folder, which is made if it is missing; its content is made anew if it is of no use.
    /// Another process (or another index of this one) that has it open is an error, never a reason to rebuild.
    pub fn open(path: impl Into<PathBuf>, config: StoredConfig) -> Result<Opened, IndexError> {
        let folder = Folder::lock(path.into())?;
        let (database, rebuilt) = folder.open(config.cache_bytes)?;
        if let Some(reason) = &rebuilt {
            tracing::info!(folder = %folder.path().display(), %reason, "the index is built anew from the log");
        }
        let index = Self {
            database,
            unsaved: AtomicU32::new(0),
            checkpoint_every: config.checkpoint_every,
            expired_to: Mutex::new(None),
            folder,
        };
        Ok(Opened { index, rebuilt })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes everything merged so far durable; costs an fsync.
    pub fn checkpoint(&self) -> Result<(), IndexError> {
        let transaction = self.database.begin_write().map_err(|error| self.store(error))?;
        transaction.commit().map_err(|error| self.store(error))?;
        self.unsaved.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// One writing call: all of it, or nothing. `work` says whether there is anything to keep.
    fn write(&self, work: impl FnOnce(&WriteTransaction) -> Result<bool, IndexError>) -> Result<(), IndexError> {
        let mut transaction = self.database.begin_write().map_err(|error| self.store(error))?;
        let due = self.unsaved.load(Ordering::Relaxed).saturating_add(1) >= self.checkpoint_every;
        if !due {
            transaction.set_durability(Durability::None).map_err(|error| self.store(error))?;
        }
        if !work(&transaction)? {
            return transaction.abort().map_err(|error| self.store(error));
        }
        transaction.commit().map_err(|error| self.store(error))?;
        // Writing calls stand in line inside `begin_write`; the next may be in it already, so this is only about right.
        if due {
            self.unsaved.store(0, Ordering::Relaxed);
        } else {
            self.unsaved.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<VersionState, IndexError> {
        serde_json::from_slice(bytes).map_err(|error| self.folder.corrupt(format!("an entry is not readable: {error}")))
    }

    fn store(&self, error: impl Into<redb::Error>) -> IndexError {
        self.folder.failed(error.into())
    }

    fn stored(&self, table: &impl VersionTable, key: &[u8]) -> Result<VersionState, IndexError> {
        match table.get(key).map_err(|error| self.store(error))? {
            Some(bytes) => self.decode(bytes.value()),
            None => Ok(VersionState::default()),
        }
    }

    /// Merges into the table; whether that changed anything.
    fn merge_states(&self, transaction: &WriteTransaction, records: &[Merge]) -> Result<bool, IndexError> {
        let mut table = transaction.open_table(STATES).map_err(|error| self.store(error))?;
        let mut by_version: BTreeMap<Vec<u8>, Vec<&Merge>> = BTreeMap::new();
        for record in records {
            by_version.entry(key::of(&record.version())).or_default().push(record);
        }
        let mut changed = false;
        for (key, records) in by_version {
            let held = self.stored(&table, &key)?;
            let mut state = held.clone();
            for record in records {
                record.into_state(&mut state);
            }
            if state != held {
                let bytes = serde_json::to_vec(&state).map_err(|error| IndexError::Store(error.to_string()))?;
                table.insert(key.as_slice(), bytes.as_slice()).map_err(|error| self.store(error))?;
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Sets a partition's position if `moves` says so of the one held; whether it did.
    fn place(
        &self,
        transaction: &WriteTransaction,
        position: &Position,
        moves: impl FnOnce(i64) -> bool,
    ) -> Result<bool, IndexError> {
        let mut table = transaction.open_table(POSITIONS).map_err(|error| self.store(error))?;
        let key = (position.partition.topic.as_str(), position.partition.partition);
        let held = table.get(key).map_err(|error| self.store(error))?.map(|held| held.value());
        let placed = held.is_none_or(moves);
        if placed {
            table.insert(key, position.next).map_err(|error| self.store(error))?;
        }
        Ok(placed)
    }

    /// The keys of one step of expiry after `from`, each with whether it is to go.
    fn step(
        &self,
        table: &impl VersionTable,
        from: Option<&[u8]>,
        before_ns: i64,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, bool)>, IndexError> {
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        let range = table.range::<&[u8]>((from, Bound::Unbounded)).map_err(|error| self.store(error))?;
        let mut step = Vec::new();
        for entry in range.take(limit) {
            let (key, bytes) = entry.map_err(|error| self.store(error))?;
            let old = self.decode(bytes.value())?.last_said_at_ns().is_none_or(|at| at < before_ns);
            step.push((key.value().to_vec(), old));
        }
        Ok(step)
    }
}

impl Index for StoredIndex {
    fn merge(&self, records: &[Merge], position: Option<&Position>) -> Result<(), IndexError> {
        if records.is_empty() && position.is_none() {
            return Ok(());
        }
        self.write(|transaction| {
            let merged = self.merge_states(transaction, records)?;
            let moved = match position {
                Some(position) => self.place(transaction, position, |held| position.next > held)?,
                None => false,
            };
            Ok(merged || moved)
        })
    }

    fn version(&self, version: &VersionRef) -> Result<VersionState, IndexError> {
        let transaction = self.database.begin_read().map_err(|error| self.store(error))?;
        let table = transaction.open_table(STATES).map_err(|error| self.store(error))?;
        self.stored(&table, &key::of(version))
    }

    fn versions_of(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<BTreeMap<VersionId, VersionState>, IndexError> {
        let prefix = key::prefix(bucket, key);
        let transaction = self.database.begin_read().map_err(|error| self.store(error))?;
        let table = transaction.open_table(STATES).map_err(|error| self.store(error))?;
        let mut versions = BTreeMap::new();
        for entry in table.range(prefix.as_slice()..).map_err(|error| self.store(error))? {
            let (key, bytes) = entry.map_err(|error| self.store(error))?;
            if !key.value().starts_with(&prefix) {
                break;
            }
            if let Some(id) = key::version_id(key.value(), &prefix) {
                versions.insert(id, self.decode(bytes.value())?);
            }
        }
        Ok(versions)
    }

    fn positions(&self) -> Result<BTreeMap<Partition, i64>, IndexError> {
        let transaction = self.database.begin_read().map_err(|error| self.store(error))?;
        let table = transaction.open_table(POSITIONS).map_err(|error| self.store(error))?;
        let mut positions = BTreeMap::new();
        for entry in table.iter().map_err(|error| self.store(error))? {
            let (key, next) = entry.map_err(|error| self.store(error))?;
            let (topic, partition) = key.value();
            positions.insert(Partition { topic: topic.to_owned(), partition }, next.value());
        }
        Ok(positions)
    }

    fn set_position(&self, position: &Position) -> Result<(), IndexError> {
        self.write(|transaction| self.place(transaction, position, |held| position.next != held))
    }

    fn expire(&self, before_ns: i64, limit: usize) -> Result<Expired, IndexError> {
        let limit = limit.max(1);
        let mut expired_to = self.expired_to.lock().unwrap_or_else(PoisonError::into_inner);
        let mut step = Vec::new();
        self.write(|transaction| {
            let mut table = transaction.open_table(STATES).map_err(|error| self.store(error))?;
            step = self.step(&table, expired_to.as_deref(), before_ns, limit)?;
            for (key, _) in step.iter().filter(|(_, old)| *old) {
                table.remove(key.as_slice()).map_err(|error| self.store(error))?;
            }
            Ok(step.iter().any(|(_, old)| *old))
        })?;
        let round_done = step.len() < limit;
        let dropped = step.iter().filter(|(_, old)| *old).count();
        let looked_at = step.len();
        *expired_to = if round_done { None } else { step.pop().map(|(key, _)| key) };
        Ok(Expired { looked_at, dropped, round_done })
    }
}

impl Drop for StoredIndex {
    fn drop(&mut self) {
        if let Err(error) = self.checkpoint() {
            tracing::warn!(%error, "the index could not be saved; its newest part is read again from the log");
        }
    }
}
