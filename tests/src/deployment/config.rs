//! The configuration file of a deployment.

use std::fmt::Write;

use super::{Pace, Parts};
use crate::{server::Port, site::Site};

/// Its text.
pub(super) fn text(parts: &Parts, intakes: &[Port; 2], metrics: &[Port; 2]) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _written = write!(
        text,
        "state_dir = {state:?}

[topics]
prefix = {prefix:?}
lanes = {lanes}
replication_factor = 1
min_insync_replicas = 1
{partitions}
[clusters.main]
brokers = {brokers:?}
{session}",
        session = parts.pace.session(),
        state = parts.folder.join("state"),
        prefix = parts.prefix,
        lanes = parts.lanes,
        partitions = partitions(parts.lanes),
        brokers = parts.brokers,
    );
    for site in Site::BOTH {
        let store = &parts.sites[site.index()];
        let _written = write!(
            text,
            "
[sites.{site}]
endpoint = {endpoint:?}
{ca_file}dialect = {dialect:?}
access_key = {access_key:?}
secret_key = {secret_key:?}
{expiry}
[sites.{site}.intake]
listen = {intake:?}
token = {token:?}

[sites.{site}.metrics]
listen = {metrics:?}
",
            endpoint = store.endpoint,
            ca_file = store.trust.as_ref().map_or(String::new(), |trust| format!("ca_file = {:?}\n", trust.file)),
            expiry = parts.pace.expiry(),
            dialect = parts.kind.name(),
            access_key = store.twinlog.access_key,
            secret_key = store.twinlog.secret_key,
            intake = intakes[site.index()].address(),
            token = parts.token,
            metrics = metrics[site.index()].address(),
        );
    }
    for site in &parts.links {
        let (source, target, buckets) = (site.name(), site.other().name(), &parts.buckets);
        let _written = write!(text, "\n[[links]]\nsource = {source:?}\ntarget = {target:?}\nbuckets = {buckets:?}\n");
    }
    let _written = write!(text, "\n{}", parts.more);
    text
}

impl Pace {
    fn session(self) -> &'static str {
        match self {
            Self::Usual => "",
            Self::Brief => "session_timeout = \"3s\"\n",
        }
    }

    fn expiry(self) -> &'static str {
        match self {
            Self::Usual => "",
            Self::Brief => "write_expiry = \"2s\"\n",
        }
    }
}

/// With the default number of lanes the default numbers of partitions; with fewer, as many as there are lanes.
fn partitions(lanes: u32) -> String {
    const DEFAULT: u32 = 4;
    if lanes == DEFAULT {
        return String::new();
    }
    let kinds = ["notices", "changes", "facts", "receipts", "dead", "dead-state", "events"];
    kinds.map(|kind| format!("[topics.{kind}]\npartitions = {lanes}\n")).concat()
}
