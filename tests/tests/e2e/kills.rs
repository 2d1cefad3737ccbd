//! Processes that are killed, stopped and moved about under load, many times.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_s3::primitives::ByteStream;
use twinlog_log::{KafkaConfig, KafkaLog, Ledger, Log, TopicPartition, Topics};
use twinlog_tests::{
    bucket::Lock,
    compare::{Listing, list},
    deployment::{Half, Member, Pace},
    kills::{self, Account, Fleet, Kills, Watch},
    lab::{Own, Stage, StageOptions},
    load::Load,
    proxy::{Fault, Wanted},
    site::Site,
    until::until,
    workload::Mix,
};

use crate::scenario::{Failure, Outcome, scenarios};

const PROXIED: StageOptions = StageOptions { own: Own::Nothing, lock: Lock::On, proxies: true };

scenarios!(
    prepared:
    done_above_a_stuck_key(PROXIED),
    killed_at_random(PROXIED),
    shared_by_several(PROXIED),
    stopped_past_their_session(PROXIED),
);

const SOON: Duration = Duration::from_secs(120);

/// Scenario: ten times, producer, consumer or both in one process are killed (SIGKILL) at a random moment under load and
/// started again. Guarantees: 0 differences, no version twice, no marker that nobody made, no upload left over, no dead
/// letter; no more is done again than was in flight.
async fn killed_at_random(stage: &mut Stage) -> Outcome {
    stage.deployment.change(|parts| parts.pace = Pace::Brief)?;
    stage.deployment.enable(&stage.bucket).await?;
    let ways = stage.proxies.as_ref().ok_or("no proxies")?;
    let seed = if stage.kind().name() == "minio" { 1 } else { 2 };
    let report = kills::run(&stage.deployment, &stage.bucket, ways, Kills { seed, kills: 10 }).await?;
    println!("kills on {}, seed {seed}: {report}", stage.kind());
    Ok(())
}

/// Scenario: one key is refused while a hundred others cross; then its consumer is killed (SIGKILL) and started again, and the
/// key is taken. Guarantee: of all that stands behind that key in the log nothing is done again, because the commit says
/// what was finished above it.
async fn done_above_a_stuck_key(stage: &mut Stage) -> Outcome {
    const OTHERS: usize = 100;
    stage.deployment.change(|parts| parts.pace = Pace::Brief)?;
    stage.deployment.enable(&stage.bucket).await?;
    stage.deployment.start_both().await?;
    let [_, west] = stage.proxies.as_ref().ok_or("no proxies")?;
    (0..1_000).for_each(|_| west.inject(Wanted::new("PUT", "/stuck?"), Fault::Reject));
    let east = stage.at(Site::East);
    for key in std::iter::once("stuck".to_owned()).chain((0..OTHERS).map(|number| format!("other {number}"))) {
        east.client.put_object().bucket(&east.name).key(key).body(ByteStream::from_static(b"content")).send().await?;
    }
    until("the others were not committed as done", SOON, async || {
        let undone = undone(stage).await.map_err(|error| error.to_string());
        Ok(if undone == Ok(1) { Ok(()) } else { Err(format!("not done: {undone:?}")) })
    })
    .await?;
    stage.deployment.kill(Site::West)?;
    stage.proxies.iter().flatten().for_each(|way| way.withdraw());
    stage.deployment.start(Site::West)?;
    stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    let labels = [("link", "east>west"), ("bucket", stage.bucket.as_str())];
    let done = stage.deployment.metrics(Site::West).await?.sum("twinlog_events_done_total", &labels);
    assert_eq!(done, 1.0, "records of the link that the new process has done");
    Ok(())
}

/// How many change events from the east the consumer at the west has not committed as done.
async fn undone(stage: &Stage) -> Result<i64, Failure> {
    let parts = stage.deployment.parts();
    let (topics, west) = (Topics::new(&parts.prefix)?, "west".parse()?);
    let changes = topics.changes(&"east".parse()?, &stage.bucket.parse()?);
    let log = KafkaLog::connect(KafkaConfig::new(parts.brokers.as_str(), "kills")).await?;
    let partitions = log.topic(&changes).await?.map_or(0, |info| info.partitions);
    let partitions: Vec<_> =
        (0..partitions).map(|partition| TopicPartition { topic: changes.clone(), partition }).collect();
    let committed = log.committed(&topics.group(&west, "apply"), &partitions).await?;
    let mut undone = 0;
    for partition in &partitions {
        let next = log.watermarks(partition).await?.next;
        undone += match committed.get(partition) {
            Some(committed) => Ledger::restore(committed)?.undone_below(next),
            None => next,
        };
    }
    Ok(undone)
}

