//! An index on disk: one redb file in a folder of its own, with bounded memory.
//!
//! It is a cache of the facts and receipts topics. What is merged is visible at once, in memory (`young`), because a
//! write to the file costs as much for many records as for one; it goes to the file when `YOUNG` entries are together,
//! and is durable at the next checkpoint, every [`StoredConfig::checkpoint_every`] calls and when the index is dropped.
//! A process that is killed in between finds the state of the last checkpoint, positions included, and reads on from
//! there. A folder that is missing, corrupt or of another format is made anew, with no positions.

mod folder;
mod tables;
mod young;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

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
use young::Young;

/// Entries that wait in memory for the file, at most: about a megabyte.
const YOUNG: usize = 1024;

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
        Self { cache_bytes: 8 * 1024 * 1024, checkpoint_every: 1000 }
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
    /// Held by whoever merges, sets, expires or writes the file: one at a time.
    writer: Mutex<Writer>,
    /// Changed by the writer alone, and only for a moment, so that reads do not wait for the file.
    young: RwLock<Young>,
    checkpoint_every: u32,
    /// Last, so that the lock is let go after the database is closed.
    folder: Folder,
}

/// What only the writer needs.
#[derive(Debug, Default)]
struct Writer {
    /// Writing calls since the last checkpoint.
    unsaved: u32,
    /// Where the next step of expiry goes on: after this key.
    expired_to: Option<Vec<u8>>,
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
            writer: Mutex::default(),
            young: RwLock::default(),
            checkpoint_every: config.checkpoint_every,
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
        self.save(&mut self.writer(), Durability::Immediate)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn young(&self) -> RwLockReadGuard<'_, Young> {
        self.young.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is in memory; by the writer alone.
    fn renew(&self, _writer: &mut Writer, change: impl FnOnce(&mut Young)) {
        change(&mut self.young.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts a call that changed something, and writes the file where it is time. After an error everything is still
    /// in memory: the next call tries again.
    fn changed(&self, writer: &mut Writer) -> Result<(), IndexError> {
        writer.unsaved = writer.unsaved.saturating_add(1);
        if writer.unsaved >= self.checkpoint_every {
            return self.save(writer, Durability::Immediate);
        }
        if self.young().len() >= YOUNG { self.save(writer, Durability::None) } else { Ok(()) }
    }

    /// Writes what is in memory to the file, all of it or nothing.
    fn save(&self, writer: &mut Writer, durability: Durability) -> Result<(), IndexError> {
        let mut transaction = self.database.begin_write().map_err(|error| self.store(error))?;
        transaction.set_durability(durability).map_err(|error| self.store(error))?;
        let young = self.young();
        if !young.is_empty() {
            self.write(&transaction, &young)?;
        }
        transaction.commit().map_err(|error| self.store(error))?;
        drop(young);
        self.renew(writer, |young| *young = Young::default());
        if matches!(durability, Durability::Immediate) {
            writer.unsaved = 0;
        }
        Ok(())
    }

    fn write(&self, transaction: &WriteTransaction, young: &Young) -> Result<(), IndexError> {
        let mut states = transaction.open_table(STATES).map_err(|error| self.store(error))?;
        for (key, state) in &young.states {
            let bytes = serde_json::to_vec(state).map_err(|error| IndexError::Store(error.to_string()))?;
            states.insert(key.as_slice(), bytes.as_slice()).map_err(|error| self.store(error))?;
        }
        let mut positions = transaction.open_table(POSITIONS).map_err(|error| self.store(error))?;
        for (partition, next) in &young.positions {
            let key = (partition.topic.as_str(), partition.partition);
            positions.insert(key, next).map_err(|error| self.store(error))?;
        }
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<VersionState, IndexError> {
        serde_json::from_slice(bytes).map_err(|error| self.folder.corrupt(format!("an entry is not readable: {error}")))
    }

    fn store(&self, error: impl Into<redb::Error>) -> IndexError {
        self.folder.failed(error.into())
    }

    /// What is known of the version of this key.
    fn state(&self, key: &[u8]) -> Result<VersionState, IndexError> {
        if let Some(state) = self.young().states.get(key) {
            return Ok(state.clone());
        }
        // What leaves the memory is in the file already.
        let transaction = self.database.begin_read().map_err(|error| self.store(error))?;
        let table = transaction.open_table(STATES).map_err(|error| self.store(error))?;
        match table.get(key).map_err(|error| self.store(error))? {
            Some(bytes) => self.decode(bytes.value()),
            None => Ok(VersionState::default()),
        }
    }

    /// The next offset of a partition.
    fn next(&self, partition: &Partition) -> Result<Option<i64>, IndexError> {
        if let Some(next) = self.young().positions.get(partition) {
            return Ok(Some(*next));
        }
        let transaction = self.database.begin_read().map_err(|error| self.store(error))?;
        let table = transaction.open_table(POSITIONS).map_err(|error| self.store(error))?;
        let key = (partition.topic.as_str(), partition.partition);
        Ok(table.get(key).map_err(|error| self.store(error))?.map(|next| next.value()))
    }

    /// The states that the records make, where they say anything new.
    fn news(&self, records: &[Merge]) -> Result<BTreeMap<Vec<u8>, VersionState>, IndexError> {
        let mut by_version: BTreeMap<Vec<u8>, Vec<&Merge>> = BTreeMap::new();
        for record in records {
            by_version.entry(key::of(&record.version())).or_default().push(record);
        }
        let mut news = BTreeMap::new();
        for (key, records) in by_version {
            let held = self.state(&key)?;
            let mut state = held.clone();
            for record in records {
                record.into_state(&mut state);
            }
            if state != held {
                news.insert(key, state);
            }
        }
        Ok(news)
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
        let mut writer = self.writer();
        let mut news = self.news(records)?;
        let moved = match position {
            Some(position) if self.next(&position.partition)?.is_none_or(|held| position.next > held) => Some(position),
            _ => None,
        };
        if news.is_empty() && moved.is_none() {
            return Ok(());
        }
        self.renew(&mut writer, |young| {
            young.states.append(&mut news);
            moved.into_iter().for_each(|position| young.place(position));
        });
        self.changed(&mut writer)
    }

    fn version(&self, version: &VersionRef) -> Result<VersionState, IndexError> {
        self.state(&key::of(version))
    }

    fn versions_of(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<BTreeMap<VersionId, VersionState>, IndexError> {
        let prefix = key::prefix(bucket, key);
        // Held to the end: nothing leaves the memory while the file is read.
        let young = self.young();
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
        let of_key = young.range(&prefix).filter_map(|(key, state)| Some((key::version_id(key, &prefix)?, state)));
        versions.extend(of_key.map(|(id, state)| (id, state.clone())));
        Ok(versions)
    }

    fn positions(&self) -> Result<BTreeMap<Partition, i64>, IndexError> {
        let young = self.young();
        let transaction = self.database.begin_read().map_err(|error| self.store(error))?;
        let table = transaction.open_table(POSITIONS).map_err(|error| self.store(error))?;
        let mut positions = BTreeMap::new();
        for entry in table.iter().map_err(|error| self.store(error))? {
            let (key, next) = entry.map_err(|error| self.store(error))?;
            let (topic, partition) = key.value();
            positions.insert(Partition { topic: topic.to_owned(), partition }, next.value());
        }
        positions.extend(young.positions.iter().map(|(partition, next)| (partition.clone(), *next)));
        Ok(positions)
    }

    fn set_position(&self, position: &Position) -> Result<(), IndexError> {
        let mut writer = self.writer();
        if self.next(&position.partition)? == Some(position.next) {
            return Ok(());
        }
        self.renew(&mut writer, |young| young.place(position));
        self.changed(&mut writer)
    }

    fn expire(&self, before_ns: i64, limit: usize) -> Result<Expired, IndexError> {
        let limit = limit.max(1);
        let mut writer = self.writer();
        self.save(&mut writer, Durability::None)?;
        let mut transaction = self.database.begin_write().map_err(|error| self.store(error))?;
        transaction.set_durability(Durability::None).map_err(|error| self.store(error))?;
        let mut step = {
            let mut table = transaction.open_table(STATES).map_err(|error| self.store(error))?;
            let step = self.step(&table, writer.expired_to.as_deref(), before_ns, limit)?;
            for (key, _) in step.iter().filter(|(_, old)| *old) {
                table.remove(key.as_slice()).map_err(|error| self.store(error))?;
            }
            step
        };
        transaction.commit().map_err(|error| self.store(error))?;
        let dropped = step.iter().filter(|(_, old)| *old).count();
        let (looked_at, round_done) = (step.len(), step.len() < limit);
        writer.expired_to = if round_done { None } else { step.pop().map(|(key, _)| key) };
        if dropped > 0 {
            self.changed(&mut writer)?;
        }
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
