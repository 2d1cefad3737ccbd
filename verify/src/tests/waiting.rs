//! Waiting for what is under way.

use super::scripted::{ALL, Scripted, line, told};
use crate::compare::Scope;
use crate::until::until_equal;

fn scope() -> Scope {
    Scope { prefix: String::new(), depth: ALL }
}

#[tokio::test]
async fn keys_that_differ_are_looked_at_until_they_are_equal() {
    let lines = || vec![line("a", "a1", 1), line("ab", "ab1", 1), line("b", "b1", 1)];
    let (east, west) = (Scripted::new("east", lines()), Scripted::new("west", Vec::new()));
    let mut looks = 0;
    let report = until_equal([&east, &west], &scope(), async |report| {
        looks += 1;
        assert_eq!(report.differing, 4 - looks);
        // One arrives at a time.
        *west.lines.lock().unwrap() = lines()[..usize::try_from(looks).unwrap()].to_vec();
        *west.described.lock().unwrap() = Scripted::new("west", lines()).described.into_inner().unwrap();
        true
    })
    .await
    .unwrap();
    assert!(report.equal(), "{:?}", told(&report));
    assert_eq!((looks, report.versions), (3, 3));
}

#[tokio::test]
async fn what_differs_when_the_time_is_over_is_told() {
    let (east, west) = (Scripted::new("east", vec![line("a", "a1", 1)]), Scripted::new("west", Vec::new()));
    let mut left = 2;
    let report = until_equal([&east, &west], &scope(), async |_| {
        left -= 1;
        left > 0
    })
    .await
    .unwrap();
    assert_eq!(told(&report), [r#""a" version a1: the version is "an object of 1 ms" at east and nothing at west"#]);
}
