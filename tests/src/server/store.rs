//! One object store under test: RustFS or MinIO behind the same handle.
//!
//! What differs between the two is in [`super::rustfs`] and [`super::minio`]: environment, arguments, names. This file
//! owns the process, its folder and its port, and keeps both across a stop and a start.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use aws_sdk_s3::{Client, error::DisplayErrorContext};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use super::{Certified, Life, Port, Process, ServerError, Trust, cache, minio, ready::ready, rustfs};

const START: Duration = Duration::from_secs(60);
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(5);
const STOP: Duration = Duration::from_secs(20);
/// The region of every store under test.
pub const REGION: &str = "us-east-1";

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreKind {
    /// RustFS.
    RustFs,
    /// MinIO.
    MinIo,
}

impl StoreKind {
    /// Both, the one this project exists for first.
    pub const ALL: [Self; 2] = [Self::RustFs, Self::MinIo];

    /// Where its program is; nothing is built or fetched.
    ///
    /// # Errors
    /// [`ServerError::Missing`], which says how to get it.
    pub fn found(self) -> Result<PathBuf, ServerError> {
        match self {
            Self::RustFs => cache::rustfs(),
            Self::MinIo => cache::minio(),
        }
    }

    /// The kinds whose program is there. Tests run on each of them.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|kind| kind.found().is_ok()).collect()
    }

    /// `rustfs` or `minio`: the name of the dialect in a configuration, and of the store on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RustFs => "rustfs",
            Self::MinIo => "minio",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::RustFs => "RustFS",
            Self::MinIo => "MinIO",
        })
    }
}

/// An access key and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Public.
    pub access_key: String,
    /// Never shown.
    pub secret_key: String,
}

impl Credentials {
    /// The two together.
    #[must_use]
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self { access_key: access_key.into(), secret_key: secret_key.into() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Where a store sends its notices and audit records.
#[derive(Clone)]
pub struct Intake {
    /// `http://127.0.0.1:port`, without a path. Need not answer when the store starts.
    pub origin: String,
    /// The Bearer token that the store sends to `/notices/<site>`.
    pub notices_token: String,
    /// The Bearer token that it sends to `/audit/<site>`.
    pub audit_token: String,
}

impl fmt::Debug for Intake {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Intake").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// How to start a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The site that it is, which the paths at the intake end in.
    pub site: String,
    /// Where all that it writes goes: data, queues, log.
    pub folder: PathBuf,
    /// The principal that is allowed everything; in tests the client.
    pub root: Credentials,
    /// Where notices go; nothing: no webhook is configured.
    pub intake: Option<Intake>,
    /// What becomes of it when this process ends.
    pub life: Life,
}

/// The names by which a bucket's notification configuration calls the store's webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arns {
    /// The sure door: through a queue on disk, within seconds.
    pub sure: String,
    /// The fast door, where it is a webhook (MinIO); RustFS's is its listen stream.
    pub fast: Option<String>,
}

/// The key that a site's store encrypts with, as both programs take it: a name, which differs from site to site, and 32
/// bytes in base64.
pub(super) fn kms_key(site: &str) -> String {
    format!("{site}-key:{}", BASE64_STANDARD.encode(Sha256::digest(site)))
}

/// A store, its data kept across [`Store::stop`] and [`Store::start_again`] on the same port.
#[derive(Debug)]
pub struct Store {
    kind: StoreKind,
    options: StoreOptions,
    /// It is served over TLS with this certificate, or in clear.
    certified: Option<Certified>,
    port: Port,
    process: Option<Process>,
}

impl Store {
    /// Starts a store; returns when it is healthy.
    ///
    /// # Errors
    /// [`ServerError`] where its program is missing or it does not come up.
    pub async fn start(kind: StoreKind, options: StoreOptions) -> Result<Self, ServerError> {
        // On the heap: what the SDK builds is deep.
        Box::pin(Self::start_as(kind, options, None)).await
    }

    /// As [`Store::start`], served over TLS with this certificate.
    ///
    /// # Errors
    /// As there, or where the certificate cannot be written.
    pub async fn start_over_tls(
        kind: StoreKind,
        options: StoreOptions,
        certified: Certified,
    ) -> Result<Self, ServerError> {
        Box::pin(Self::start_as(kind, options, Some(certified))).await
    }

