//! Appending: order, durability, size.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use futures::poll;

use super::{Case, Outcome, numbers, partition, record, soon, take, values};
use crate::error::LogErrorKind;
use crate::record::{Headers, Record};

pub(super) async fn appends_stand_in_the_order_of_their_first_poll(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(2).await?;
    let at = partition(&topic, 1);
    let appends = numbers(0..2_000).into_iter().map(|value| log.append(record(&at, "k", &value)));
    let positions = soon("appends", join_all(appends)).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let offsets: Vec<i64> = positions.iter().map(|p| p.offset).collect();
    assert_eq!(offsets, (0..2_000).collect::<Vec<i64>>());
    assert!(positions.iter().all(|p| p.partition == at));
    let reader = log.reader(&case.prefix).await?;
    let mut records = reader.assign(&at, 0).await?;
    assert_eq!(values(&take(records.as_mut(), 2_000).await?), numbers(0..2_000));
    Ok(())
}

pub(super) async fn an_append_that_is_answered_can_be_read(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(1).await?;
    let at = partition(&topic, 0);
    let headers = Headers::default().with("a", "1").with("b", Bytes::from_static(b"\xff\x00")).with("a", "2");
    let whole = Record { headers: headers.clone(), ..record(&at, "key", "value") };
    let position = log.append(whole.clone()).await?;
    log.append(Record { key: None, value: None, headers: Headers::default(), ..whole.clone() }).await?;
    assert_eq!(log.watermarks(&at).await?.next, position.offset + 2);
    // Another client, so that nothing comes out of the writer's own memory.
    let reader = case.log().reader(&case.prefix).await?;
    let read = take(reader.assign(&at, position.offset).await?.as_mut(), 2).await?;
    assert_eq!(read[0].position, position);
    assert_eq!((&read[0].key, &read[0].value), (&whole.key, &whole.value));
    assert_eq!(read[0].headers, headers);
    assert_eq!(read[0].timestamp_ms, Some(whole.timestamp_ms));
    assert_eq!((&read[1].key, &read[1].value, &read[1].headers), (&None, &None, &Headers::default()));
    Ok(())
}

pub(super) async fn a_dropped_append_is_not_taken_back(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(1).await?;
    let at = partition(&topic, 0);
    {
        let mut append = Box::pin(log.append(record(&at, "k", "0")));
        let _ = poll!(append.as_mut());
    }
    log.append(record(&at, "k", "1")).await?;
    log.flush(Duration::from_secs(30)).await?;
    assert_eq!(log.watermarks(&at).await?.next, 2);
    let reader = log.reader(&case.prefix).await?;
    assert_eq!(values(&take(reader.assign(&at, 0).await?.as_mut(), 2).await?), numbers(0..2));
    Ok(())
}

pub(super) async fn a_record_that_is_too_large_is_told_apart(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(1).await?;
    let at = partition(&topic, 0);
    // Random-looking, so that compression does not make it fit.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(2 << 20)
    .collect();
    let large = Record { value: Some(Bytes::from(noise)), ..record(&at, "k", "") };
    assert_eq!(log.append(large).await.err().map(|e| e.kind), Some(LogErrorKind::TooLarge));
    assert_eq!(log.append(record(&at, "k", "v")).await?.offset, 0);
    Ok(())
}
