//! How a command ends: the documented exit codes, and failures with what, where and what to do.

use std::fmt;
use std::process::ExitCode;

use twinlog_log::{LogError, LogErrorKind};
use twinlog_site::{SiteError, SiteErrorKind};

use crate::config::LoadError;

/// The exit codes (those of `sysexits.h` where one fits); 2 is clap's, for a wrong command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All well.
    Success,
    /// The command did its work and found something: a check failed, a bucket was refused.
    Findings,
    /// The configuration is not valid, or does not fit what was asked for.
    Config,
    /// A cluster or a site cannot be reached, or refuses.
    Unavailable,
    /// A bug, or the machine: no memory, no room, an address in use.
    Internal,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Success => 0,
            Exit::Findings => 1,
            Exit::Config => 64,
            Exit::Unavailable => 69,
            Exit::Internal => 70,
        })
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    message: String,
}

impl Failure {
    /// The configuration does not fit.
    pub fn config(message: impl Into<String>) -> Self {
        Self { exit: Exit::Config, message: message.into() }
    }

    /// Something cannot be reached.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unavailable, message: message.into() }
    }

    /// A bug, or the machine.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { exit: Exit::Internal, message: message.into() }
    }

    /// A failure of a cluster, with where it is configured.
    pub fn of_cluster(name: &str, brokers: &str, error: &LogError) -> Self {
        let advice = match error.kind {
            LogErrorKind::Transient => "check that the brokers run and can be reached from here",
            LogErrorKind::Refused => "check security, username and password there, and the user's ACLs",
            LogErrorKind::Fatal | LogErrorKind::TooLarge | LogErrorKind::OffsetOutOfRange => "check the settings there",
            LogErrorKind::UnknownTopic => "create what is missing: `twinlog bucket enable`",
            LogErrorKind::TopicExists => "somebody else created it meanwhile: run the command again",
        };
        let exit = if error.kind == LogErrorKind::Fatal { Exit::Internal } else { Exit::Unavailable };
        let message = format!("Kafka cluster {name} ({brokers}): {error}; it is set in [clusters.{name}]: {advice}");
        Self { exit, message }
    }

    /// A failure of a site, with where it is configured.
    pub fn of_site(endpoint: &str, error: &SiteError) -> Self {
        let advice = site_advice(error.kind);
        Self::unavailable(format!("{error}; its endpoint is {endpoint}, set in [sites.{}]: {advice}", error.site))
    }
}

/// What an operator does about a store's error.
pub fn site_advice(kind: SiteErrorKind) -> &'static str {
    match kind {
        SiteErrorKind::Unreachable => "check that the store runs and can be reached from here",
        SiteErrorKind::Untrusted => {
            "name in ca_file there the authority that signed the store's certificate, and in endpoint a host that it is for"
        }
        SiteErrorKind::Credentials => "check access_key and secret_key there",
        SiteErrorKind::AccessDenied => "give Twinlog's principal the permission at the store",
        SiteErrorKind::ClockSkew => "set the clocks of both machines by NTP",
        SiteErrorKind::NoSuchBucket => "create the bucket there first, with versioning",
        SiteErrorKind::TimedOut | SiteErrorKind::Throttled | SiteErrorKind::Server | SiteErrorKind::StorageFull => {
            "look at the store, then try again"
        }
        _ => "look at the store's own log",
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::config(error.to_string())
    }
}
