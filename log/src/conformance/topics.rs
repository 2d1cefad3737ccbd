//! Topics: creating, describing, absent ones.

use super::{Case, Outcome, partition, record, soon, spec};
use crate::error::LogErrorKind;
use crate::topic::{Retention, TopicInfo, TopicSpec};

pub(super) async fn topics_are_created_once_and_described(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(3).await?;
    let info = TopicInfo { partitions: 3, replication_factor: 1 };
    assert_eq!(log.topic(&topic.name).await?, Some(info.clone()));
    assert_eq!(log.topics().await?.get(&topic.name), Some(&info));
    let again = log.create_topic(&topic).await.map_err(|e| e.kind);
    assert_eq!(again, Err(LogErrorKind::TopicExists));
    let marks = log.watermarks(&partition(&topic, 2)).await?;
    assert_eq!((marks.first, marks.next), (0, 0));
    Ok(())
}

pub(super) async fn nothing_is_created_by_asking(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let absent = spec(&format!("{}.absent", case.prefix), 1);
    let at = partition(&absent, 0);
    assert_eq!(log.topic(&absent.name).await?, None);
    let unknown = Some(LogErrorKind::UnknownTopic);
    assert_eq!(log.append(record(&at, "k", "v")).await.err().map(|e| e.kind), unknown);
    assert_eq!(log.watermarks(&at).await.err().map(|e| e.kind), unknown);
    let reader = log.reader(&case.prefix).await?;
    assert_eq!(reader.assign(&at, 0).await.err().map(|e| e.kind), unknown);
    assert_eq!(log.join(&case.prefix, "a", &absent.name).await.err().map(|e| e.kind), unknown);
    assert_eq!(log.committed(&case.prefix, &[at]).await?.len(), 0);
    assert_eq!(log.topic(&absent.name).await?, None);

    let topic = case.topic(1).await?;
    let beyond = partition(&topic, 7);
    assert_eq!(log.append(record(&beyond, "k", "v")).await.err().map(|e| e.kind), unknown);
    assert_eq!(reader.assign(&beyond, 0).await.err().map(|e| e.kind), unknown);
    assert_eq!(log.watermarks(&beyond).await.err().map(|e| e.kind), unknown);
    Ok(())
}

pub(super) async fn a_topic_made_anew_is_another_one(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(1).await?;
    let absent = spec(&format!("{}.absent", case.prefix), 1);
    let asked = [topic.name.clone(), absent.name];
    let before = log.identities(&asked).await?;
    assert_eq!(before.len(), 1, "{before:?}");
    assert_eq!(log.identities(&asked).await?, before, "it stays");
    case.subject.delete_topic(&topic.name).await?;
    soon("the deletion", async {
        while log.topic(&topic.name).await?.is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok::<_, crate::LogError>(())
    })
    .await?;
    log.create_topic(&topic).await?;
    let after = log.identities(&asked).await?;
    assert_eq!(after.len(), 1, "{after:?}");
    assert_ne!(after, before);
    assert_eq!(log.identities(&[]).await?.len(), 0);
    Ok(())
}

pub(super) async fn retention_is_what_the_topic_has(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let bounded = TopicSpec { retention_ms: 7_200_000, retention_bytes: 1 << 30, ..spec(&case.prefix, 1) };
    let endless = TopicSpec { retention_ms: -1, ..spec(&format!("{}.endless", case.prefix), 1) };
    let absent = spec(&format!("{}.absent", case.prefix), 1);
    log.create_topic(&bounded).await?;
    log.create_topic(&endless).await?;
    let kept = log.retention(&[bounded.name.clone(), endless.name.clone(), absent.name]).await?;
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(kept[&bounded.name], Retention { ms: Some(7_200_000), bytes: Some(1 << 30) });
    assert_eq!(kept[&endless.name], Retention::default());
    Ok(())
}
