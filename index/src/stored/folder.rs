//! The folder of a stored index: locked by one process, made anew when it is of no use.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use redb::{Database, TableError};

use super::tables::{FORMAT, FORMAT_KEY, META, POSITIONS, STATES};
use crate::error::IndexError;

const LOCK: &str = "lock";
const DATABASE: &str = "index.redb";
/// Left behind by a process that read nonsense; the next one makes the index anew.
const MARK: &str = "corrupt";

/// Why an index was made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebuilt {
    /// There was none.
    Missing,
    /// It was of another release's format.
    Format,
    /// It was corrupt; what was found.
    Corrupt(String),
}

impl fmt::Display for Rebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there was none"),
            Self::Format => f.write_str("another release wrote it"),
            Self::Corrupt(found) => write!(f, "it was corrupt: {found}"),
        }
    }
}

/// A folder that this process has locked.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Holds the lock while it is open; the system lets it go with the process, however that ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is missing and locks it; never waits.
    pub(super) fn lock(path: PathBuf) -> Result<Self, IndexError> {
        let unusable = |source| IndexError::Folder { path: path.clone(), source };
        std::fs::create_dir_all(&path).map_err(unusable)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(IndexError::Locked { path }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the database, or makes a new one and says why.
    pub(super) fn open(&self, cache_bytes: usize) -> Result<(Database, Option<Rebuilt>), IndexError> {
        let reason = match self.reuse(cache_bytes)? {
            Ok(database) => return Ok((database, None)),
            Err(reason) => reason,
        };
        for file in [DATABASE, MARK] {
            self.remove(file)?;
        }
        match open(&self.file(DATABASE), cache_bytes).and_then(begin) {
            Ok(database) => Ok((database, Some(reason))),
            Err(error) => Err(IndexError::Store(error.to_string())),
        }
    }

    /// The database as it is, or why it is of no use; an error if the fault is not the file's.
    fn reuse(&self, cache_bytes: usize) -> Result<Result<Database, Rebuilt>, IndexError> {
        let file = self.file(DATABASE);
        if self.exists(MARK)? {
            return Ok(Err(Rebuilt::Corrupt("an entry was not readable when it was last used".into())));
        }
        if !self.exists(DATABASE)? {
            return Ok(Err(Rebuilt::Missing));
        }
        match open(&file, cache_bytes).and_then(|database| Ok((format(&database)?, database))) {
            Ok((Some(FORMAT), database)) => Ok(Ok(database)),
            Ok(_) => Ok(Err(Rebuilt::Format)),
            Err(error) if of_the_file(&error) => Ok(Err(Rebuilt::Corrupt(error.to_string()))),
            Err(error) => Err(IndexError::Store(error.to_string())),
        }
    }

    /// An error of the running store; one that shows corruption leaves the mark.
    pub(super) fn failed(&self, error: redb::Error) -> IndexError {
        match error {
            redb::Error::Corrupted(reason) => self.corrupt(reason),
            error => IndexError::Store(error.to_string()),
        }
    }

    /// Leaves the mark that has the next start make the index anew.
    pub(super) fn corrupt(&self, reason: String) -> IndexError {
        if let Err(error) = std::fs::write(self.file(MARK), &reason) {
            tracing::warn!(%error, "the corrupt index could not be marked: delete its folder");
        }
        IndexError::Corrupt { path: self.path.clone(), reason }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn exists(&self, name: &str) -> Result<bool, IndexError> {
        self.file(name).try_exists().map_err(|source| IndexError::Folder { path: self.path.clone(), source })
    }

    fn remove(&self, name: &str) -> Result<(), IndexError> {
        match std::fs::remove_file(self.file(name)) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(IndexError::Folder { path: self.path.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

/// Opens the file with every page's checksum verified: without, the library may panic on an altered page later.
fn open(file: &Path, cache_bytes: usize) -> Result<Database, redb::Error> {
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes).set_check_integrity_on_open(true);
    builder.create(file).map_err(redb::Error::from)
}

/// Makes the tables of a new file.
fn begin(database: Database) -> Result<Database, redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(STATES)?;
    transaction.open_table(POSITIONS)?;
    transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    transaction.commit()?;
    Ok(database)
}

/// The format of a file; `None` if it does not say.
fn format(database: &Database) -> Result<Option<u32>, redb::Error> {
    use redb::ReadableDatabase;
    let transaction = database.begin_read()?;
    match transaction.open_table(META) {
        Ok(table) => Ok(table.get(FORMAT_KEY)?.map(|format| format.value())),
        Err(TableError::TableDoesNotExist(_) | TableError::TableTypeMismatch { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether an error says that the file is of no use, and not that the disk is full or access denied.
fn of_the_file(error: &redb::Error) -> bool {
    match error {
        redb::Error::Corrupted(_) | redb::Error::UpgradeRequired(_) | redb::Error::RepairAborted => true,
        redb::Error::Io(error) => matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
        _ => false,
    }
}
