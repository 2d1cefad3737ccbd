//! `[sites.<name>]`: the object stores, and what of Twinlog listens beside them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Uri;
use twinlog_schemas::SiteName;
use twinlog_site::{DialectName, S3SiteConfig};

use super::address::{Taken, clash};
use super::secret::Secret;
use super::section::Section;

/// One object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteConfig {
    /// `endpoint`: the S3 endpoint, `http://` or `https://`, without a path. Required.
    pub endpoint: String,
    /// `region` that requests are signed for. Default `us-east-1`.
    pub region: String,
    /// `dialect`: `rustfs` or `minio`. Required.
    pub dialect: DialectName,
    /// `cluster`: on which cluster the site's topics are. Default: the only one.
    pub cluster: String,
    /// `access_key` of Twinlog's own principal at this store. Required.
    pub access_key: String,
    /// `secret_key` or `secret_key_file`. Required.
    pub secret_key: Secret,
    /// `ca_file`: the authority that signed the endpoint's certificate (PEM). Default: the system's.
    pub ca_file: Option<PathBuf>,
    /// `own_principals`: names under which this store reports Twinlog's own requests; their notices are dropped.
    /// Nothing else may use these principals. Default: the access key.
    pub own_principals: Vec<String>,
    /// `write_expiry`: how long a replica write stays acceptable to the store once it is signed; so long a new owner of
    /// lanes waits after a crash. Whole seconds, default 10 s.
    pub write_expiry: Duration,
    /// `[sites.<name>.intake]`.
    pub intake: IntakeConfig,
    /// `[sites.<name>.targets]`.
    pub targets: TargetsConfig,
    /// `[sites.<name>.metrics]`.
    pub metrics: MetricsConfig,
}

/// `[sites.<name>.intake]`: where the store's webhooks deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeConfig {
    /// `listen`. Default `0.0.0.0:8081`.
    pub listen: SocketAddr,
    /// `token` or `token_file`: the Bearer token that the store sends. Required.
    pub token: Secret,
    /// `in_flight`: bodies being worked on at a time; beyond it the store is asked to come again. Default 1,024.
    pub in_flight: usize,
    /// `body_max_bytes`: the largest body taken. Default 1 MiB.
    pub body_max_bytes: usize,
    /// `quarantine_dir`: where bodies are kept that cannot be understood. Default `<state_dir>/<site>/quarantine`.
    pub quarantine_dir: PathBuf,
    /// `quarantine_max_bytes`: beyond it the oldest are dropped, and counted. Default 64 MiB.
    pub quarantine_max_bytes: u64,
}

/// `[sites.<name>.targets]`: the names of the webhook targets in the store's own configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetsConfig {
    /// `sure`: the target with a queue directory. Default `TWINLOG`.
    pub sure: String,
    /// `fast`: the target without one, for stores whose listen stream is not fast (MinIO); empty: there is none.
    /// Default `TWINLOGFAST` for those.
    pub fast: Option<String>,
}

/// `[sites.<name>.metrics]`: `/metrics`, `/livez` and `/readyz` of the process beside the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsConfig {
    /// `listen`. Default `0.0.0.0:9464`.
    pub listen: SocketAddr,
}

impl SiteConfig {
    /// Reads one site. `clusters` are the known names, `state_dir` the place of defaults, `taken` the addresses of the
    /// sites before it.
    pub(super) fn read(
        name: &str,
        mut section: Section<'_>,
        clusters: &[String],
        state_dir: &Path,
        taken: &mut Taken,
    ) -> Option<(SiteName, Self)> {
        let site = SiteName::new(name).map_err(|error| section.fault(error.to_string())).ok();
        let endpoint = read_endpoint(&mut section, taken);
        let region = section.text("region").unwrap_or_else(|| "us-east-1".to_owned());
        let dialect = section.required::<DialectName>("dialect", "write \"rustfs\" or \"minio\"");
        let cluster = read_cluster(&mut section, clusters);
        let access_key =
            section.required::<String>("access_key", "the access key of Twinlog's own principal at this store");
        let secret_key = section.required_secret("secret_key");
        let ca_file = section.text("ca_file").map(PathBuf::from);
        let own = section.texts("own_principals").map(|texts| texts.into_iter().map(|(_, text)| text).collect());
        let own_principals = own.unwrap_or_else(|| access_key.iter().cloned().collect());
        let write_expiry = read_write_expiry(&mut section);
        let (intake, metrics) = (section.section("intake"), section.section("metrics"));
        let metrics = MetricsConfig::read(metrics, taken);
        let quarantine = || state_dir.join(name).join("quarantine");
        let intake = IntakeConfig::read(intake, metrics.listen, quarantine, taken);
        let targets = section.section("targets");
        let targets = TargetsConfig::read(targets, dialect);
        section.end();
        let config = Self {
            endpoint: endpoint?,
            region,
            dialect: dialect?,
            cluster: cluster?,
            access_key: access_key?,
            secret_key: secret_key?,
            ca_file,
            own_principals,
            write_expiry,
            intake: intake?,
            targets,
            metrics,
        };
        Some((site?, config))
    }
}

