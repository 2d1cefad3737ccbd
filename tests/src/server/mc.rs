//! MinIO's administration client against one store: its admin API encrypts what it carries, and this is what speaks it.

use std::path::Path;

use super::{ServerError, Store, cache};

/// The alias that [`run`] gives to the store; arguments name it.
pub const ALIAS: &str = "store";

/// Runs `mc` with the store's root credentials and returns what it printed.
///
/// # Errors
/// [`ServerError::Missing`] without `mc`; [`ServerError::Refused`] with what it said where it failed.
pub async fn run(store: &Store, arguments: &[&str]) -> Result<String, ServerError> {
    let root = &store.options().root;
    let scheme = if store.trust().is_some() { "https" } else { "http" };
    let host = format!("{scheme}://{}:{}@{}", root.access_key, root.secret_key, store.address());
    let output = tokio::process::Command::new(cache::mc()?)
        .arg("--config-dir")
        .arg(store.folder().join("mc"))
        // It is no part of what is tested, and its own store's certificate is nothing that it could doubt.
        .args(["--json", "--insecure"])
        .args(arguments)
        .env(format!("MC_HOST_{ALIAS}"), host)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(ServerError::io("running mc"))?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    // The first words say what was asked; the later ones may be secrets.
    Err(ServerError::Refused { what: format!("mc {}", arguments[..arguments.len().min(3)].join(" ")), answer: said })
}

/// Writes `content` to a file of this name in the store's folder and returns its path, for arguments that are files.
pub(super) fn file(store: &Store, name: &str, content: &str) -> Result<String, ServerError> {
    let path: &Path = &store.folder().join(name);
    std::fs::write(path, content).map_err(ServerError::io(format!("writing {}", path.display())))?;
    Ok(path.display().to_string())
}
