//! Where the programs under test are. The scripts in `infra/tools/` put them there; the names and versions stand there
//! and here, and a test compares the two.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::ServerError;

/// The folder of Kafka's jars, inside the cache.
pub const KAFKA: &str = "kafka-4.1.0/libs";
/// The MinIO server, inside the cache.
pub const MINIO: &str = "minio-v0.0.0-20260212201848-7aac2a2c5b7c/minio";
/// MinIO's administration client, inside the cache.
pub const MC: &str = "mc-v0.0.0-20250313080218-cf909e1063a9/mc";
/// Prometheus' Alertmanager, inside the cache.
pub const ALERTMANAGER: &str = "alertmanager-v0.28.1/alertmanager";
/// The RustFS server, inside the cache.
pub const RUSTFS: &str = "rustfs-1.0.1/rustfs";

/// Kafka's jars as a Java class path.
///
/// # Errors
/// [`ServerError::Missing`] where they are not in the cache.
pub fn kafka_class_path() -> Result<String, ServerError> {
    cached("Kafka", KAFKA).map(|libs| format!("{}/*", libs.display()))
}

/// The MinIO server.
///
/// # Errors
/// [`ServerError::Missing`] where it is not in the cache.
pub fn minio() -> Result<PathBuf, ServerError> {
    cached("MinIO", MINIO)
}

/// MinIO's administration client.
///
/// # Errors
/// [`ServerError::Missing`] where it is not in the cache.
pub fn mc() -> Result<PathBuf, ServerError> {
    cached("mc", MC)
}

/// Prometheus' Alertmanager.
///
/// # Errors
/// [`ServerError::Missing`] where it is not in the cache.
pub fn alertmanager() -> Result<PathBuf, ServerError> {
    cached("Alertmanager", ALERTMANAGER)
}

/// The RustFS server: `TWINLOG_RUSTFS`, else `rustfs` on `PATH`, else the cache.
///
/// # Errors
/// [`ServerError::Missing`] where it is in none of them, or `TWINLOG_RUSTFS` names nothing.
pub fn rustfs() -> Result<PathBuf, ServerError> {
    let how = "set TWINLOG_RUSTFS or run ./justw rustfs";
    if let Some(named) = std::env::var_os("TWINLOG_RUSTFS").filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        if is_program(&named) {
            return Ok(named);
        }
        return Err(ServerError::Missing {
            what: format!("RustFS at {}, where TWINLOG_RUSTFS points,", named.display()),
            how: how.to_owned(),
        });
    }
    let on_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join("rustfs")).find(|file| is_program(file))
    });
    match on_path {
        Some(file) => Ok(file),
        None => cached("RustFS", RUSTFS)
            .map_err(|_| ServerError::Missing { what: "RustFS".to_owned(), how: how.to_owned() }),
    }
}

/// The cache's folder: `$XDG_CACHE_HOME/twinlog`, else `~/.cache/twinlog`.
#[must_use]
pub fn folder() -> PathBuf {
    match std::env::var_os("XDG_CACHE_HOME").filter(|home| !home.is_empty()) {
        Some(cache) => Path::new(&cache).join("twinlog"),
        None => std::env::home_dir().unwrap_or_default().join(".cache/twinlog"),
    }
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

fn cached(what: &str, path: &str) -> Result<PathBuf, ServerError> {
    let path = folder().join(path);
    if path.exists() {
        return Ok(path);
    }
    Err(ServerError::Missing { what: format!("{what} ({})", path.display()), how: "run ./justw tools".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: what the scripts make is what the tests look for.
    #[test]
    fn the_scripts_make_what_is_looked_for() {
        let name = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
        let version =
            |path: &str| name(path).split_once('-').map(|(_, version)| version.to_owned()).unwrap_or_default();
        let pinned = |version: &str| format!("\nversion={version}\n");
        assert!(include_str!("../../../infra/tools/kafka.sh").contains(&format!("\nonce {} libs ", name(KAFKA))));
        assert!(include_str!("../../../infra/tools/minio.sh").contains(&pinned(&version(MINIO))));
        assert!(include_str!("../../../infra/tools/alertmanager.sh").contains(&pinned(&version(ALERTMANAGER))));
        assert!(include_str!("../../../infra/tools/mc.sh").contains(&pinned(&version(MC))));
        assert!(include_str!("../../../infra/tools/rustfs.sh").contains(&pinned(&version(RUSTFS))));
    }
}
