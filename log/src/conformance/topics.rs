//! Topics: creating, describing, absent ones.

use super::{Case, Outcome, partition, record, spec};
use crate::error::LogErrorKind;
use crate::topic::TopicInfo;

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
