//! Reading: order, beginning, range, independence of partitions, commits.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::{Case, Outcome, numbers, partition, record, soon, spec, take, values};
use crate::contract::{Committed, Log, Watermarks};
use crate::error::{LogError, LogErrorKind};
use crate::record::Record;
use crate::topic::TopicPartition;

async fn fill(log: &dyn Log, at: &TopicPartition, range: std::ops::Range<i32>) -> Result<(), LogError> {
    let appends = numbers(range).into_iter().map(|value| log.append(record(at, "k", &value)));
    soon("appends", join_all(appends)).await.into_iter().try_for_each(|appended| appended.map(drop))
}

pub(super) async fn a_reader_waits_for_records_and_gets_each_in_order(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(1).await?;
    let at = partition(&topic, 0);
    let reader = log.reader(&case.prefix).await?;
    let mut records = reader.assign(&at, 0).await?;
    assert_eq!(records.partition(), &at);
    for value in numbers(0..20) {
        // Asked for before it is there, given up, and asked for again: nothing is skipped.
        assert!(futures::poll!(records.next()).is_pending());
        let (read, appended) = tokio::join!(take(records.as_mut(), 1), log.append(record(&at, "k", &value)));
        assert_eq!(read?[0].position, appended?);
    }
    fill(log.as_ref(), &at, 20..520).await?;
    assert_eq!(values(&take(records.as_mut(), 500).await?), numbers(20..520));
    Ok(())
}

pub(super) async fn an_assignment_begins_where_it_is_told(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(2).await?;
    let (at, other) = (partition(&topic, 0), partition(&topic, 1));
    fill(log.as_ref(), &at, 0..1_000).await?;
    fill(log.as_ref(), &other, 0..1_000).await?;
    let reader = log.reader(&case.prefix).await?;
    let mut beside = reader.assign(&other, 990).await?;
    assert_eq!(reader.assign(&other, 0).await.err().map(|e| e.kind), Some(LogErrorKind::Fatal));
    // Forwards, backwards and to the end, always from what is told and never with what was fetched before.
    for begin in [500, 0, 900, 3, 1] {
        let mut records = reader.assign(&at, i64::from(begin)).await?;
        assert_eq!(values(&take(records.as_mut(), 10).await?), numbers(begin..begin + 10));
    }
    assert_eq!(values(&take(beside.as_mut(), 10).await?), numbers(990..1_000));
    let mut end = reader.assign(&at, 1_000).await?;
    assert!(futures::poll!(end.next()).is_pending());
    fill(log.as_ref(), &at, 1_000..1_001).await?;
    assert_eq!(values(&take(end.as_mut(), 1).await?), numbers(1_000..1_001));
    Ok(())
}

/// Given up before it is looked at, and when it is answered but not taken.
pub(super) async fn an_assignment_that_is_given_up_leaves_its_partition_free(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(2).await?;
    let (at, other) = (partition(&topic, 0), partition(&topic, 1));
    let reader = log.reader(&case.prefix).await?;
    // The topic is known from now on: the next calls need nothing but the assignment.
    drop(soon("the first assignment", reader.assign(&at, 0)).await?);
    for answered in [false, true] {
        let mut given_up = reader.assign(&at, 0);
        let _ = futures::poll!(given_up.as_mut());
        if answered {
            // Asked for later, and so answered later.
            drop(soon("the later assignment", reader.assign(&other, 0)).await?);
        }
        drop(given_up);
        drop(soon("the assignment", reader.assign(&at, 0)).await?);
    }
    Ok(())
}

pub(super) async fn offsets_out_of_range_are_errors(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(2).await?;
    let (at, trimmed) = (partition(&topic, 0), partition(&topic, 1));
    let reader = log.reader(&case.prefix).await?;
    let out_of_range = Some(LogErrorKind::OffsetOutOfRange);
    let mut beyond = reader.assign(&at, 100).await?;
    assert_eq!(soon("out of range", beyond.next()).await.err().map(|e| e.kind), out_of_range);
    assert_eq!(soon("out of range", beyond.next()).await.err().map(|e| e.kind), out_of_range);
    drop(beyond);
    fill(log.as_ref(), &trimmed, 0..10).await?;
    case.subject.trim(&trimmed, 5).await?;
    let marks = log.watermarks(&trimmed).await?;
    assert_eq!((marks.first, marks.next), (5, 10));
    let mut below = reader.assign(&trimmed, 4).await?;
    assert_eq!(soon("out of range", below.next()).await.err().map(|e| e.kind), out_of_range);
    drop(below);
    let mut inside = reader.assign(&trimmed, 5).await?;
    assert_eq!(values(&take(inside.as_mut(), 5).await?), numbers(5..10));
    Ok(())
}

