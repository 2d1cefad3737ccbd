//! What a sweep tells, for people and for machines.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use serde::Serialize;
use twinlog_schemas::{SiteName, VersionRef};
use twinlog_sweep::What;

use super::around::Told;
use super::pair::Done;
use crate::args::SweepOptions;
use crate::exit::Failure;
use crate::show::shown;
use crate::verify::pairs::Pair;

/// Prints findings as they come, and the account at the end.
pub struct Shower<'a> {
    pair: &'a Pair,
    json: bool,
    dry_run: bool,
    terminal: bool,
}

/// A version that vanished, or (in a dry run) that would be asked for.
#[derive(Serialize)]
struct FoundLine<'a> {
    found: &'static str,
    bucket: &'a str,
    key: &'a str,
    version_id: &'a str,
    /// The only site that has it; none where both have it.
    only_at: Option<&'a str>,
}

/// The account.
#[derive(Serialize)]
struct AccountLine<'a> {
    bucket: &'a str,
    sites: [&'a str; 2],
    compared: u64,
    missing: u64,
    differing: u64,
    left: u64,
    given_up: u64,
    unread: u64,
    vanished: u64,
    vanished_at: BTreeMap<&'a str, u64>,
    dry_run: bool,
}

impl<'a> Shower<'a> {
    /// Of a bucket at a pair of sites.
    pub fn new(pair: &'a Pair, options: &SweepOptions) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { pair, json: options.json, dry_run: options.dry_run, terminal }
    }

    /// Prints what is worth a line.
    pub fn told(&self, told: &Told<'_>) {
        match told {
            Told::Found(version, what) => {
                if self.dry_run || matches!(what, What::Vanished { .. }) {
                    println!("{}", self.found(version, what));
                }
            }
            Told::DoneTo(key, account) if self.terminal => {
                let (compared, key) = (account.compared, shown(key.as_str()));
                // Nobody is told where the terminal is gone.
                let _ = write!(std::io::stderr(), "\r{compared} versions compared, up to {key}\u{1b}[K\r");
            }
            Told::DoneTo(..) => {}
        }
    }

    fn found(&self, version: &VersionRef, what: &What) -> String {
        let (word, only_at) = self.word(what);
        let (key, version_id) = (version.key.as_str(), version.version_id.as_str());
        if self.json {
            let bucket = version.bucket.as_str();
            let line = FoundLine { found: word, bucket, key, version_id, only_at: only_at.map(SiteName::as_str) };
            return serde_json::to_string(&line).unwrap_or_default();
        }
        let place = only_at.map_or_else(String::new, |site| format!(", at {site} only"));
        format!("{word}: {} version {version_id}{place}", shown(key))
    }

    fn word<'b>(&'b self, what: &'b What) -> (&'static str, Option<&'b SiteName>) {
        match what {
            What::Differs { .. } => ("differs", None),
            What::Missing { at } => ("missing", Some(at)),
            What::Left { gone_at } => ("left over", Some(self.pair.other(gone_at))),
            What::GivenUp { gone_at } => ("given up", Some(self.pair.other(gone_at))),
            What::Vanished { at } => ("vanished", Some(at)),
        }
    }

    /// The last line.
    pub fn account(&self, done: &Done) -> Result<String, Failure> {
        if self.json { self.json(done) } else { Ok(self.text(done)) }
    }

    fn json(&self, done: &Done) -> Result<String, Failure> {
        let (Pair { bucket, left, right }, account) = (self.pair, &done.account);
        let line = AccountLine {
            bucket: bucket.as_str(),
            sites: [left.as_str(), right.as_str()],
            compared: account.compared,
            missing: account.missing,
            differing: account.differing,
            left: account.left,
            given_up: account.given_up,
            unread: account.unread,
            vanished: done.vanished(),
            vanished_at: account.vanished.iter().map(|(site, count)| (site.as_str(), *count)).collect(),
            dry_run: self.dry_run,
        };
        serde_json::to_string(&line).map_err(|error| Failure::internal(error.to_string()))
    }

    fn text(&self, done: &Done) -> String {
        let (Pair { bucket, left, right }, account) = (self.pair, &done.account);
        let mut text = format!("bucket {bucket}: {left} and {right}: {} versions compared", account.compared);
        if let Some(after) = &done.after {
            text.push_str(&format!(" (going on after {})", shown(after.as_str())));
        }
        let asked = if self.dry_run { "would be asked for" } else { "asked for" };
        let counts = [
            (account.missing, "missing"),
            (account.differing, "differing"),
            (account.left, "removed and left over"),
            (account.given_up, "given up"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let counts = counts.collect::<Vec<_>>().join(", ");
        text.push_str(&if counts.is_empty() { format!(", nothing {asked}") } else { format!(", {asked}: {counts}") });
        if account.unread > 0 {
            text.push_str(&format!(", tags and locks of {} could not be read", account.unread));
        }
        match done.vanished() {
            0 => text,
            vanished => {
                text + &format!(
                    "\n{vanished} VANISHED: at one site only, and nothing says whether they were removed at the other or never came; \
                 they stay as they are until you say --create-missing or --remove"
                )
            }
        }
    }
}
