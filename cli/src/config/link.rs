//! `[[links]]`: what is replicated from where to where.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use twinlog_consumer::deaths::DeathLimits;
use twinlog_consumer::storm::StormLimits;
use twinlog_schemas::{BucketName, SiteName};

use super::duration::parse_duration;
use super::pattern::BucketPattern;
use super::section::Section;
use super::site::SiteConfig;

/// One direction between two sites; two links make a pair active-active.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkConfig {
    /// `source`: where changes are read. Required.
    pub source: SiteName,
    /// `target`: where they are applied. Required.
    pub target: SiteName,
    /// `buckets`: names or patterns. A bucket is replicated once it is also enabled (`twinlog bucket enable`).
    /// Default `["*"]`.
    pub buckets: Vec<BucketPattern>,
    /// `concurrency`: replica writes at a time per lane. Default 32.
    pub concurrency: usize,
    /// `inline_max_bytes`: bodies up to this size travel in the log, which spares the read at the source; it costs log
    /// volume, and copies of deleted data until the retention ends. 0 is never. Default 16,384.
    pub inline_max_bytes: u64,
    /// `lifecycle`: whether what the source's lifecycle removes is removed at the target too (`replicate`), or left to
    /// the target's own lifecycle (`local`). Default `replicate`.
    pub lifecycle: Lifecycle,
    /// `lag_threshold`: from which age the oldest change not yet applied is worth an alarm. Default `15m`.
    pub lag_threshold: Duration,
    /// `give_up_after`: how long a key may fail, while others of the link succeed, before it becomes a dead letter.
    /// Default `1h`.
    pub give_up_after: Duration,
    /// `delete_storm`: `{ window, removals, share }`: when so many removals by clients within the window of event time
    /// are at least this share of all changes, in percent, the bucket is held until `twinlog bucket release`.
    /// `removals = 0` switches the guard off. Default 1,000 removals in `10m`, 90 percent.
    pub delete_storm: StormLimits,
    /// `sweep_every`: how often each bucket is swept by itself, of both links of a pair the shorter; `None` is never.
    /// Default `never`.
    pub sweep_every: Option<Duration>,
    /// `too_many_dead_letters`: `{ window, letters, share }`: when so many dead letters within the window are at least
    /// this share of all records done, in percent, the bucket is held until `twinlog bucket release`, and what would be
    /// one more waits. Counted by each process, from its start on. `letters = 0` switches the guard off. Default 100
    /// letters in `10m`, 50 percent.
    pub too_many_dead_letters: DeathLimits,
}

/// A duration, or `never`.
struct Every(Option<Duration>);

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self(None));
        }
        match parse_duration(text) {
            Ok(every) if every >= Duration::from_secs(60) => Ok(Self(Some(every))),
            Ok(_) => Err("at least a minute, or \"never\"".to_owned()),
            Err(message) => Err(format!("{message}, or \"never\"")),
        }
    }
}

/// What happens with removals that a lifecycle rule made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// They are replicated as any other.
    Replicate,
    /// Each site expires for itself.
    Local,
}

const LIFECYCLES: [(&str, Lifecycle); 2] = [("replicate", Lifecycle::Replicate), ("local", Lifecycle::Local)];

impl LinkConfig {
    /// Whether the link carries this bucket.
    #[must_use]
    pub fn carries(&self, bucket: &BucketName) -> bool {
        self.buckets.iter().any(|pattern| pattern.matches(bucket))
    }