    async fn start_as(
        kind: StoreKind,
        options: StoreOptions,
        certified: Option<Certified>,
    ) -> Result<Self, ServerError> {
        let mut store = Self { kind, options, certified, port: Port::free()?, process: None };
        if let Some(certified) = &store.certified {
            let names = match kind {
                StoreKind::RustFs => rustfs::CERTIFICATE,
                StoreKind::MinIo => minio::CERTIFICATE,
            };
            certified.write(&store.certificates(), names)?;
        }
        for folder in [store.data(), store.queue()] {
            std::fs::create_dir_all(&folder).map_err(ServerError::io(format!("making {}", folder.display())))?;
        }
        store.start_again().await?;
        Ok(store)
    }

    /// Which program it is.
    #[must_use]
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// How it was started.
    #[must_use]
    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// `http://127.0.0.1:port`, or `https://`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let scheme = if self.certified.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.port.address())
    }

    /// What its clients have to trust, where it is served over TLS.
    #[must_use]
    pub fn trust(&self) -> Option<&Trust> {
        self.certified.as_ref().map(|certified| &certified.trust)
    }

    /// Its webhooks' names, whether or not an intake is configured.
    #[must_use]
    pub fn arns(&self) -> Arns {
        match self.kind {
            StoreKind::RustFs => rustfs::arns(),
            StoreKind::MinIo => minio::arns(),
        }
    }

    /// The store's process: kill, pause and resume are its own.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] between a stop and a start.
    pub fn process(&mut self) -> Result<&mut Process, ServerError> {
        self.process.as_mut().ok_or_else(|| ServerError::NotRunning { name: self.options.site.clone() })
    }

    /// Starts it after [`Store::stop`] or a kill: same port, same data.
    ///
    /// # Errors
    /// [`ServerError`] where it does not come up.
    pub async fn start_again(&mut self) -> Result<(), ServerError> {
        let mut command = Command::new(self.kind.found()?);
        command.current_dir(&self.options.folder);
        let health = match self.kind {
            StoreKind::RustFs => rustfs::configure(&mut command, self),
            StoreKind::MinIo => minio::configure(&mut command, self),
        };
        let name = format!("{} at {}", self.kind, self.options.site);
        let mut process = Process::spawn(&name, command, &self.options.folder.join("store.log"), self.options.life)?;
        let url = format!("{}{health}", self.endpoint());
        let failed = |error: reqwest::Error| ServerError::io(&name)(std::io::Error::other(error));
        let mut plain = reqwest::Client::builder().no_proxy().timeout(LOOK);
        if let Some(trust) = self.trust() {
            plain = plain.add_root_certificate(reqwest::Certificate::from_pem(trust.pem.as_bytes()).map_err(failed)?);
        }
        let plain = plain.build().map_err(failed)?;
        let root = self.root_client();
        let looking = async || {
            answers(&plain, &url, &root).await?;
            match (self.kind, &self.options.intake) {
                (StoreKind::MinIo, Some(_)) => minio::knows_targets(&root, &self.endpoint()).await,
                _ => Ok(()),
            }
        };
        let outcome = ready(&mut process, START, looking).await;
        self.process = Some(process);
        outcome
    }

    /// Stops it in good order, or kills it where that takes too long.
    ///
    /// # Errors
    /// [`ServerError::Io`] where the system refuses.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        if let Some(mut process) = self.process.take() {
            process.stop(STOP).await?;
        }
        Ok(())
    }

    /// Leaves it running when this process ends, and returns its process id.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] between a stop and a start.
    pub fn detach(mut self) -> Result<u32, ServerError> {
        let name = self.options.site.clone();
        self.process.take().map(Process::detach).ok_or(ServerError::NotRunning { name })
    }

    /// `127.0.0.1:port`.
    pub(super) fn address(&self) -> String {
        self.port.address()
    }

    pub(super) fn data(&self) -> PathBuf {
        self.options.folder.join("data")
    }

    /// Where notices wait while the intake is away.
    pub(super) fn queue(&self) -> PathBuf {
        self.options.folder.join("queue")
    }

    /// Where its certificate is, where it is served over TLS.
    pub(super) fn certificates(&self) -> PathBuf {
        self.options.folder.join("certificates")
    }

    pub(super) fn folder(&self) -> &Path {
        &self.options.folder
    }
}

/// Healthy by its own word, and answering a client: MinIO says that it is ready before it takes requests.
async fn answers(plain: &reqwest::Client, health: &str, root: &Client) -> Result<(), String> {
    match plain.get(health).send().await {
        Ok(answer) if answer.status().is_success() => {}
        Ok(answer) => return Err(format!("{health} answers {}", answer.status())),
        Err(error) => return Err(error.to_string()),
    }
    match tokio::time::timeout(LOOK, root.list_buckets().send()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(DisplayErrorContext(error).to_string()),
        Err(_) => Err(format!("no list of buckets within {LOOK:?}")),
    }
}
