//! `./justw bench`: how fast, how lean, and beside it the store's own replication, in the same run on the same servers.

mod burst;
mod lag;
mod large;
mod own;
mod process;
mod report;
mod requests;

use std::{path::PathBuf, time::Duration};

use rand::{SeedableRng, rngs::SmallRng};

pub use report::Report;

use crate::{
    bucket::{self, Lock},
    compare::Bucket,
    lab_error::LabError,
    pair::{Pair, PairOptions},
    server::{Life, StoreKind},
    site::Site,
    until::until,
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
    let options =
        PairOptions { kind: bench.kind, folder: bench.folder.clone(), bucket: "ours".to_owned(), life: Life::Bound };
    let mut pair = Pair::start(options, &tell).await?;
    let buckets = buckets(&pair).await?;
    own::replicate(&pair, &buckets.own[0].name).await?;
    let mut report = Report::new(bench);

    tell("lag of single objects");
    for (name, between) in [("Twinlog", &buckets.ours), ("own", &buckets.own)] {
        // The first few find caches and connections cold.
        lag::measure(between, bench.samples / 10 + 1, "warm").await?;
        report.lag(name, lag::measure(between, bench.samples, "lag").await?);
    }

    tell("bursts");
    let nobody = burst::write(&buckets.plain, bench.burst, bench.clients).await?;
    report.burst("without replication", nobody, None);
    for (name, between) in [("Twinlog", &buckets.ours), ("own", &buckets.own)] {
        let before = cpu(&mut pair)?;
        let (written, arrived) = burst::measure(between, bench.burst, bench.clients).await?;
        report.burst(name, written, Some(arrived));
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
    settled(&pair).await?;
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

/// Waits until nothing is written to the log any more: the sure door's copies of a burst's notices come for a while.
async fn settled(pair: &Pair) -> Result<(), LabError> {
    let mut before = Default::default();
    until("the log went on growing", Duration::from_secs(120), async || {
        let now = pair.deployment.progress().written().await?;
        let grew = std::mem::replace(&mut before, now.clone()) != now;
        // The length of the silence is what is looked for.
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok(if grew { Err(format!("{now:?}")) } else { Ok(()) })
    })
    .await
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
