//! The command line.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlog_schemas::{BucketName, SiteName};

use crate::build;
use crate::config::parse_duration;
use crate::dlq::args::DlqCommand;

/// Exit codes, as `--help` shows them.
const EXITS: &str = "Exit codes: 0 done; 1 findings (a check failed, a bucket was refused, buckets differ, a letter cannot be replayed); 2 wrong command line; \
64 configuration not valid; 69 a cluster or site cannot be reached; 70 internal error.";

/// Active-active replication of S3 buckets between sites over a Kafka log.
#[derive(Debug, Parser)]
#[command(name = "twinlog", version = build::LONG, after_help = EXITS)]
pub struct Args {
    /// The configuration file.
    #[arg(long, short, global = true, env = "TWINLOG_CONFIG", default_value = "/etc/twinlog/twinlog.toml")]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run beside a site: its producer, and the consumers that write into it.
    Run(RunOptions),
    /// Switch the replication of a bucket on and off, and see what is on.
    Bucket {
        /// What to do.
        #[command(subcommand)]
        command: BucketCommand,
    },
    /// Show how each bucket of each link stands: what waits, what is held and why, and what to do.
    Status(StatusOptions),
    /// List, show, replay and discard dead letters: records that could not be applied, notices that could not be captured.
    Dlq {
        /// What to do.
        #[command(subcommand)]
        command: DlqCommand,
    },
    /// Have a stretch of the log read once more.
    Offsets {
        /// What to do.
        #[command(subcommand)]
        command: OffsetsCommand,
    },
    /// Show which topics exist, which are missing, and what they cost in partitions.
    Topics(Json),
    /// Check sites, clusters, clocks, buckets and permissions; changes nothing.
    Doctor(DoctorOptions),
    /// Compare buckets at both ends of the links, version by version, through S3 alone; changes nothing.
    Verify(VerifyOptions),
    /// Find what no notice told: compare the sites' listings and ask for what is missing. Safe to interrupt and to repeat.
    Sweep(SweepOptions),
    /// Check the configuration, or print an example.
    Config {
        /// What to do.
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// `twinlog run`.
#[derive(Debug, clap::Args)]
pub struct RunOptions {
    /// The site to run beside.
    #[arg(long, value_name = "SITE")]
    pub at: SiteName,
    /// Run one half only.
    #[arg(long)]
    pub only: Option<Half>,
}

/// One half of what belongs beside a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Half {
    /// Notices in, change events out.
    Producer,
    /// Change events of the other sites in, replica writes into this site.
    Consumer,
}

/// `twinlog bucket …`.
#[derive(Debug, Subcommand)]
pub enum BucketCommand {
    /// Check both ends, create the topics, subscribe to the notices. Does nothing twice.
    Enable(EnableOptions),
    /// Take the subscription out again. Topics and what is in them stay.
    Disable(DisableOptions),
    /// Show the buckets of every link and their state.
    List(Json),
    /// Let a bucket go on that waits for a person: after a delete storm, or made anew at one end.
    Release(ReleaseOptions),
    /// Stop applying a bucket until it is resumed; its changes wait in the log.
    Pause(SteerOptions),
    /// Let a paused bucket go on.
    Resume(SteerOptions),
}

/// `twinlog bucket release`.
#[derive(Debug, clap::Args)]
pub struct ReleaseOptions {
    /// Which bucket, of which links.
    #[command(flatten)]
    pub steer: SteerOptions,
    /// Also take back the request to sweep it: the sites were compared (`twinlog verify`), and nothing differs. Without
    /// `--into`, also that for notices which the source has lost.
    #[arg(long)]
    pub swept: bool,
}

/// `twinlog bucket release|pause|resume`.
#[derive(Debug, clap::Args)]
pub struct SteerOptions {
    /// The bucket.
    pub bucket: BucketName,
    /// Only the link into this site.
    #[arg(long, value_name = "SITE")]
    pub into: Option<SiteName>,
    /// Only the link from this site.
    #[arg(long, value_name = "SITE")]
    pub from: Option<SiteName>,
    /// Who decides it, for the record.
    #[arg(long, env = "USER", default_value = "operator")]
    pub by: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `twinlog offsets …`.
#[derive(Debug, Subcommand)]
pub enum OffsetsCommand {
    /// Have the consumers beside a site read a bucket's change events once more, from a time on. What is as it should be
    /// stays so. Asking again changes nothing.
    Rewind(RewindOptions),
}

/// `twinlog offsets rewind`.
#[derive(Debug, clap::Args)]
pub struct RewindOptions {
    /// The site beside which they are read.
    #[arg(long, value_name = "SITE")]
    pub at: SiteName,
    /// Only what comes from this site.
    #[arg(long, value_name = "SITE")]
    pub from: Option<SiteName>,
    /// The bucket.
    #[arg(long)]
    pub bucket: BucketName,
    /// From which time on, RFC 3339, e.g. 2026-11-25T08:00:00Z; the time at which an event was written counts.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub to: OffsetDateTime,
    /// Say what would be read once more, and ask for nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Who decides it, for the record.
    #[arg(long, env = "USER", default_value = "operator")]
    pub by: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

fn parse_time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|error| format!("{error}; write it like 2026-11-25T08:00:00Z"))
}

/// `twinlog status`.
#[derive(Debug, clap::Args)]
pub struct StatusOptions {
    /// Only this bucket.
    #[arg(long)]
    pub bucket: Option<BucketName>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `twinlog bucket enable`.
#[derive(Debug, clap::Args)]
pub struct EnableOptions {
    /// The bucket; it has the same name at every site.
    pub bucket: BucketName,
    /// Print the commands that create the topics needed, and do nothing.
    #[arg(long, conflicts_with = "json")]
    pub print_topics: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `twinlog bucket disable`.
#[derive(Debug, clap::Args)]
pub struct DisableOptions {
    /// The bucket.
    pub bucket: BucketName,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `twinlog doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorOptions {
    /// Only this bucket, enabled or not.
    #[arg(long)]
    pub bucket: Option<BucketName>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `twinlog verify`.
#[derive(Debug, clap::Args)]
pub struct VerifyOptions {
    /// Only links from or to this site.
    #[arg(long, value_name = "SITE")]
    pub at: Option<SiteName>,
    /// Only this bucket, enabled or not.
    #[arg(long)]
    pub bucket: Option<BucketName>,
    /// Only keys that begin so.
    #[arg(long, default_value = "")]
    pub prefix: String,
    /// Read every body at both ends and compare the digests.
    #[arg(long)]
    pub bodies: bool,
    /// Look again at the keys that differ until they are equal, for at most so long, e.g. 5m.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub wait: Option<Duration>,
    /// Print JSON: one line per bucket and pair of sites.
    #[arg(long)]
    pub json: bool,
}

/// `twinlog sweep`.
#[derive(Debug, clap::Args)]
pub struct SweepOptions {
    /// Only links from or to this site.
    #[arg(long, value_name = "SITE")]
    pub at: Option<SiteName>,
    /// Only this bucket; it must be enabled.
    #[arg(long)]
    pub bucket: Option<BucketName>,
    /// Only keys that begin so.
    #[arg(long, default_value = "")]
    pub prefix: String,
    /// Say what would be asked for, and ask for nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Compare the listings only: no read of each version, but changes of tags and locks are not found.
    #[arg(long)]
    pub listings_only: bool,
    /// Create versions that vanished, where they are lacking: you know that they were not removed there.
    #[arg(long, requires = "by", conflicts_with = "remove")]
    pub create_missing: bool,
    /// Remove versions that vanished, where they still are: you know that they were removed at the other site. Locks are
    /// respected as for any removal.
    #[arg(long, requires = "by")]
    pub remove: bool,
    /// Who decides what becomes of versions that vanished, for the record.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Look at and ask for at most so many versions in a second.
    #[arg(long, value_name = "N", default_value = "1000")]
    pub rate: NonZeroU32,
    /// How long a difference must last to be none that is under way: longer than the stores' notices take.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "10s")]
    pub settle: Duration,
    /// Begin at the first key, also where an earlier sweep was interrupted.
    #[arg(long)]
    pub from_start: bool,
    /// Print JSON: a line for each version that vanished, and one for each bucket and pair of sites.
    #[arg(long)]
    pub json: bool,
}

/// Commands whose only option is the form of their output.
#[derive(Debug, clap::Args)]
pub struct Json {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `twinlog config …`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration and tell every fault.
    Check,
    /// Print a commented example with every key.
    Example,
}