pub(super) async fn several_are_assigned_at_once(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(3).await?;
    let [one, two, three] = [0, 1, 2].map(|number| partition(&topic, number));
    fill(log.as_ref(), &one, 0..5).await?;
    fill(log.as_ref(), &three, 0..5).await?;
    for reader in [log.reader(&case.prefix).await?, log.steady_reader(&case.prefix).await?] {
        let absent = partition(&topic, 7);
        let refused = soon("a refusal", reader.assign_all(&[(one.clone(), 0), (absent, 0)])).await.err();
        assert_eq!(refused.map(|error| error.kind), Some(LogErrorKind::UnknownTopic));
        // In the order asked; and none of what was refused is in the way.
        let wanted = [(three.clone(), 3), (two.clone(), 0), (one.clone(), 1)];
        let mut all = soon("an assignment", reader.assign_all(&wanted)).await?;
        assert_eq!(
            all.iter().map(|records| records.partition().clone()).collect::<Vec<_>>(),
            [three.clone(), two.clone(), one.clone()]
        );
        assert_eq!(values(&take(all[0].as_mut(), 2).await?), numbers(3..5));
        assert_eq!(values(&take(all[2].as_mut(), 4).await?), numbers(1..5));
        drop(all);
        assert!(soon("an assignment of none", reader.assign_all(&[])).await?.is_empty());
    }
    Ok(())
}

pub(super) async fn the_ends_of_many_are_those_of_each(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(3).await?;
    let absent = spec(&format!("{}.absent", case.prefix), 1);
    let [empty, filled, trimmed] = [0, 1, 2].map(|number| partition(&topic, number));
    fill(log.as_ref(), &filled, 0..3).await?;
    fill(log.as_ref(), &trimmed, 0..10).await?;
    case.subject.trim(&trimmed, 5).await?;
    let ends = log.ends(&[empty.clone(), filled.clone(), trimmed.clone()]).await;
    let ends: Vec<_> = ends.into_iter().map(|(at, ends)| Ok((at, ends?))).collect::<Result<_, LogError>>()?;
    let expected = [(&empty, 0, 0), (&filled, 0, 3), (&trimmed, 5, 10)];
    assert_eq!(ends, expected.map(|(at, first, next)| (at.clone(), Watermarks { first, next })));

    let (absent, beyond, unknown) = (partition(&absent, 0), partition(&topic, 7), Err(LogErrorKind::UnknownTopic));
    let mixed = log.ends(&[filled.clone(), absent.clone(), beyond.clone(), trimmed.clone()]).await;
    let mixed: BTreeMap<_, _> = mixed.into_iter().map(|(at, ends)| (at, ends.map_err(|error| error.kind))).collect();
    let known = |first, next| Ok(Watermarks { first, next });
    let expected = [(filled, known(0, 3)), (trimmed, known(5, 10)), (absent, unknown), (beyond, unknown)];
    assert_eq!(mixed, BTreeMap::from(expected));
    assert!(log.ends(&[]).await.is_empty());

    let all = log.ends_of(&topic.name).await?.unwrap_or_default();
    assert_eq!(all.into_values().map(|ends| (ends.first, ends.next)).collect::<Vec<_>>(), [(0, 0), (0, 3), (5, 10)]);
    assert_eq!(log.ends_of(&spec(&format!("{}.absent", case.prefix), 1).name).await?, None);
    assert_eq!(log.partitions_lately(&topic.name).await?, Some(3));
    Ok(())
}

pub(super) async fn ends_are_never_older_than_the_question(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(2).await?;
    let [growing, other] = [0, 1].map(|number| partition(&topic, number));
    for next in 1..=20 {
        // Under way while the record is written, so that the question after it finds one that may not answer it.
        let before = [&growing, &other].map(|at| {
            let (log, at) = (case.log(), at.clone());
            tokio::spawn(async move { log.watermarks(&at).await })
        });
        log.append(record(&growing, "k", "v")).await?;
        let after = join_all((0..4).map(|_| log.watermarks(&growing)));
        for ends in soon("ends", after).await {
            assert_eq!(ends?, Watermarks { first: 0, next });
        }
        for before in before {
            assert!(soon("ends", before).await??.next <= next);
        }
    }
    Ok(())
}

