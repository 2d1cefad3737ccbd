//! What an S3 site is set up with.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use twinlog_schemas::SiteName;

use crate::dialect::{DialectName, NotifyTargets};

/// All that is needed to speak with one store.
#[derive(Debug, Clone)]
pub struct S3SiteConfig {
    /// The site's name.
    pub name: SiteName,
    /// The store's URL, e.g. `https://s3.east.example:9000`.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Which store it is.
    pub dialect: DialectName,
    /// Twinlog's own principal at the store.
    pub credentials: S3Credentials,
    /// PEM certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long a replica write stays acceptable after it was signed; whole seconds, 1 s to 7 days.
    pub write_expiry: Duration,
    /// Deadlines.
    pub timeouts: S3Timeouts,
    /// The store's webhook targets that lead to Twinlog.
    pub notify: NotifyTargets,
}

impl S3SiteConfig {
    /// The default of [`S3SiteConfig::write_expiry`].
    pub const DEFAULT_WRITE_EXPIRY: Duration = Duration::from_secs(10);
}

/// Deadlines of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct S3Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the answer's head is there, for a request without much of a body.
    pub answer: Duration,
    /// Between two chunks of a body that is read.
    pub idle: Duration,
    /// The slowest transfer that is waited for, bytes per second: a request's deadline grows with its body.
    pub slowest: u64,
}

impl Default for S3Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(20),
            idle: Duration::from_secs(20),
            slowest: 256 * 1024,
        }
    }
}

impl S3Timeouts {
    /// The deadline of a request that carries or causes the transfer of so many bytes.
    #[must_use]
    pub fn answer_for(&self, bytes: u64) -> Duration {
        self.answer + Duration::from_secs(bytes / self.slowest.max(1))
    }
}

/// An access key and its secret.
#[derive(Debug, Clone)]
pub struct S3Credentials {
    /// The access key id.
    pub access_key: String,
    /// The secret.
    pub secret_key: SecretKey,
}

/// A secret that never shows itself in a log.
#[derive(Clone)]
pub struct SecretKey(String);

impl SecretKey {
    /// Takes the secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// Why an S3 site could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum S3SetUpError {
    /// The file of certificates cannot be read.
    #[error("certificates of site {site} cannot be read from {path:?}: {error}")]
    CaFile {
        /// The site.
        site: SiteName,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file of certificates is no PEM.
    #[error("certificates of site {site} in {path:?} are not understood: {error}")]
    Certificates {
        /// The site.
        site: SiteName,
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// A field is out of its range.
    #[error("site {site}: {field} {problem}")]
    Field {
        /// The site.
        site: SiteName,
        /// The field.
        field: &'static str,
        /// What is wrong with it, and what is allowed.
        problem: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let credentials = S3Credentials { access_key: "AK".into(), secret_key: SecretKey::new("hush-hush") };
        assert!(!format!("{credentials:?}").contains("hush"));
    }

    #[test]
    fn deadlines_grow_with_the_body() {
        let timeouts = S3Timeouts { answer: Duration::from_secs(20), slowest: 1024, ..S3Timeouts::default() };
        assert_eq!(timeouts.answer_for(0), Duration::from_secs(20));
        assert_eq!(timeouts.answer_for(10 * 1024), Duration::from_secs(30));
    }
}
