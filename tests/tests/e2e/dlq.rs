//! Dead letters with the real binary: listed, shown, replayed once mended, discarded; what became of them is kept.

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::Value;
use twinlog_tests::{
    lab::Stage,
    lab_error::LabError,
    server::{Credentials, principal::twinlog_policy},
    site::Site,
    until::until,
};

use crate::{
    scenario::{Failure, Outcome, scenarios},
    writes::put,
};

scenarios!(prepared: letters_are_replayed_and_discarded);

const SOON: Duration = Duration::from_secs(60);

/// Runs `twinlog dlq` with JSON: its lines, and whether all went as wished.
async fn dlq(stage: &Stage, arguments: &[&str]) -> Result<(Vec<Value>, bool), Failure> {
    let arguments = [&["dlq"][..], arguments, &["--json"]].concat();
    let (said, well) = match stage.deployment.run(&arguments).await {
        Ok(said) => (said, true),
        Err(LabError::Command { code: Some(1), said, .. }) => (said, false),
        Err(error) => return Err(error.into()),
    };
    let lines = said.lines().filter(|line| line.starts_with('{')).map(serde_json::from_str);
    Ok((lines.collect::<Result<_, _>>()?, well))
}

/// Waits until the letters of the keys below `denied/` are in these states, in the order of the keys.
async fn states(stage: &Stage, wanted: &[&str]) -> Result<Vec<Value>, Failure> {
    let letters = until("the letters were not as expected", SOON, async || {
        let listed = dlq(stage, &["list", "--state", "all", "--prefix", "denied/"]).await;
        let mut letters = match listed {
            Ok((letters, _)) => letters,
            Err(error) => return Ok(Err(error.to_string())),
        };
        letters.sort_by_key(|letter| letter["key"].to_string());
        let states: Vec<&str> = letters.iter().filter_map(|letter| letter["state"].as_str()).collect();
        Ok(if states == wanted { Ok(letters) } else { Err(format!("{letters:#?}")) })
    });
    Ok(letters.await?)
}

/// The policy that Twinlog needs, but for writes of the keys below `denied/` of this bucket.
fn with_denied_keys(stage: &Stage) -> Result<String, serde_json::Error> {
    let mut policy: Value = serde_json::from_str(twinlog_policy(stage.kind()))?;
    let deny = serde_json::json!({
        "Effect": "Deny", "Action": ["s3:PutObject"], "Resource": [format!("arn:aws:s3:::{}/denied/*", stage.bucket)],
    });
    policy["Statement"].as_array_mut().into_iter().for_each(|statements| statements.push(deny.clone()));
    Ok(policy.to_string())
}

async fn open_by_metrics(stage: &Stage, expected: f64) -> Outcome {
    until("the metric was not as expected", SOON, async || {
        let metrics = stage.deployment.metrics(Site::West).await?;
        let open = metrics.sum("twinlog_dead_letters_open", &[("bucket", &stage.bucket)]);
        Ok(if open == expected { Ok(()) } else { Err(format!("{open} are open")) })
    })
    .await?;
    Ok(())
}

