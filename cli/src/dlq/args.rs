//! The command line of `twinlog dlq`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlog_dead::{Cause, State};
use twinlog_log::Position;
use twinlog_schemas::{BucketName, SiteName};

use crate::config::parse_duration;

/// `twinlog dlq …`.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List dead letters, oldest first: by default those that are open.
    List(ListOptions),
    /// Show one letter whole: what the record says, why it is dead, its headers, what became of it.
    Show(ShowOptions),
    /// Ask the source to tell of the letters' versions afresh; have a notice told once more. Order per key is kept, what is gone or newer stays so,
    /// and it may be interrupted and repeated. What fails again has a new letter.
    Replay(ReplayOptions),
    /// Say of letters that they are not to be applied. Nothing is deleted; `--state discarded` lists them.
    Discard(DiscardOptions),
}

/// Which letters.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct Filter {
    /// Only the links into this site.
    #[arg(long, value_name = "SITE")]
    pub into: Option<SiteName>,
    /// Only the links from this site.
    #[arg(long, value_name = "SITE")]
    pub from: Option<SiteName>,
    /// Only this bucket.
    #[arg(long)]
    pub bucket: Option<BucketName>,
    /// Only object keys that begin so.
    #[arg(long)]
    pub prefix: Option<String>,
    /// Only this reason, e.g. access-denied.
    #[arg(long)]
    pub reason: Option<String>,
    /// Only letters written since then: so long ago (2h, 7d), or a time (2026-11-25T10:00:00Z).
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Only letters written before then.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Only letters in this state; open, unless letters are named.
    #[arg(long)]
    pub state: Option<StateChoice>,
    /// At most so many: site after site, the oldest first.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// `twinlog dlq list`.
#[derive(Debug, clap::Args)]
pub struct ListOptions {
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
    /// Print JSON: one object per line, all of them unless limited (the table shows 1,000).
    #[arg(long)]
    pub json: bool,
}

/// `twinlog dlq show`.
#[derive(Debug, clap::Args)]
pub struct ShowOptions {
    /// The letter, as `list` shows it.
    pub letter: Place,
    /// Only the letter of this site, where several have one of the same record.
    #[arg(long, value_name = "SITE")]
    pub into: Option<SiteName>,
    /// Write the record's value, byte for byte, into this file.
    #[arg(long, value_name = "FILE")]
    pub raw: Option<PathBuf>,
    /// Print JSON: one object per line.
    #[arg(long)]
    pub json: bool,
}

/// `twinlog dlq replay`.
#[derive(Debug, clap::Args)]
pub struct ReplayOptions {
    /// Letters, as `list` shows them.
    pub letters: Vec<Place>,
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
    /// Every open letter.
    #[arg(long)]
    pub all: bool,
    /// Only show what would be replayed.
    #[arg(long)]
    pub dry_run: bool,
    /// At most so many a second, e.g. 50/s.
    #[arg(long, value_name = "N/s", value_parser = parse_rate)]
    pub rate: Option<u32>,
    /// Who does it, for the record.
    #[arg(long, env = "USER", default_value = "operator")]
    pub by: String,
    /// Print JSON: one object per letter and line.
    #[arg(long)]
    pub json: bool,
}

/// `twinlog dlq discard`.
#[derive(Debug, clap::Args)]
pub struct DiscardOptions {
    /// Letters, as `list` shows them.
    pub letters: Vec<Place>,
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
    /// Every open letter.
    #[arg(long)]
    pub all: bool,
    /// Only show what would be discarded.
    #[arg(long)]
    pub dry_run: bool,
    /// Who decides it, for the record.
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    /// Print JSON: one object per letter and line.
    #[arg(long)]
    pub json: bool,
}

/// Which states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateChoice {
    /// Nothing was said of it yet.
    Open,
    /// It was asked for again.
    Replayed,
    /// The target was seen to be right.
    Healed,
    /// A person discarded it.
    Discarded,
    /// Whatever its state.
    All,
}

impl StateChoice {
    /// Whether a letter in this state is meant.
    pub fn fits(self, state: Option<State>) -> bool {
        match self {
            Self::All => true,
            Self::Open => State::word(state) == "open",
            Self::Replayed => state == Some(State::Replayed),
            Self::Healed => state == Some(State::Healed),
            Self::Discarded => state == Some(State::Discarded),
        }
    }
}

/// The place of the record that a letter is about: its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub Position);

impl FromStr for Place {
    type Err = twinlog_dead::cause::NoCause;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Cause::place(text).map(Self)
    }
}

/// A point in time as people give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long ago.
    Ago(Duration),
    /// Milliseconds since the Unix epoch.
    At(i64),
}

impl Moment {
    /// Milliseconds since the Unix epoch.
    pub fn ms(self, now_ms: i64) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::Ago(long) => now_ms.saturating_sub(i64::try_from(long.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
            let ms = at.unix_timestamp_nanos().div_euclid(1_000_000);
            return i64::try_from(ms).map(Self::At).map_err(|error| error.to_string());
        }
        let ago = parse_duration(text).map(Self::Ago);
        ago.map_err(|_| format!("{text:?} is no time: write e.g. \"2h\", \"7d\" or \"2026-11-25T10:00:00Z\""))
    }
}

/// Reads `50/s`, or `50`.
fn parse_rate(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse::<u32>().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{text:?} is no rate: write e.g. \"50/s\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_are_read_as_people_write_them() {
        assert_eq!("2h".parse(), Ok(Moment::Ago(Duration::from_secs(7_200))));
        assert_eq!("1970-01-01T00:00:01.5Z".parse(), Ok(Moment::At(1_500)));
        assert_eq!("1970-01-01T01:00:00+01:00".parse(), Ok(Moment::At(0)));
        for text in ["", "yesterday", "2026-11-25", "10"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
        assert_eq!((parse_rate("50/s"), parse_rate("7")), (Ok(50), Ok(7)));
        for text in ["0", "-1/s", "1/m", "fast", ""] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
        assert_eq!(Moment::Ago(Duration::from_secs(1)).ms(5_000), 4_000);
    }
}