fn read_endpoint(section: &mut Section<'_>, taken: &mut Taken) -> Option<String> {
    let origin = section.origin_of("endpoint");
    let endpoint =
        section.required::<String>("endpoint", "the store's S3 endpoint, e.g. \"https://s3.east.example:9000\"")?;
    let fits = |uri: &Uri| {
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let plain =
            uri.authority().is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
        matches!(uri.scheme_str(), Some("http" | "https")) && bare && plain
    };
    let Some(uri) = endpoint.parse().ok().filter(fits) else {
        // Not shown as it was written: before an `@` stands a secret.
        let shown =
            endpoint.rsplit_once('@').map_or_else(|| format!("{endpoint:?}"), |(_, host)| format!("\"…@{host}\""));
        let message = format!(
            "{shown} is not an endpoint: write http:// or https://, a host, a port where needed, and nothing else"
        );
        section.fault_at(origin, "endpoint", message);
        return None;
    };
    taken.endpoint(section, origin, &uri);
    Some(endpoint.trim_end_matches('/').to_owned())
}

fn read_write_expiry(section: &mut Section<'_>) -> Duration {
    let origin = section.origin_of("write_expiry");
    let expiry = section.duration_or("write_expiry", S3SiteConfig::DEFAULT_WRITE_EXPIRY);
    if expiry.subsec_nanos() > 0 || !(1..=3_600).contains(&expiry.as_secs()) {
        section.fault_at(origin, "write_expiry", "it must be whole seconds, between 1s and 1h");
    }
    expiry
}

fn read_cluster(section: &mut Section<'_>, clusters: &[String]) -> Option<String> {
    let origin = section.origin_of("cluster");
    match (section.text("cluster"), clusters) {
        (Some(cluster), _) if clusters.contains(&cluster) => Some(cluster),
        (Some(cluster), _) => {
            let message = format!("there is no [clusters.{cluster}]; there is {}", clusters.join(", "));
            section.fault_at(origin, "cluster", message);
            None
        }
        (None, [only]) => Some(only.clone()),
        (None, []) => None,
        (None, _) => {
            section.fault_at(origin, "cluster", format!("missing: name one of {}", clusters.join(", ")));
            None
        }
    }
}

impl IntakeConfig {
    fn read(
        mut section: Section<'_>,
        metrics: SocketAddr,
        quarantine: impl FnOnce() -> PathBuf,
        taken: &mut Taken,
    ) -> Option<Self> {
        let origin = section.origin_of("listen");
        let listen = section.parsed("listen").unwrap_or(SocketAddr::from(([0, 0, 0, 0], 8081)));
        if clash(listen, metrics) {
            let message = format!("{listen} and the metrics' {metrics} are one address: give them one each");
            section.fault_at(origin, "listen", message);
        } else {
            taken.listen(&section, origin, listen);
        }
        let token = section.required_secret("token");
        let in_flight = section.number_or("in_flight", 1, 1_000_000, 1_024);
        let body_max_bytes = section.number_or("body_max_bytes", 65_536, 1 << 30, 1 << 20);
        let quarantine_dir = section.text("quarantine_dir").map_or_else(quarantine, PathBuf::from);
        let quarantine_max_bytes = section.number_or("quarantine_max_bytes", 1 << 20, i64::MAX, 64 << 20);
        section.end();
        Some(Self { listen, token: token?, in_flight, body_max_bytes, quarantine_dir, quarantine_max_bytes })
    }
}

impl TargetsConfig {
    fn read(mut section: Section<'_>, dialect: Option<DialectName>) -> Self {
        let sure = section.text("sure").unwrap_or_else(|| "TWINLOG".to_owned());
        let origin = section.origin_of("fast");
        let fast = section.text("fast");
        let listens = dialect.is_none_or(|dialect| dialect.dialect().has_fast_listen());
        if dialect.is_some() && listens && fast.as_ref().is_some_and(|fast| !fast.is_empty()) {
            section.fault_at(
                origin.clone(),
                "fast",
                "this store needs no second target: its fast door is the listen stream",
            );
        }
        let default = (!listens).then(|| "TWINLOGFAST".to_owned());
        let fast = fast.or(default).filter(|fast| !fast.is_empty());
        // Stores tell the names of their targets apart by letters alone.
        if fast.as_ref().is_some_and(|fast| fast.eq_ignore_ascii_case(&sure)) {
            let message = format!("{sure} is the sure target too: the fast one is another, without a queue directory");
            section.fault_at(origin, "fast", message);
        }
        section.end();
        Self { sure, fast }
    }
}

impl MetricsConfig {
    fn read(mut section: Section<'_>, taken: &mut Taken) -> Self {
        let origin = section.origin_of("listen");
        let listen = section.parsed("listen").unwrap_or(SocketAddr::from(([0, 0, 0, 0], 9464)));
        taken.listen(&section, origin, listen);
        section.end();
        Self { listen }
    }
}
