//! The folder of a session: made by `up`, and removed whole. So nothing that somebody else put there may be in it.

use std::{fs, io, path::Path};

/// Says that everything beside it is a session's.
const MARK: &str = "made-by-up";

/// Makes the folder, unless there is something in it already.
///
/// # Errors
/// [`io::ErrorKind::DirectoryNotEmpty`] where there is, and what the system refuses.
pub fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if fs::read_dir(folder)?.next().is_some() {
        return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, "there is something in it already"));
    }
    fs::write(folder.join(MARK), "")
}

/// Removes the folder with everything in it, if a session made it; does nothing where there is none.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] where no session made it, and what the system refuses.
pub fn sweep(folder: &Path) -> io::Result<()> {
    if folder.join(MARK).exists() {
        fs::remove_dir_all(folder)
    } else if !folder.exists() || fs::read_dir(folder)?.next().is_none() {
        Ok(())
    } else {
        let why = "it was not made by ./justw up, and is left as it is";
        Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn only_what_a_session_made_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let (ours, theirs) = (home.path().join("ours"), home.path().join("theirs"));
        sweep(&ours).unwrap();
        make(&ours).unwrap();
        fs::write(ours.join("env"), "").unwrap();
        sweep(&ours).unwrap();
        assert!(!ours.exists());

        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("env"), "THEIRS=1").unwrap();
        assert_eq!(make(&theirs).unwrap_err().kind(), io::ErrorKind::DirectoryNotEmpty);
        assert_eq!(sweep(&theirs).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(theirs.join("env").exists());
    }
}
