//! Every category of difference is noticed, and nothing else is.

use twinlog_schemas::{VersionId, VersionKind};
use twinlog_site::ListedVersion;

use super::scripted::{ALL, Scripted, compared, line, told};
use crate::side::{Depth, Described, Description, VerifyError};

fn bucket() -> Vec<ListedVersion> {
    vec![
        ListedVersion { is_latest: true, ..line("a", "a2", 9) },
        line("a", "a1", 5),
        line("b", "b1", 7),
        line("c", "c2", 7),
        line("c", "c1", 7),
    ]
}

fn pair() -> (Scripted, Scripted) {
    (Scripted::new("east", bucket()), Scripted::new("west", bucket()))
}

#[tokio::test]
async fn equal_buckets_are_equal_and_wholly_read() {
    let (east, west) = pair();
    let report = compared(&east, &west, ALL).await;
    assert!(report.equal(), "{report:?}");
    assert_eq!((report.versions, report.bytes, report.unread, report.ties), (5, 5, 0, 0));
}

#[tokio::test]
async fn each_planted_line_is_noticed_at_every_depth() {
    type Plant = (&'static str, fn(&mut Vec<ListedVersion>));
    let plants: [Plant; 9] = [
        (r#""a" version a1: the version is "an object of 5 ms" at east and nothing at west"#, |of| drop(of.remove(1))),
        (r#""c" version c1: the version is "an object of 7 ms" at east and nothing at west"#, |of| drop(of.pop())),
        (r#""d" version d1: the version is nothing at east and "a marker of 3 ms" at west"#, |of| {
            of.push(ListedVersion { kind: VersionKind::DeleteMarker, ..line("d", "d1", 3) });
        }),
        (r#""b" version b1: the listed kind is "an object" at east and "a marker" at west"#, |of| {
            of[2].kind = VersionKind::DeleteMarker;
        }),
        (r#""b" version b1: the listed time in ms is "7" at east and "8" at west"#, |of| of[2].modified_ms = 8),
        (r#""b" version b1: the listed ETag is "e" at east and "f" at west"#, |of| of[2].etag = Some("f".to_owned())),
        (r#""b" version b1: the listed ETag is "e" at east and nothing at west"#, |of| of[2].etag = None),
        (r#""b" version b1: the listed size is "1" at east and "2" at west"#, |of| of[2].size = Some(2)),
        (r#""a": the order at 9 ms is "a2 (latest)" at east and "a2" at west"#, |of| of[0].is_latest = false),
    ];
    for (words, plant) in plants {
        for depth in [Depth::Listings, Depth::Attributes, ALL] {
            let (east, west) = pair();
            plant(&mut west.lines.lock().unwrap());
            let report = compared(&east, &west, depth).await;
            assert_eq!(told(&report), [words], "{depth:?}");
        }
    }
}

#[tokio::test]
async fn another_listed_size_is_exempt_where_both_ends_read_equally_long() {
    for depth in [Depth::Listings, Depth::Attributes, ALL] {
        let (east, west) = pair();
        west.lines.lock().unwrap()[2].size = Some(2);
        east.change("b1", |of| of.put("Content-Length", Some(1)));
        assert!(!compared(&east, &west, depth).await.equal(), "{depth:?}");
        west.change("b1", |of| of.put("Content-Length", Some(1)));
        assert!(compared(&east, &west, depth).await.equal(), "{depth:?}");
    }
}

#[tokio::test]
async fn each_planted_attribute_is_noticed_unless_only_listings_are_compared() {
    for (name, value) in [("tag x", "1"), ("legal hold", "on"), ("body", "1 bytes, sha256 00"), ("parts", "1:2")] {
        let (east, west) = pair();
        west.change("a1", |of| of.put(name, Some(value)));
        let report = compared(&east, &west, ALL).await;
        assert_eq!(told(&report), [format!("\"a\" version a1: {name} is nothing at east and {value:?} at west")]);
        assert!(compared(&east, &west, Depth::Listings).await.equal());
        east.change("a1", |of| of.put(name, Some("other")));
        assert_eq!(compared(&east, &west, ALL).await.differing, 1);
    }
}

#[tokio::test]
async fn what_cannot_be_read_differs() {
    for planted in [Described::Gone, Described::Unreadable("403".to_owned())] {
        let (east, west) = pair();
        east.described.lock().unwrap().insert(VersionId::new("b1").unwrap(), planted.clone());
        let report = compared(&east, &west, ALL).await;
        assert_eq!(report.differing, 1, "{report:?}");
        // At both ends alike it still is not known to be equal.
        west.described.lock().unwrap().insert(VersionId::new("b1").unwrap(), planted);
        assert_eq!(compared(&east, &west, ALL).await.differing, 1);
    }
}

#[tokio::test]
async fn another_order_is_exempt_only_where_times_tie_across_the_sites() {
    let replica = |replica| move |of: &mut Description| of.replica = replica;
    let (east, west) = pair();
    west.lines.lock().unwrap().swap(3, 4);
    // c1 was written at east and c2 at west.
    west.change("c1", replica(true));
    east.change("c2", replica(true));
    let report = compared(&east, &west, ALL).await;
    assert_eq!((report.differing, report.ties), (0, 1));
    let mut other_way = report.tied[0].right.clone();
    other_way.reverse();
    assert_eq!((&report.tied[0].left, report.tied[0].left.len()), (&other_way, 2));
    // Both were written at east.
    east.change("c2", replica(false));
    west.change("c2", replica(true));
    let report = compared(&east, &west, ALL).await;
    assert_eq!(told(&report), [r#""c": the order at 7 ms is "c2, c1" at east and "c1, c2" at west"#]);
}

#[tokio::test]
async fn bodies_that_are_too_large_are_counted() {
    let (east, west) = pair();
    for side in [&east, &west] {
        side.change("a1", |of| of.body_read = None);
    }
    assert_eq!(compared(&east, &west, ALL).await.unread, 1);
}

#[tokio::test]
async fn a_listing_out_of_order_is_refused() {
    let (east, west) = pair();
    west.lines.lock().unwrap().swap(0, 2);
    let scope = crate::Scope { prefix: String::new(), depth: ALL };
    let refused = crate::compare([&east, &west], &scope).await.unwrap_err();
    assert!(matches!(&refused, VerifyError::Disorder { site, .. } if site == "west"), "{refused}");
}
