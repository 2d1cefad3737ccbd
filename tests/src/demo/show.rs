//! What is shown, in which order.

use std::{path::PathBuf, time::Duration};

use super::{
    table::{Row, Table},
    traffic::Traffic,
};
use crate::{
    compare::{Comparison, Depth, compare},
    deployment::{Progress, Scraper},
    lab_error::LabError,
    metrics::Metrics,
    pair::{Pair, PairOptions},
    server::{Life, StoreKind},
    site::Site,
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// How long the log may take to be done at the end.
const DRAIN: Duration = Duration::from_secs(60);

/// What to show.
#[derive(Debug, Clone)]
pub struct Show {
    /// On which store.
    pub kind: StoreKind,
    /// Where everything goes.
    pub folder: PathBuf,
    /// The seed of the clients.
    pub seed: u64,
    /// How long both sites are written to before and after the outage.
    pub together: Duration,
    /// How long a site is away.
    pub away: Duration,
}

/// Shows it, and returns how the two buckets compare at the end.
///
/// # Errors
/// Whatever does not come up, or does not answer.
pub async fn run(show: Show) -> Result<Comparison, LabError> {
    let mut table = Table::new();
    let options = PairOptions {
        kind: show.kind,
        folder: show.folder.clone(),
        bucket: "demo".to_owned(),
        life: Life::Bound,
        wired: false,
    };
    let mut pair = Pair::start(options, |what| println!("{what}")).await?;
    let buckets = Site::BOTH.map(|site| pair.deployment.bucket(site, &pair.bucket));
    let progress = pair.deployment.progress().clone();
    let scraper = pair.deployment.scraper().clone();
    let traffic = Traffic::begin(buckets, show.seed);
    let mut watch = Watch { traffic, progress, scraper, looks: [Look::default(), Look::default()] };
    table.say("both sites are written to: small and large objects, tags, retention, overwrites, deletes, multipart");
    watch.during(&mut table, tokio::time::sleep(show.together)).await;

    table.say("site west is stopped, its store and the Twinlog beside it; writes go on at east");
    watch.traffic.rest(Site::West, true);
    watch.during(&mut table, pair.stop_site(Site::West)).await?;
    watch.during(&mut table, tokio::time::sleep(show.away)).await;

    table.say("site west is started again; what waited in the log drains by itself");
    watch.during(&mut table, pair.start_site(Site::West)).await?;
    watch.traffic.rest(Site::West, false);
    watch.during(&mut table, tokio::time::sleep(show.together)).await;

    watch.traffic.end().await;
    table.say("writing has stopped; waiting until the log is done");
    watch.during(&mut table, pair.deployment.drained(DRAIN)).await?;
    watch.draw(&mut table).await;
    for (operation, many) in watch.traffic.done() {
        print!("{operation:?} {many}  ");
    }
    let refused: u64 = Site::BOTH.map(|site| watch.traffic.refused(site)).iter().sum();
    println!("refused {refused}");
    println!("(a change that changed nothing, or that a later one overtook, needs no replica write of its own)");

    table.say("comparing the two buckets, version by version, every byte");
    verdict(&pair).await
}

/// Compares until equal: a late notice may still be on its way. Where they do not become so, that is the verdict.
async fn verdict(pair: &Pair) -> Result<Comparison, LabError> {
    match pair.deployment.equal(&pair.bucket, u64::MAX, DRAIN).await {
        Err(LabError::NotInTime { .. }) => {
            let [east, west] = Site::BOTH.map(|site| pair.deployment.bucket(site, &pair.bucket));
            Ok(compare(&east, &west, Depth::ALL).await?)
        }
        compared => compared,
    }
}

/// What the table is drawn from.
struct Watch {
    traffic: Traffic,
    progress: Progress,
    scraper: Scraper,
    looks: [Look; 2],
}

impl Watch {
    /// Draws the table again and again while something else goes on.
    async fn during<T>(&mut self, table: &mut Table, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let drawing = async {
            loop {
                self.draw(table).await;
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            done = &mut work => done,
            never = drawing => never,
        }
    }

    async fn draw(&mut self, table: &mut Table) {
        let backlog = self.progress.backlog().await.ok();
        let mut rows = [Row::default(), Row::default()];
        for source in Site::BOTH {
            let scraped = self.scraper.metrics(source.other()).await.ok();
            let row = &mut rows[source.index()];
            row.written = self.traffic.changes(source);
            row.backlog = backlog.as_ref().map(|backlog| backlog.from(source));
            (row.replicated, row.lag) = self.looks[source.index()].look(source, scraped.as_ref());
        }
        table.show(&rows[0], &rows[1]);
    }
}

/// What the last look at a direction found, for what changed since.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    /// The sum of the lags, and how many.
    sum: f64,
    count: f64,
    /// Replica writes of this process.
    done: f64,
    /// Those of processes that were stopped since: a restarted one counts from zero.
    before: f64,
}

impl Look {
    /// How much was written at the target, and how late what was written since the last look was.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
    fn look(&mut self, source: Site, scraped: Option<&Metrics>) -> (Option<u64>, Option<f64>) {
        let Some(metrics) = scraped else { return (None, None) };
        let link = format!("{source}>{}", source.other());
        let of = |name: &str| metrics.sum(name, &[("link", &link)]);
        let (sum, count) = (of("twinlog_replication_lag_seconds_sum"), of("twinlog_replication_lag_seconds_count"));
        let done = of("twinlog_replica_writes_total");
        if done < self.done {
            self.before += self.done;
            (self.sum, self.count) = (0.0, 0.0);
        }
        self.done = done;
        let crossed = count - self.count;
        let lag = (crossed > 0.0).then(|| (sum - self.sum) / crossed);
        (self.sum, self.count) = (sum, count);
        (Some((self.before + done) as u64), lag)
    }
}
