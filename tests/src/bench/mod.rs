//! `./justw bench`: how fast, how lean, and beside it the store's own replication, in the same run on the same servers.

mod backlog;
mod burst;
mod lag;
mod large;
pub mod own;
mod process;
mod report;
mod requests;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use rand::{SeedableRng, rngs::SmallRng};

pub use backlog::{Backlog, BacklogReport, run as run_backlog};
pub use report::Report;

use self::burst::Burst;
use crate::{
    bucket::{self, Lock},
    compare::Bucket,
    lab_error::LabError,
    pair::{Pair, PairOptions},
    server::{Life, StoreKind},
    site::Site,
    workload::body,
};

/// The size of the objects of which there are many.
pub const SMALL: usize = 4096;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Bench {
    /// On which store.
    pub kind: StoreKind,
    /// Where everything goes.
    pub folder: PathBuf,
    /// Objects whose lag is taken, one after the other.
    pub samples: usize,
    /// Objects of a burst.
    pub burst: usize,
    /// Clients that write it.
    pub clients: usize,
    /// Bytes of the large object; none is written if 0.
    pub large: u64,
    /// How long the idle pair is watched.
    pub idle: Duration,
}

/// The buckets: by Twinlog, by the store itself, and by nobody.
struct Buckets {
    ours: [Bucket; 2],
    own: [Bucket; 2],
    plain: Bucket,
}

/// Measures everything; `tell` hears what is being done.
///
/// # Errors
/// Whatever does not come up, or does not arrive.
pub async fn run(bench: &Bench, tell: impl Fn(&str)) -> Result<Report, LabError> {
    let options = PairOptions {
        kind: bench.kind,
        folder: bench.folder.clone(),
        bucket: "ours".to_owned(),
        life: Life::Bound,
        wired: false,
    };
    let mut pair = Pair::start(options, &tell).await?;
    let buckets = buckets(&pair).await?;
    let [from, to] = &pair.stores;
    own::replicate((from, &buckets.own[0].name), (to, &buckets.own[0].name)).await?;
    let mut report = Report::new(bench);

    tell("lag of single objects");
    for (name, between) in [("Twinlog", &buckets.ours), ("own", &buckets.own)] {
        // The first few find caches and connections cold.
        lag::measure(between, bench.samples / 10 + 1, "warm").await?;
        report.lag(name, lag::measure(between, bench.samples, "lag").await?);
    }

    tell("bursts");
    for name in ["without replication", "Twinlog", "own"] {
        // The broker translates what it runs while it runs it, and a store's first writes find its caches cold: neither
        // is what a burst costs.
        let warm = Burst { folder: "burst-warm", objects: bench.burst / 2, clients: bench.clients };
        burst_of(name, &buckets, warm).await?;
        settled(&mut pair).await?;
        // What comes after a burst (the sure door's copies, audit records) is part of what it costs, and none of what
        // the next one costs.
        let before = cpu(&mut pair)?;
        let (written, arrived) =
            burst_of(name, &buckets, Burst { folder: "burst", objects: bench.burst, ..warm }).await?;
        report.burst(name, written, arrived);
        settled(&mut pair).await?;
        let after = cpu(&mut pair)?;
        report.cpu(
            name,
            after.into_iter().zip(before).map(|((who, after), (_, before))| (who, after - before)).collect(),
        );
    }

    if bench.large > 0 {
        tell("one large object");
        let pids = pids(&mut pair)?;
        pids.iter().for_each(|pid| process::forget_peak(*pid));
        let took = large::measure(&buckets.ours, bench.large).await?;
        report.large(took, pids.map(process::peak_memory));
    }

    tell("an idle pair");
    settled(&mut pair).await?;
    let pids = pids(&mut pair)?;
    let before = pids.map(process::cpu_seconds);
    tokio::time::sleep(bench.idle).await;
    let after = pids.map(process::cpu_seconds);
    let used = |at: usize| Some(after[at]? - before[at]?);
    report.idle([used(0), used(1)]);

    tell("requests per object");
    report.requests(requests::measure(&mut pair, &buckets.ours).await?);
    Ok(report)
}

/// One burst, replicated by whom `name` says.
async fn burst_of(name: &str, buckets: &Buckets, burst: Burst) -> Result<(f64, Option<f64>), LabError> {
    match name {
        "Twinlog" => burst::measure(&buckets.ours, burst).await,
        "own" => burst::measure(&buckets.own, burst).await,
        _ => Ok((burst::write(&buckets.plain, burst).await?, None)),
    }
}

/// Waits until every server is quiet: the sure door's copies of a burst's notices, and audit records, come for a while.
async fn settled(pair: &mut Pair) -> Result<(), LabError> {
    /// The length of the silence is what is looked for, and how much of a core it may take.
    const SILENCE: Duration = Duration::from_secs(2);
    const QUIET: f64 = 0.25;
    let total = |pair: &mut Pair| cpu(pair).map(|used| used.iter().map(|(_, seconds)| seconds).sum::<f64>());
    let until = Instant::now() + Duration::from_secs(120);
    let mut before = total(pair)?;
    loop {
        tokio::time::sleep(SILENCE).await;
        let now = total(pair)?;
        let used = (now - before) / SILENCE.as_secs_f64();
        before = now;
        if used < QUIET {
            return Ok(());
        }
        if Instant::now() > until {
            let last = format!("{:.0} % of a core used still", used * 100.0);
            return Err(LabError::NotInTime {
                what: "the servers did not become quiet".to_owned(),
                within: Duration::from_secs(120),
                last,
            });
        }
    }
}

/// Processor time so far of every server, in seconds.
fn cpu(pair: &mut Pair) -> Result<Vec<(&'static str, f64)>, LabError> {
    let [twinlog_east, twinlog_west] = pids(pair)?;
    let pids = [
        ("Kafka", pair.kafka.process()?.pid()),
        ("store east", pair.store(Site::East).process()?.pid()),
        ("store west", pair.store(Site::West).process()?.pid()),
        ("Twinlog east", twinlog_east),
        ("Twinlog west", twinlog_west),
    ];
    Ok(pids.map(|(who, pid)| (who, process::cpu_seconds(pid).unwrap_or(f64::NAN))).into())
}

fn pids(pair: &mut Pair) -> Result<[u32; 2], LabError> {
    Ok([pair.deployment.process(Site::East)?.pid(), pair.deployment.process(Site::West)?.pid()])
}

async fn buckets(pair: &Pair) -> Result<Buckets, LabError> {
    let at = |name: &str| Site::BOTH.map(|site| pair.deployment.bucket(site, name));
    let (own, [plain, _]) = (at("own"), at("plain"));
    for bucket in own.iter().chain([&plain]) {
        bucket::make(&bucket.client, &bucket.name, Lock::On).await?;
    }
    Ok(Buckets { ours: at(&pair.bucket), own, plain })
}

/// A body of a small object.
fn small(number: usize) -> bytes::Bytes {
    body(&mut SmallRng::seed_from_u64(number as u64), SMALL)
}
