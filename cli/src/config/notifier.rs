//! `[notifier]`: whom the process beside a site tells of what went wrong, and how.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use twinlog_schemas::SiteName;

use super::secret::Secret;
use super::section::Section;

/// The shortest secret that a signature may rest on.
const SECRET_MIN: usize = 16;

/// `[notifier]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifierConfig {
    /// `window`: what comes of one bucket and reason within so long is told in one message. Default `1m`.
    pub window: Duration,
    /// `quiet`: dead letters are over when no more have come for so long. Default `15m`.
    pub quiet: Duration,
    /// `example_keys`: whether object keys, and error messages, which may name some, go out. Default true.
    pub example_keys: bool,
    /// `runbook`: where `docs/runbook.md` can be read; messages link to its sections. Default `docs/runbook.md`.
    pub runbook: String,
    /// `[notifier.webhooks.<name>]`.
    pub webhooks: BTreeMap<String, WebhookConfig>,
    /// `[notifier.alertmanagers.<name>]`.
    pub alertmanagers: BTreeMap<String, AlertmanagerConfig>,
}

/// `[notifier.webhooks.<name>]`: each message as a CloudEvent, signed. The name is part of the group under which its
/// place is committed: one that is renamed begins anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// `url` or `url_file`: addresses may hold secrets. Required.
    pub url: Secret,
    /// `secret` or `secret_file`: what the signatures are made with; at least 16 characters. Required.
    pub secret: Secret,
    /// `ca_file`: an authority (PEM) to be trusted besides the public ones. Default: none.
    pub ca_file: Option<PathBuf>,
    /// `timeout` of one attempt. Default `10s`.
    pub timeout: Duration,
    /// `give_up_after`: how old a message that is not taken may become. Default `1d`.
    pub give_up_after: Duration,
}

/// `[notifier.alertmanagers.<name>]`: told of what stands, by its v2 API. Of a cluster of them, name each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertmanagerConfig {
    /// `url` or `url_file`, without `/api/v2/alerts`. Required.
    pub url: Secret,
    /// `token` or `token_file`: a Bearer token. Default: none.
    pub token: Option<Secret>,
    /// `ca_file`, as for webhooks.
    pub ca_file: Option<PathBuf>,
    /// `repeat`: how often what stands is repeated; what is not repeated four times ends by itself. Default `1m`.
    pub repeat: Duration,
}

impl NotifierConfig {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let window = at_least_a_second(&mut section, "window", 60);
        let quiet = at_least_a_second(&mut section, "quiet", 900);
        let example_keys = section.boolean_or("example_keys", true);
        let runbook = section.text("runbook").unwrap_or_else(|| "docs/runbook.md".to_owned());
        let webhooks = named(&mut section, "webhooks", WebhookConfig::read);
        let alertmanagers = named(&mut section, "alertmanagers", AlertmanagerConfig::read);
        section.end();
        Self { window, quiet, example_keys, runbook, webhooks, alertmanagers }
    }
}

fn named<'a, T>(section: &mut Section<'a>, key: &str, read: impl Fn(Section<'a>) -> Option<T>) -> BTreeMap<String, T> {
    let named = section.named(key).into_iter().filter_map(|(name, section)| {
        // A part of consumer groups and of metrics, as the names of sites are.
        if let Err(error) = SiteName::new(name.as_str()) {
            section.fault(error.to_string());
        }
        Some((name, read(section)?))
    });
    named.collect()
}

fn at_least_a_second(section: &mut Section<'_>, key: &str, default_seconds: u64) -> Duration {
    let origin = section.origin_of(key);
    let duration = section.duration_or(key, Duration::from_secs(default_seconds));
    if duration < Duration::from_secs(1) {
        section.fault_at(origin, key, "it is shorter than a second");
    }
    duration
}

/// An address of a receiver; nothing of it is ever shown.
fn url(section: &mut Section<'_>) -> Option<Secret> {
    let origin = section.origin_of("url");
    let url = section.required_secret("url")?;
    let fits = |uri: &Uri| {
        let host = uri.authority().is_some_and(|at| !at.host().is_empty() && !at.as_str().contains('@'));
        matches!(uri.scheme_str(), Some("http" | "https")) && host
    };
    if !url.reveal().parse().is_ok_and(|uri| fits(&uri)) {
        let message =
            "it is not an address: write http:// or https://, a host, and a path where needed; no user or password";
        section.fault_at(origin, "url", message);
        return None;
    }
    Some(url)
}

impl WebhookConfig {
    fn read(mut section: Section<'_>) -> Option<Self> {
        let url = url(&mut section);
        let origin = section.origin_of("secret");
        let secret = section.required_secret("secret");
        if secret.as_ref().is_some_and(|secret| secret.reveal().len() < SECRET_MIN) {
            let message = format!("it has fewer than {SECRET_MIN} characters, and signatures rest on it");
            section.fault_at(origin, "secret", message);
        }
        let ca_file = section.text("ca_file").map(PathBuf::from);
        let timeout = section.duration_or("timeout", Duration::from_secs(10));
        let give_up_after = section.duration_or("give_up_after", Duration::from_secs(86_400));
        section.end();
        Some(Self { url: url?, secret: secret?, ca_file, timeout, give_up_after })
    }
}

impl AlertmanagerConfig {
    fn read(mut section: Section<'_>) -> Option<Self> {
        let url = url(&mut section);
        let token = section.secret("token");
        let ca_file = section.text("ca_file").map(PathBuf::from);
        let repeat = at_least_a_second(&mut section, "repeat", 60);
        section.end();
        Some(Self { url: url?, token, ca_file, repeat })
    }
}
