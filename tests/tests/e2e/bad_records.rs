//! What does not belong in the log or at the intake: nothing is lost by it, and a person is told.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use twinlog_tests::{lab::Stage, site::Site, until::until};

use crate::scenario::{Outcome, scenarios};

scenarios!(running: a_record_that_is_not_avro, a_wrong_token, a_body_that_is_not_json);

/// Scenario: somebody writes nonsense into every partition of a change topic, and then a client writes an object.
/// Guarantees: the nonsense is kept as dead letters, byte for byte, and the lane goes on.
async fn a_record_that_is_not_avro(stage: &mut Stage) -> Outcome {
    const NONSENSE: &str = "this is not Avro";
    let prefix = &stage.deployment.parts().prefix;
    let topic = format!("{prefix}.changes.east.{}", stage.bucket);
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", &stage.deployment.parts().brokers).create()?;
    for partition in 0..2 {
        let record = FutureRecord::to(&topic).partition(partition).key("k").payload(NONSENSE);
        producer.send(record, Duration::from_secs(10)).await.map_err(|(error, _)| error)?;
    }
    let east = stage.at(Site::East);
    for number in 0..8 {
        let put = east.client.put_object().bucket(&east.name).key(format!("after {number}"));
        put.body(ByteStream::from_static(b"after")).send().await?;
    }
    let compared = stage.deployment.equal(&stage.bucket, u64::MAX, Duration::from_secs(60)).await?;
    assert_eq!(compared.versions, 8);
    assert_eq!(stage.deployment.progress().written_to("dead.west").await?, 2);
    Ok(())
}

/// Scenario: somebody who does not know the token knocks. Guarantees: 401 with advice, counted, and no notice.
async fn a_wrong_token(stage: &mut Stage) -> Outcome {
    let url = format!("{}/notices/east", stage.deployment.intake(Site::East));
    let client = reqwest::Client::builder().no_proxy().build()?;
    let before = stage.deployment.progress().written_to("notices.east").await?;
    let notice = format!(r#"{{"EventName":"s3:ObjectCreated:Put","Key":"{}/k","Records":[]}}"#, stage.bucket);
    let answer = client.post(url).header("authorization", "Bearer guess").body(notice).send().await?;
    assert_eq!(answer.status().as_u16(), 401);
    let advice = answer.text().await?;
    assert!(advice.contains("token") && !advice.contains("guess"), "{advice}");
    until("the refusal was not counted", Duration::from_secs(10), async || {
        let metrics = stage.deployment.metrics(Site::East).await?;
        let counted = metrics.sum("twinlog_intake_unauthorised_total", &[]);
        Ok(if counted >= 1.0 { Ok(()) } else { Err(format!("counted {counted}")) })
    })
    .await?;
    assert_eq!(stage.deployment.progress().written_to("notices.east").await?, before);
    Ok(())
}

/// Scenario: the store, or somebody with its token, sends what is no notice. Guarantees: 400 in words, and the body is
/// kept byte for byte for a person to look at.
async fn a_body_that_is_not_json(stage: &mut Stage) -> Outcome {
    const NONSENSE: &[u8] = b"{\"EventName\": not JSON";
    let url = format!("{}/notices/east", stage.deployment.intake(Site::East));
    let client = reqwest::Client::builder().no_proxy().build()?;
    let post = client.post(url).bearer_auth(&stage.deployment.parts().token).body(NONSENSE);
    let answer = post.send().await?;
    assert_eq!(answer.status().as_u16(), 400);
    let advice = answer.text().await?;
    assert!(advice.contains("JSON"), "{advice}");
    let quarantine = stage.deployment.parts().folder.join("state/east/quarantine");
    let kept =
        std::fs::read_dir(&quarantine)?.map(|entry| std::fs::read(entry?.path())).collect::<Result<Vec<_>, _>>()?;
    assert!(kept.iter().any(|body| body.windows(NONSENSE.len()).any(|window| window == NONSENSE)), "{kept:?}");
    Ok(())
}