    /// `east>west`: how a link is named in metrics and messages.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}>{}", self.source, self.target)
    }

    fn read(mut section: Section<'_>, sites: &BTreeSet<String>, inline_limit: i64) -> Option<Self> {
        let source = read_end(&mut section, "source", sites);
        let target = read_end(&mut section, "target", sites);
        if source.is_some() && source == target {
            section.fault("source and target are the same site");
        }
        let buckets = read_buckets(&mut section);
        let concurrency = section.number_or("concurrency", 1, 4_096, 32);
        let inline_max_bytes = section.number_or("inline_max_bytes", 0, inline_limit, 16_384);
        let lifecycle = section.choice("lifecycle", &LIFECYCLES).unwrap_or(Lifecycle::Replicate);
        let lag_threshold = section.duration_or("lag_threshold", Duration::from_secs(900));
        let give_up_after = section.duration_or("give_up_after", Duration::from_secs(3_600));
        let delete_storm = read_storm(section.section("delete_storm"));
        let sweep_every = section.parsed::<Every>("sweep_every").and_then(|every| every.0);
        let too_many_dead_letters = read_deaths(section.section("too_many_dead_letters"));
        section.end();
        Some(Self {
            source: source?,
            target: target?,
            buckets,
            concurrency,
            inline_max_bytes,
            lifecycle,
            lag_threshold,
            give_up_after,
            delete_storm,
            sweep_every,
            too_many_dead_letters,
        })
    }
}

fn read_end(section: &mut Section<'_>, key: &str, sites: &BTreeSet<String>) -> Option<SiteName> {
    let origin = section.origin_of(key);
    let site = section.required::<SiteName>(key, "the name of a site")?;
    if !sites.contains(site.as_str()) {
        let known = sites.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        section.fault_at(origin, key, format!("there is no [sites.{site}]; there is {known}"));
        return None;
    }
    Some(site)
}

fn read_storm(mut section: Section<'_>) -> StormLimits {
    let default = StormLimits::default();
    let window = section.duration_or("window", default.window);
    let removals = section.number_or("removals", 0, i64::MAX, default.removals);
    let percent: u8 = section.number_or("share", 1, 100, 90);
    section.end();
    StormLimits { window, removals, share: f64::from(percent) / 100.0 }
}

fn read_deaths(mut section: Section<'_>) -> DeathLimits {
    let default = DeathLimits::default();
    let window = section.duration_or("window", default.window);
    let letters = section.number_or("letters", 0, i64::MAX, default.letters);
    let percent: u8 = section.number_or("share", 1, 100, 50);
    section.end();
    DeathLimits { window, letters, share: f64::from(percent) / 100.0 }
}

fn read_buckets(section: &mut Section<'_>) -> Vec<BucketPattern> {
    let origin = section.origin_of("buckets");
    let texts = section.texts("buckets").unwrap_or_else(|| vec![(origin.clone(), "*".to_owned())]);
    if texts.is_empty() {
        section.fault_at(origin, "buckets", "it names no bucket: write [\"*\"] for all");
    }
    let patterns = texts.into_iter().filter_map(|(origin, text)| {
        text.parse().map_err(|message: String| section.fault_at(origin, "buckets", message)).ok()
    });
    patterns.collect()
}

/// Reads all links. `declared` are the names of all sites, whether they could be read or not; `sites` those that could.
pub(super) fn read_all(
    root: &mut Section<'_>,
    declared: &BTreeSet<String>,
    sites: &BTreeMap<SiteName, SiteConfig>,
    inline_limit: i64,
) -> Vec<LinkConfig> {
    let mut links: Vec<LinkConfig> = Vec::new();
    for section in root.list("links") {
        let (origin, path) = (section.origin.clone(), section.path.clone());
        let Some(link) = LinkConfig::read(section, declared, inline_limit) else { continue };
        if links.iter().any(|other| (&other.source, &other.target) == (&link.source, &link.target)) {
            let message = format!("there is a link {} already: put the buckets of both into one", link.name());
            root.fault_at(origin.clone(), &path, message);
        }
        if let (Some(from), Some(to)) = (sites.get(&link.source), sites.get(&link.target))
            && from.dialect != to.dialect
        {
            let message = format!(
                "link {} goes from {} to {}: links between different dialects are not supported yet",
                link.name(),
                from.dialect,
                to.dialect
            );
            root.fault_at(origin, &path, message);
        }
        links.push(link);
    }
    links
}
