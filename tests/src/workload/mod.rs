//! A client that writes at random: what an application does to a bucket, drawn from a seed.
//!
//! The same seed draws the same operations in the same order. What comes of them depends on the store (version ids,
//! times), so two runs are alike, not equal.

mod body;
mod ledger;
mod mix;
mod request;

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use rand::{Rng, SeedableRng, rngs::SmallRng};

pub use body::body;
pub use ledger::{Ledger, Unaccounted};
pub use mix::{Mix, Operation};

use crate::refused::Refused;

/// A version that the writer made, and may remove or change later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The key.
    pub key: String,
    /// The version id.
    pub id: String,
    /// Whether it is an object, and not a marker.
    pub object: bool,
    /// Whether a legal hold forbids its removal.
    pub held: bool,
}

/// One client at one site.
pub struct Writer {
    client: Client,
    bucket: String,
    keys: Vec<String>,
    mix: Mix,
    rng: SmallRng,
    /// Versions that are still there as far as this writer knows; another writer may have removed them.
    known: Vec<Known>,
    ledger: Ledger,
    done: BTreeMap<Operation, u64>,
    /// Changes of versions by this writer that a replica has to follow.
    changes: u64,
}

impl Writer {
    /// A writer to `keys` of a bucket. The mix decides whether the bucket needs object lock.
    #[must_use]
    pub fn new(client: Client, bucket: impl Into<String>, keys: Vec<String>, mix: Mix, seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        let (known, ledger, done) = (Vec::new(), Ledger::default(), BTreeMap::new());
        Self { client, bucket: bucket.into(), keys, mix, rng, known, ledger, done, changes: 0 }
    }

    /// Keys `<prefix>0` to `<prefix>(count - 1)`.
    #[must_use]
    pub fn keys(prefix: &str, count: usize) -> Vec<String> {
        (0..count).map(|number| format!("{prefix}{number}")).collect()
    }

    /// Does one operation and says which.
    ///
    /// # Errors
    /// What the store refused; the writer can go on.
    pub async fn step(&mut self) -> Result<Operation, Refused> {
        let mut operation = self.mix.draw(&mut self.rng);
        if operation.needs_a_version() && self.known.is_empty() {
            operation = Operation::PutSmall;
        }
        let changes = self.perform(operation).await?;
        self.changes += changes;
        *self.done.entry(operation).or_default() += 1;
        Ok(operation)
    }

    /// How often each operation succeeded.
    #[must_use]
    pub fn done(&self) -> &BTreeMap<Operation, u64> {
        &self.done
    }

    /// How many versions were made, changed or removed so far.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Which versions it made and removed, as its store acknowledged.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn a_key(&mut self) -> String {
        let number = self.rng.random_range(0..self.keys.len().max(1));
        self.keys.get(number).cloned().unwrap_or_else(|| "key".to_owned())
    }

    /// A version that is known, which is forgotten if it will be gone.
    fn a_version(&mut self, take: bool, fits: impl Fn(&Known) -> bool) -> Option<Known> {
        let fitting: Vec<usize> = (0..self.known.len()).filter(|at| fits(&self.known[*at])).collect();
        let chosen = *fitting.get(self.rng.random_range(0..fitting.len().max(1)))?;
        if take { Some(self.known.swap_remove(chosen)) } else { self.known.get(chosen).cloned() }
    }

    fn learn(&mut self, key: &str, id: Option<&str>, object: bool, held: bool) {
        if let Some(id) = id {
            self.ledger.made(key, id, !object);
            self.known.push(Known { key: key.to_owned(), id: id.to_owned(), object, held });
        }
    }
}