/// Scenario: the target's policy denies some keys to Twinlog, and somebody writes nonsense into the change topic.
/// Guarantees: each is a letter that is listed, shown and counted; mended and replayed, the version crosses and its letter
/// is healed; a discarded one says who and why and is not applied; what cannot be read cannot be replayed and stays open;
/// all of it is kept over a restart.
async fn letters_are_replayed_and_discarded(stage: &mut Stage) -> Outcome {
    // A principal of the test's own: its policy is changed.
    let who = Credentials::new(format!("dlq-{}", stage.kind()).to_lowercase(), "secret-of-the-test");
    let denied = with_denied_keys(stage)?;
    stage.store(Site::West).await.add_user(&who, &denied).await?;
    stage.deployment.act_as(Site::West, who.clone())?;
    stage.deployment.enable(&stage.bucket).await?;
    stage.deployment.start_both().await?;

    for key in ["denied/one", "denied/two", "allowed"] {
        put(stage, key).await?;
    }
    let letters = states(stage, &["open", "open"]).await?;
    assert!(letters.iter().all(|letter| letter["reason"] == "access-denied" && letter["link"] == "east>west"));
    open_by_metrics(stage, 2.0).await?;
    let status = stage.deployment.run(&["status"]).await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(status.contains("2 dead letters are open: access-denied"), "{status}");
    let name = letters[0]["letter"].as_str().unwrap_or_default();
    let shown = stage.deployment.run(&["dlq", "show", name]).await?;
    assert!(shown.contains("denied/one") && shown.contains("twinlog-reason = access-denied"), "{shown}");

    let (would, well) = dlq(stage, &["replay", "--bucket", &stage.bucket, "--dry-run"]).await?;
    assert!(well && would.len() == 2 && would.iter().all(|one| one["outcome"] == "would be replayed"), "{would:#?}");
    let discard = ["discard", "--prefix", "denied/two", "--by", "tester", "--why", "not wanted"];
    let (discarded, _) = dlq(stage, &discard).await?;
    assert_eq!(discarded.len(), 1, "{discarded:#?}");
    let letters = states(stage, &["open", "discarded"]).await?;
    assert_eq!(letters[1]["said"]["why"], "not wanted");

    stage.store(Site::West).await.change_policy(&who, twinlog_policy(stage.kind())).await?;
    let (replayed, well) = dlq(stage, &["replay", "--from", "east", "--into", "west", "--rate", "50/s"]).await?;
    assert!(well && replayed.len() == 1 && replayed[0]["key"] == "denied/one", "{replayed:#?}");
    states(stage, &["healed", "discarded"]).await?;
    let west = stage.at(Site::West);
    west.client.head_object().bucket(&west.name).key("denied/one").send().await?;
    assert!(west.client.head_object().bucket(&west.name).key("denied/two").send().await.is_err(), "it was discarded");

    unreadable(stage).await?;
    stage.deployment.stop(Site::West).await?;
    stage.deployment.start(Site::West)?;
    stage.deployment.ready(Site::West).await?;
    states(stage, &["healed", "discarded"]).await?;
    open_by_metrics(stage, 0.0).await
}

/// Nonsense in the change topic: kept byte for byte, not to be replayed, discarded by name.
async fn unreadable(stage: &Stage) -> Outcome {
    const NONSENSE: &[u8] = b"this is not Avro";
    let parts = stage.deployment.parts();
    let topic = format!("{}.changes.east.{}", parts.prefix, stage.bucket);
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", &parts.brokers).create()?;
    let record = FutureRecord::to(&topic).partition(0).key("k").payload(NONSENSE);
    producer.send(record, Duration::from_secs(10)).await.map_err(|(error, _)| error)?;
    let name = until("the nonsense was no letter", SOON, async || {
        let listed = dlq(stage, &["list", "--reason", "not-avro"]).await;
        let letters = listed.map(|(letters, _)| letters).unwrap_or_default();
        Ok(letters.first().and_then(|letter| letter["letter"].as_str().map(str::to_owned)).ok_or("none".to_owned()))
    })
    .await?;
    let (told, well) = dlq(stage, &["replay", &name]).await?;
    let why = told[0]["why"].as_str().unwrap_or_default();
    assert!(!well && why.contains("cannot be read"), "{told:#?}");
    let raw = parts.folder.join("raw");
    stage.deployment.run(&["dlq", "show", &name, "--raw", &raw.display().to_string()]).await?;
    assert_eq!(std::fs::read(&raw)?, NONSENSE);
    let (_, well) = dlq(stage, &["discard", &name, "--by", "tester", "--why", "nonsense"]).await?;
    assert!(well);
    let (left, _) = dlq(stage, &["list"]).await?;
    assert!(left.is_empty(), "{left:#?}");
    Ok(())
}
