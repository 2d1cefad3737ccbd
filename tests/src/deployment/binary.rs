//! Where the `twinlog` binary is.

use std::path::PathBuf;

use crate::lab_error::LabError;

/// The binary of the same build: beside this program, or, for a test, one folder up.
///
/// # Errors
/// [`LabError::NoBinary`] where it was not built.
pub fn twinlog() -> Result<PathBuf, LabError> {
    let this = std::env::current_exe().map_err(LabError::io("finding this program"))?;
    let beside = this.with_file_name("twinlog");
    let above = this.parent().and_then(|folder| folder.parent()).map(|folder| folder.join("twinlog"));
    match [Some(beside.clone()), above].into_iter().flatten().find(|file| file.is_file()) {
        Some(file) => Ok(file),
        None => Err(LabError::NoBinary(beside)),
    }
}
