//! What is shown, in which order.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    table::{Row, Table},
    traffic::Traffic,
};
use crate::{
    compare::{Comparison, Depth, compare},
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
    let options =
        PairOptions { kind: show.kind, folder: show.folder.clone(), bucket: "demo".to_owned(), life: Life::Bound };
    let pair = Pair::start(options, |what| println!("{what}")).await?;
    let buckets = Site::BOTH.map(|site| pair.deployment.bucket(site, &pair.bucket));
    let mut stage = On { traffic: Traffic::begin(buckets, show.seed), pair, looks: [Look::default(), Look::default()] };
    table.say("both sites are written to: small and large objects, tags, retention, overwrites, deletes, multipart");
    stage.watch(&mut table, show.together).await;

    table.say("site west is stopped, its store and the Twinlog beside it; writes go on at east");
    stage.traffic.rest(Site::West, true);
    stage.pair.stop_site(Site::West).await?;
    stage.watch(&mut table, show.away).await;

    table.say("site west is started again; what waited in the log drains by itself");
    stage.pair.start_site(Site::West).await?;
    stage.traffic.rest(Site::West, false);
    stage.watch(&mut table, show.together).await;

    stage.traffic.end().await;
    table.say("writing has stopped; waiting until the log is done");
    stage.drained(&mut table).await?;
    for (operation, many) in stage.traffic.done() {
        print!("{operation:?} {many}  ");
    }
    let refused: u64 = Site::BOTH.map(|site| stage.traffic.refused(site)).iter().sum();
    println!("refused {refused}");

    table.say("comparing the two buckets, version by version, every byte");
    stage.verdict().await
}

struct On {
    traffic: Traffic,
    pair: Pair,
    looks: [Look; 2],
}

/// What the last look at the lag of a direction found.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    sum: f64,
    count: f64,
    /// Of processes that were stopped since: a restarted one counts from zero.
    before: f64,
    done: f64,
}

impl On {
    async fn watch(&mut self, table: &mut Table, how_long: Duration) {
        let until = Instant::now() + how_long;
        while Instant::now() < until {
            self.draw(table).await;
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn drained(&mut self, table: &mut Table) -> Result<(), LabError> {
        let until = Instant::now() + DRAIN;
        loop {
            self.draw(table).await;
            let backlog = self.pair.deployment.progress().backlog().await?;
            if backlog.total() == 0 {
                return Ok(());
            }
            if Instant::now() > until {
                let last = backlog.to_string();
                return Err(LabError::NotInTime { what: "the log was not done".to_owned(), within: DRAIN, last });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn draw(&mut self, table: &mut Table) {
        let backlog = self.pair.deployment.progress().backlog().await.ok();
        let mut rows = [Row::default(), Row::default()];
        for source in Site::BOTH {
            let scraped = self.pair.deployment.metrics(source.other()).await.ok();
            let row = &mut rows[source.index()];
            row.written = self.traffic.changes(source);
            row.backlog = backlog.as_ref().map(|backlog| backlog.from(source));
            (row.replicated, row.lag) = self.looks[source.index()].look(source, scraped.as_ref());
        }
        table.show(&rows[0], &rows[1]);
    }

    /// Compares once more where the first comparison differs: a late notice may still be on its way.
    async fn verdict(&self) -> Result<Comparison, LabError> {
        let [east, west] = Site::BOTH.map(|site| self.pair.deployment.bucket(site, &self.pair.bucket));
        match self.pair.deployment.equal(&self.pair.bucket, u64::MAX, DRAIN).await {
            Err(LabError::NotInTime { .. }) => Ok(compare(&east, &west, Depth::ALL).await?),
            compared => compared,
        }
    }
}

impl Look {
    /// How much is done and how late what was done since the last look was.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
    fn look(&mut self, source: Site, scraped: Option<&Metrics>) -> (Option<u64>, Option<f64>) {
        let Some(metrics) = scraped else { return (None, None) };
        let link = format!("{source}>{}", source.other());
        let of = |name: &str| metrics.sum(name, &[("link", &link)]);
        let (sum, count) = (of("twinlog_replication_lag_seconds_sum"), of("twinlog_replication_lag_seconds_count"));
        let done = of("twinlog_events_done_total");
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
