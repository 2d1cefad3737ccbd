//! The quarantine: a bounded folder of bodies that could not be read as notices, so that none is lost.
//!
//! One file per distinct body, named by when it came and its SHA-256; a store that sends the same body again and again
//! fills nothing. Over the bound the oldest goes, and is counted.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use tokio::sync::Mutex;

/// Where the quarantine is and how much it may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineConfig {
    /// The folder; made where it is missing.
    pub dir: PathBuf,
    /// At most so many bytes of bodies.
    pub max_bytes: u64,
    /// At most so many bodies.
    pub max_files: usize,
}

impl QuarantineConfig {
    /// The default bounds: 64 MiB, 10,000 bodies.
    #[must_use]
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), max_bytes: 64 * 1024 * 1024, max_files: 10_000 }
    }
}

/// The folder with what is known of its contents.
#[derive(Debug)]
pub struct Quarantine {
    config: QuarantineConfig,
    /// Sizes by file name, oldest first; read from the folder at the first use.
    held: Mutex<Option<BTreeMap<String, u64>>>,
}

impl Quarantine {
    /// A quarantine in this folder, which is only touched once something has to be kept.
    #[must_use]
    pub fn new(config: QuarantineConfig) -> Self {
        Self { config, held: Mutex::new(None) }
    }

    /// Keeps a body; returns how many older ones had to go. An error means that it is not kept.
    pub async fn keep(&self, body: &[u8], digest: &str, received_at_us: i64) -> io::Result<usize> {
        let mut held = self.held.lock().await;
        if held.is_none() {
            *held = Some(self.list().await?);
        }
        let Some(held) = held.as_mut() else { return Ok(0) };
        if held.keys().any(|name| name.contains(digest)) {
            return Ok(0);
        }
        let name = format!("{received_at_us:020}-{digest}.body");
        let unfinished = self.config.dir.join(format!("{digest}.part"));
        tokio::fs::write(&unfinished, body).await?;
        tokio::fs::rename(&unfinished, self.config.dir.join(&name)).await?;
        held.insert(name, body.len() as u64);
        self.shed(held).await
    }

    async fn shed(&self, held: &mut BTreeMap<String, u64>) -> io::Result<usize> {
        let mut dropped = 0;
        while held.len() > 1
            && (held.len() > self.config.max_files || held.values().sum::<u64>() > self.config.max_bytes)
        {
            let Some((oldest, _)) = held.pop_first() else { break };
            match tokio::fs::remove_file(self.config.dir.join(&oldest)).await {
                // A person has taken it away already.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => outcome?,
            }
            dropped += 1;
        }
        Ok(dropped)
    }

    async fn list(&self) -> io::Result<BTreeMap<String, u64>> {
        tokio::fs::create_dir_all(&self.config.dir).await?;
        let mut entries = tokio::fs::read_dir(&self.config.dir).await?;
        let mut held = BTreeMap::new();
        while let Some(entry) = entries.next_entry().await? {
            if let Ok(name) = entry.file_name().into_string()
                && name.ends_with(".body")
            {
                held.insert(name, entry.metadata().await?.len());
            }
        }
        Ok(held)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn names(dir: &std::path::Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn the_oldest_goes_and_a_repetition_takes_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let config = QuarantineConfig { dir: dir.path().join("q"), max_bytes: 10, max_files: 3 };
        let quarantine = Quarantine::new(config.clone());
        assert_eq!(quarantine.keep(b"aaaa", "d1", 1).await.unwrap(), 0);
        assert_eq!(quarantine.keep(b"aaaa", "d1", 2).await.unwrap(), 0);
        assert_eq!(quarantine.keep(b"bbbb", "d2", 3).await.unwrap(), 0);
        assert_eq!(names(&config.dir).len(), 2);
        let again = Quarantine::new(config.clone());
        assert_eq!(again.keep(b"cccc", "d3", 4).await.unwrap(), 1, "a new process knows what is there");
        let left = names(&config.dir);
        assert!(left[0].ends_with("d2.body") && left[1].ends_with("d3.body"), "{left:?}");
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let quarantine = Quarantine::new(QuarantineConfig::in_dir(file.path().join("below")));
        assert!(quarantine.keep(b"a", "d", 1).await.is_err());
    }
}
