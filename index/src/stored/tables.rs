//! The tables of the file.

use redb::{ReadableTable, TableDefinition};

/// The states as JSON, by the bytes of [`crate::key`].
pub(super) const STATES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("states");

/// The next offset by topic and partition.
pub(super) const POSITIONS: TableDefinition<'_, (&str, i32), i64> = TableDefinition::new("positions");

/// What the file is of, under [`FORMAT_KEY`].
pub(super) const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
pub(super) const FORMAT_KEY: &str = "format";

/// The format of keys and values. Another one in the file means that it is made anew: raise it with every change that
/// older or newer code would misread.
pub(super) const FORMAT: u32 = 1;

/// [`STATES`], opened for reading or writing.
pub(super) trait VersionTable: ReadableTable<&'static [u8], &'static [u8]> {}
impl<T: ReadableTable<&'static [u8], &'static [u8]>> VersionTable for T {}
