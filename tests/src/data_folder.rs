//! Where the servers that tests start keep their data: in memory where the machine has plenty, since a run writes
//! gigabytes that nobody looks at afterwards, and would wait for the disk.
//!
//! The folder is removed when the process ends, however it ends, by a process that waits for just that.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::lab_error::LabError;

/// A file system in memory, where Linux has one for everybody.
const IN_MEMORY: &str = "/dev/shm";
/// What must be free of memory, in bytes, before a run may put its data there: it takes less than half of that.
const PLENTY: u64 = 16 << 30;
/// Names the folder to use instead, for instance to look at the data of a run on a disk.
const INSTEAD: &str = "TWINLOG_TEST_DATA";

/// A folder that ends with this process.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Its input closes with this process.
    _remover: Child,
}

impl DataFolder {
    /// Makes it, and removes those of processes that are gone.
    ///
    /// # Errors
    /// Where it cannot be made, or nobody can be told to remove it.
    pub fn make(name: &str) -> Result<Self, LabError> {
        let path = fresh(&root(), name)?;
        let remover = remover(&path).map_err(LabError::io("starting what removes the data in the end"))?;
        Ok(Self { path, _remover: remover })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn root() -> PathBuf {
    if let Some(instead) = std::env::var_os(INSTEAD) {
        return instead.into();
    }
    let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let room = rustix::fs::statvfs(IN_MEMORY).map_or(0, |of| of.f_bavail.saturating_mul(of.f_frsize));
    if memory.is_some_and(|memory| memory.min(room) >= PLENTY) { IN_MEMORY.into() } else { std::env::temp_dir() }
}

/// The bytes that processes may still have, of `/proc/meminfo`.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// A folder of this process's own in `root`; those of processes that are gone are removed.
///
/// # Errors
/// Where it cannot be made.
pub fn fresh(root: &Path, name: &str) -> Result<PathBuf, LabError> {
    let root = root.join(name);
    fs::create_dir_all(&root).map_err(LabError::io(format!("making {}", root.display())))?;
    for old in
        fs::read_dir(&root).map_err(LabError::io(format!("looking for old folders in {}", root.display())))?.flatten()
    {
        let gone = !Path::new("/proc").join(old.file_name()).exists();
        if gone {
            // Another process may be removing it too.
            let _removed = fs::remove_dir_all(old.path());
        }
    }
    let folder = root.join(std::process::id().to_string());
    fs::create_dir_all(&folder).map_err(LabError::io(format!("making {}", folder.display())))?;
    Ok(folder)
}

/// A shell that removes the folder once its input ends. It is in a group of its own: what interrupts a terminal's
/// processes must not keep it from its work.
fn remover(folder: &Path) -> io::Result<Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"cat; exec rm -rf -- "$1""#, "sh"]).arg(folder).process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_is_available_is_read_from_the_system() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   16777216 kB\n"), Some(16 << 30));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
    }

    #[test]
    fn the_folder_goes_when_nobody_holds_it() {
        let root = tempfile::tempdir().unwrap();
        let path = fresh(root.path(), "data").unwrap();
        fs::write(path.join("file"), "some").unwrap();
        let mut remover = remover(&path).unwrap();
        assert!(path.join("file").exists());
        drop(remover.stdin.take());
        assert!(remover.wait().unwrap().success());
        assert!(!path.exists());
    }

    #[test]
    fn folders_of_processes_that_are_gone_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let gone = root.path().join("data").join(u32::MAX.to_string());
        fs::create_dir_all(&gone).unwrap();
        let mine = fresh(root.path(), "data").unwrap();
        assert!(mine.exists() && !gone.exists());
    }
}