/// Scenario: under load two more consumers join the one beside a site; then each in turn is stopped in good order and
/// started again, one of them with nothing left on its disk; then two leave. Guarantees: everything is handed over
/// cleanly: nothing is lost, and nothing at all is done twice.
async fn shared_by_several(stage: &mut Stage) -> Outcome {
    stage.deployment.change(|parts| parts.lanes = 3)?;
    stage.deployment.enable(&stage.bucket).await?;
    let sites = Site::BOTH.map(|site| stage.at(site));
    let watch = Watch::begin(stage.proxies.as_ref().ok_or("no proxies")?, &stage.bucket);
    let mut fleet = Fleet::of(&stage.deployment, Site::East, 0)?;
    fleet.start().await?;
    let load = Load::begin(&sites, &Mix::tags(), 3);
    let mut more = Vec::new();
    for name in ["second", "third"] {
        let mut member = stage.deployment.member(name, Site::West, Some(Half::Consumer))?;
        member.start()?;
        member.ready().await?;
        load.more(10).await?;
        more.push(member);
    }
    let first = fleet.members().iter_mut().filter(|member| !member.runs(Half::Producer));
    for (number, member) in first.chain(&mut more).enumerate() {
        member.stop().await?;
        load.more(10).await?;
        if number == 1 {
            member.forget()?;
        }
        member.start()?;
        member.ready().await?;
        load.more(10).await?;
    }
    for mut member in more {
        member.stop().await?;
        load.more(10).await?;
    }
    let ledger = load.end().await?;
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    let uploads = kills::clean(&stage.deployment, &stage.bucket, &ledger).await?;
    let account = Account::of(&stage.deployment, &stage.bucket, &ledger, &watch).await?;
    println!("shared by several on {}: {} versions EQUAL; {account}", stage.kind(), compared.versions);
    assert_eq!(uploads, [0, 0], "uploads that nobody knows of");
    assert_eq!(account.writes.map(|work| work.again), [0, 0], "{account}");
    assert_eq!((account.events.map(|work| work.again), account.receipts_twice), ([0, 0], [0, 0]), "{account}");
    fleet.stop().await?;
    Ok(())
}

/// Scenario: of two consumers beside a site, one after the other is stopped (SIGSTOP) under load until the other has
/// taken over all its work and clients have changed what it was at, then wakes and acts. Guarantees: as if it had not.
async fn stopped_past_their_session(stage: &mut Stage) -> Outcome {
    stage.deployment.change(|parts| parts.pace = Pace::Brief)?;
    stage.deployment.enable(&stage.bucket).await?;
    let sites = Site::BOTH.map(|site| stage.at(site));
    let mut fleet = Fleet::of(&stage.deployment, Site::East, 0)?;
    let mut second = stage.deployment.member("second", Site::West, Some(Half::Consumer))?;
    fleet.start().await?;
    second.start()?;
    second.ready().await?;
    let load = Load::begin(&sites, &Mix::tags(), 4);
    for round in 0..2 {
        let first = fleet.members().iter_mut().find(|member| !member.runs(Half::Producer)).ok_or("no consumer")?;
        let sleeper: &mut Member = if round % 2 == 0 { first } else { &mut second };
        load.more(10).await?;
        sleeper.process()?.pause()?;
        taken_over(stage, &load).await?;
        sleeper.process()?.resume()?;
        sleeper.ready().await?;
    }
    let ledger = load.end().await?;
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, SOON).await?;
    kills::clean(&stage.deployment, &stage.bucket, &ledger).await?;
    println!("stopped on {}: {} versions EQUAL", stage.kind(), compared.versions);
    second.stop().await?;
    fleet.stop().await?;
    Ok(())
}

/// Waits until all that the east has by now is at the west as well, or gone from the east again: no lane is left to a
/// process that does nothing.
async fn taken_over(stage: &Stage, load: &Load) -> Outcome {
    load.more(10).await?;
    let (east, west) = (stage.at(Site::East), stage.at(Site::West));
    let versions = |listing: Listing| -> BTreeSet<(String, String)> {
        listing.into_values().flatten().map(|line| (line.key, line.id)).collect()
    };
    let mut left = versions(list(&east).await?);
    until("nobody took over", SOON, async || {
        let (there, still) = (versions(list(&west).await?), versions(list(&east).await?));
        left.retain(|version| !there.contains(version) && still.contains(version));
        Ok(if left.is_empty() { Ok(()) } else { Err(format!("{} versions wait", left.len())) })
    })
    .await?;
    Ok(())
}
