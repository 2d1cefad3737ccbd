//! `[clusters.<name>]`: the Kafka clusters.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;
use super::section::Section;

/// One Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    /// `brokers`: `host:port`, several separated by commas. Required.
    pub brokers: String,
    /// `security`: `plaintext`, `tls`, `sasl_plaintext` or `sasl_tls`. Default `plaintext`.
    pub security: Security,
    /// `ca_file`: the authority that signed the brokers' certificates. Default: the system's.
    pub ca_file: Option<PathBuf>,
    /// `sasl_mechanism`: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`. Default `SCRAM-SHA-512`.
    pub sasl_mechanism: &'static str,
    /// `username`; required with SASL.
    pub username: Option<String>,
    /// `password` or `password_file`; required with SASL.
    pub password: Option<Secret>,
    /// `session_timeout`: how long a process may be silent before the others of its site take over its share. Default 10 s.
    pub session_timeout: Duration,
    /// `[clusters.<name>.properties]`: settings passed to librdkafka as they are. Those that Twinlog's guarantees rest
    /// on are refused.
    pub properties: BTreeMap<String, String>,
}

/// How the brokers are spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// TLS.
    Tls,
    /// SASL without TLS.
    SaslPlaintext,
    /// SASL over TLS.
    SaslTls,
}

impl Security {
    /// As librdkafka's `security.protocol` spells it.
    #[must_use]
    pub fn protocol(self) -> &'static str {
        match self {
            Security::Plaintext => "plaintext",
            Security::Tls => "ssl",
            Security::SaslPlaintext => "sasl_plaintext",
            Security::SaslTls => "sasl_ssl",
        }
    }

    fn is_sasl(self) -> bool {
        matches!(self, Security::SaslPlaintext | Security::SaslTls)
    }
}

const SECURITIES: [(&str, Security); 4] = [
    ("plaintext", Security::Plaintext),
    ("tls", Security::Tls),
    ("sasl_plaintext", Security::SaslPlaintext),
    ("sasl_tls", Security::SaslTls),
];

/// Shorter ones make a pause of the process a loss of its lanes; beyond the longest no broker takes it for granted.
const SESSIONS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(1_800);

const MECHANISMS: [(&str, &str); 3] =
    [("PLAIN", "PLAIN"), ("SCRAM-SHA-256", "SCRAM-SHA-256"), ("SCRAM-SHA-512", "SCRAM-SHA-512")];

/// Properties that are not the operator's to set: durability, order, and the committing of offsets rest on them; or
/// there is a key of our own.
const OURS: [(&str, &str); 15] = [
    ("acks", "Twinlog's durability rests on acks=all"),
    ("request.required.acks", "Twinlog's durability rests on acks=all"),
    ("enable.idempotence", "Twinlog's order rests on it"),
    ("enable.auto.commit", "Twinlog commits what is finished, nothing else"),
    ("enable.auto.offset.store", "Twinlog commits what is finished, nothing else"),
    ("auto.offset.reset", "Twinlog never jumps over unread records"),
    ("allow.auto.create.topics", "topics are created by `twinlog bucket enable` only"),
    ("group.id", "Twinlog names its groups itself"),
    ("session.timeout.ms", "use session_timeout"),
    ("bootstrap.servers", "use brokers"),
    ("metadata.broker.list", "use brokers"),
    ("security.protocol", "use security"),
    ("sasl.username", "use username"),
    ("sasl.password", "use password or password_file"),
    ("sasl.mechanism", "use sasl_mechanism"),
];

impl ClusterConfig {
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let brokers_origin = section.origin_of("brokers");
        let brokers = section.required::<String>("brokers", "write \"host:port\", several separated by commas");
        if let Some(fault) = brokers.as_deref().and_then(brokers_fault) {
            section.fault_at(brokers_origin, "brokers", fault);
        }
        let security = section.choice("security", &SECURITIES).unwrap_or(Security::Plaintext);
        let ca_file = section.text("ca_file").map(PathBuf::from);
        let sasl_mechanism = section.choice("sasl_mechanism", &MECHANISMS).unwrap_or("SCRAM-SHA-512");
        let (username, password) = if security.is_sasl() {
            let username = section.required::<String>("username", "SASL needs a user's name");
            (username, section.required_secret("password"))
        } else {
            (section.text("username"), section.secret("password"))
        };
        if !security.is_sasl() && (username.is_some() || password.is_some()) {
            section.fault("username and password are used with security = \"sasl_tls\" or \"sasl_plaintext\" only");
        }
        let session_origin = section.origin_of("session_timeout");
        let session_timeout = section.duration_or("session_timeout", Duration::from_secs(10));
        if !SESSIONS.contains(&session_timeout) {
            section.fault_at(
                session_origin,
                "session_timeout",
                "it must be between 1s and 30m, and the brokers must allow it",
            );
        }
        let inner = section.section("properties");
        let origin = inner.origin.clone();
        let properties: BTreeMap<_, _> = inner.free_texts().into_iter().collect();
        for (key, why) in OURS.iter().filter(|(key, _)| properties.contains_key(*key)) {
            section.fault_at(origin.clone(), &format!("properties.{key}"), format!("it cannot be set: {why}"));
        }
        section.end();
        Some(Self {
            brokers: brokers?,
            security,
            ca_file,
            sasl_mechanism,
            username,
            password,
            session_timeout,
            properties,
        })
    }
}

fn brokers_fault(brokers: &str) -> Option<String> {
    let wrong = brokers.split(',').map(str::trim).find(|broker| {
        let port = broker.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        port.is_none_or(|port| port.parse::<u16>().is_err())
    })?;
    Some(format!("{wrong:?} is not a broker's address: write \"host:port\""))
}