pub(super) async fn an_unread_partition_does_not_stop_another(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(2).await?;
    let (unread, read) = (partition(&topic, 0), partition(&topic, 1));
    let body = "x".repeat(4_096);
    let fat = |at: &TopicPartition| Record { value: Some(body.clone().into()), ..record(at, "k", "") };
    for at in [&unread, &read] {
        let appends = (0..3_000).map(|_| log.append(fat(at)));
        for appended in soon("appends", join_all(appends)).await {
            appended?;
        }
    }
    let reader = log.reader(&case.prefix).await?;
    let mut idle = reader.assign(&unread, 0).await?;
    let mut busy = reader.assign(&read, 0).await?;
    let offsets = |records: &[crate::Fetched]| records.iter().map(|r| r.position.offset).collect::<Vec<_>>();
    assert_eq!(offsets(&take(busy.as_mut(), 3_000).await?), (0..3_000).collect::<Vec<i64>>());
    assert_eq!(offsets(&take(idle.as_mut(), 3_000).await?), (0..3_000).collect::<Vec<i64>>());
    Ok(())
}

pub(super) async fn commits_are_kept_with_their_metadata(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let topic = case.topic(3).await?;
    let parts: Vec<TopicPartition> = (0..3).map(|p| partition(&topic, p)).collect();
    fill(log.as_ref(), &parts[0], 0..10).await?;
    assert_eq!(log.committed(&case.prefix, &parts).await?, BTreeMap::new());
    let reader = log.reader(&case.prefix).await?;
    let long = Committed { offset: 7, metadata: "A".repeat(4_096) };
    let plain = Committed { offset: 0, metadata: String::new() };
    reader.commit(&parts[0], &Committed { offset: 3, metadata: "old".to_owned() }).await?;
    reader.commit(&parts[0], &long).await?;
    reader.commit(&parts[2], &plain).await?;
    let too_long = Committed { offset: 8, metadata: "A".repeat(4_097) };
    assert_eq!(reader.commit(&parts[0], &too_long).await.err().map(|e| e.kind), Some(LogErrorKind::Fatal));
    // Asked for at once, each has its own answer: one that is refused spoils no other.
    let next = Committed { offset: 1, metadata: "next".to_owned() };
    let asked = [(&parts[1], &next), (&parts[0], &too_long), (&parts[2], &plain)];
    let answers = join_all(asked.map(|(at, commit)| reader.commit(at, commit))).await;
    let refused: Vec<_> = answers.into_iter().map(|answer| answer.err().map(|error| error.kind)).collect();
    assert_eq!(refused, [None, Some(LogErrorKind::Fatal), None]);
    let expected = [(&parts[0], long), (&parts[1], next), (&parts[2], plain)];
    let expected: BTreeMap<_, _> = expected.into_iter().map(|(at, commit)| (at.clone(), commit)).collect();
    assert_eq!(log.committed(&case.prefix, &parts).await?, expected);
    // Another client after this one is gone, and another group.
    drop(reader);
    assert_eq!(case.log().committed(&case.prefix, &parts).await?, expected);
    assert_eq!(log.committed(&format!("{}.other", case.prefix), &parts).await?, BTreeMap::new());
    Ok(())
}

pub(super) async fn a_time_is_found(case: &Case<'_>) -> Outcome {
    let log = case.log();
    let at = partition(&case.topic(1).await?, 0);
    assert_eq!(log.offset_at(&at, 0).await?, None);
    for n in 0..10_i64 {
        log.append(Record { timestamp_ms: 1_700_000_000_000 + n * 1_000, ..record(&at, "k", "v") }).await?;
    }
    for (ms, offset) in [(0, Some(0)), (4_000, Some(4)), (4_001, Some(5)), (9_000, Some(9)), (9_001, None)] {
        assert_eq!(log.offset_at(&at, 1_700_000_000_000 + ms).await?, offset, "{ms}");
    }
    case.subject.trim(&at, 3).await?;
    assert_eq!(log.offset_at(&at, 1_700_000_000_000).await?, Some(3));
    Ok(())
}
