//! Every notice that was captured from real stores, and what it must be read as.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

fn folder(dialect: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(dialect)
}

fn read(dialect: &str, file: &str) -> Notice {
    let door = if file.contains(".listen") { Door::Listen } else { Door::Sure };
    let body = fs::read(folder(dialect).join(file)).unwrap();
    let mut notices = parse(&body, Some(door)).unwrap_or_else(|error| panic!("{dialect}/{file}: {error}"));
    assert_eq!(notices.len(), 1, "{dialect}/{file}");
    notices.remove(0)
}

fn operation(hint: &Hint) -> &'static str {
    match hint {
        Hint::Born(id) if id.is_null() => "born null",
        Hint::Born(_) => "born",
        Hint::Marker(None) => "marker, no id",
        Hint::Marker(Some(_)) => "marker",
        Hint::Removed(id) if id.is_null() => "removed null",
        Hint::Removed(_) => "removed",
        Hint::Changed(_, Category::Tags) => "tags",
        Hint::Changed(_, Category::Retention) => "retention",
        Hint::Changed(_, _) => "legal hold",
        Hint::ChangedSomewhere(Category::Retention) => "retention somewhere",
        Hint::ChangedSomewhere(_) => "legal hold somewhere",
        Hint::Examine(_) => "examine",
        Hint::Nothing => "nothing",
    }
}

/// What each operation's notice is read as, RustFS and MinIO; where they differ, both.
const READ_AS: &[(&str, &str, &str)] = &[
    ("put", "born", "born"),
    ("put-empty", "born", "born"),
    ("put-odd-key", "born", "born"),
    ("put-overwrite", "born", "born"),
    ("put-tagged-locked", "born", "born"),
    ("copy", "born", "born"),
    ("multipart-complete", "born", "born"),
    ("put-trailing-slash", "born null", "born null"),
    ("put-unversioned", "born null", "born null"),
    ("delete", "marker", "marker"),
    ("delete-marker-again", "marker", "marker"),
    ("delete-absent-key", "marker", "nothing"),
    ("delete-absent-version", "nothing", "nothing"),
    ("delete-trailing-slash", "removed null", "removed null"),
    ("delete-unversioned", "removed null", "removed null"),
    ("delete-version", "removed", "removed"),
    ("delete-marker-version", "removed", "marker"),
    ("multi-delete-plain", "marker, no id", "marker"),
    ("multi-delete-two", "marker, no id", "marker"),
    ("multi-delete-id", "removed", "removed"),
    ("multi-delete-marker-id", "removed", "removed"),
    ("put-tagging", "tags", "tags"),
    ("put-tagging-no-id", "tags", "tags"),
    ("delete-tagging", "tags", "tags"),
    ("tag-replica", "tags", "tags"),
    ("put-retention", "", "retention"),
    ("clear-retention", "", "retention"),
    ("put-legal-hold", "", "legal hold"),
    ("legal-hold-off", "", "legal hold"),
];

#[test]
fn every_operation_is_read_as_what_it_was() {
    for (name, rustfs, minio) in READ_AS {
        for (dialect, expected) in [("rustfs", rustfs), ("minio", minio)] {
            for file in [format!("{name}.json"), format!("{name}.listen.json")] {
                if expected.is_empty() || !folder(dialect).join(&file).exists() {
                    continue;
                }
                let notice = read(dialect, &file);
                assert_eq!(operation(&notice.hint), *expected, "{dialect}/{file}");
                assert!(notice.time_ns.is_some(), "{dialect}/{file}");
                assert!(notice.sequencer_ns.is_some(), "{dialect}/{file}");
                assert!(notice.request_id.is_some(), "{dialect}/{file}");
            }
        }
    }
}

#[test]
fn audit_tells_of_clients_lock_changes_only() {
    let files = fs::read_dir(folder("rustfs")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut locks = Vec::new();
    for file in files.filter(|file| file.contains(".audit")) {
        let notice = read("rustfs", &file);
        if notice.hint != Hint::Nothing {
            locks.push((file, operation(&notice.hint), notice.key.to_string()));
        }
    }
    locks.sort();
    let seen: Vec<_> = locks.iter().map(|(file, hint, _)| (file.as_str(), *hint)).collect();
    assert_eq!(
        seen,
        [
            ("clear-retention.audit.json", "retention somewhere"),
            ("legal-hold-off.audit.json", "legal hold somewhere"),
            ("put-legal-hold.audit.json", "legal hold somewhere"),
            ("put-retention.audit.json", "retention somewhere"),
        ]
    );
}

#[test]
fn keys_are_plain_whatever_door_they_came_by() {
    for dialect in ["rustfs", "minio"] {
        let key = "dir/a b+c%25\"'😀é";
        assert_eq!(read(dialect, "put-odd-key.json").key.as_str(), key);
        assert_eq!(read(dialect, "put-odd-key.listen.json").key.as_str(), key);
    }
}

#[test]
fn times_and_sizes_are_read() {
    let put = read("rustfs", "put.json");
    assert_eq!(put.time_ns, Some(1_795_393_498_631_000_000));
    assert_eq!(put.sequencer_ns.map(|ns| ns / 1_000_000_000), Some(1_795_393_498));
    assert_eq!((put.size, put.etag.as_deref()), (Some(5), Some("5d41402abc4b2a76b9719d911017c592")));
    assert_eq!(put.actor.as_deref(), Some("clientroot"));
    assert_eq!(read("minio", "put-empty.json").size, Some(0), "MinIO leaves a size of 0 out");
    assert_eq!(read("rustfs", "multi-delete-plain.json").actor, None);
    let hold = read("rustfs", "put-legal-hold.audit.json");
    assert_eq!(hold.time_ns, Some(1_795_393_502_619_000_000 + 3_290_075));
    assert_eq!((hold.bucket.as_str(), hold.key.as_str()), ("capture", "hold"));
}

#[test]
fn plain_births_are_told_from_those_with_more_to_ask() {
    const PLAIN: [&str; 4] = ["put", "put-empty", "put-odd-key", "put-overwrite"];
    for (name, ..) in READ_AS {
        for dialect in ["rustfs", "minio"] {
            let file = format!("{name}.json");
            if folder(dialect).join(&file).exists() {
                let expected = dialect == "rustfs" && PLAIN.contains(name);
                assert_eq!(read(dialect, &file).plain, expected, "{dialect}/{file}");
            }
        }
    }
}

#[test]
fn a_birth_that_shows_anything_hidden_by_get_or_too_little_is_not_plain() {
    let text = fs::read_to_string(folder("rustfs").join("put.json")).unwrap();
    let plain_if = |member: &str, name: &str, value: Option<&str>| {
        let mut body: serde_json::Value = serde_json::from_str(&text).unwrap();
        let shown = body["Records"][0].pointer_mut(member).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => drop(shown.insert(name.to_owned(), value.into())),
            None => drop(shown.remove(name)),
        }
        parse(body.to_string().as_bytes(), Some(Door::Sure)).unwrap().remove(0).plain
    };
    let plain_with = |name: &str, value: Option<&str>| plain_if("/s3/object/userMetadata", name, value);
    for harmless in ["color", "cache-control", "content-disposition", "content-encoding", "expires-not"] {
        assert!(plain_with(harmless, Some("v")), "{harmless}");
    }
    for hidden in
        ["expires", "Expires", "content-language", "x-amz-tagging", "x-amz-object-lock-mode", "X-Amz-Website-Redirect"]
    {
        assert!(!plain_with(hidden, Some("v")), "{hidden}");
    }
    assert!(!plain_with("content-type", None), "a notice that does not show what is stored proves nothing");
    assert!(!plain_if("/requestParameters", "expires", Some("v")), "Expires is in the request's headers alone");
    assert!(!plain_if("/requestParameters", "host", None), "a notice that does not show the request proves nothing");
    assert!(plain_if("/requestParameters", "x-amz-date", Some("v")));
}

#[test]
fn doors_tell_the_same_of_one_event() {
    for name in ["put", "delete", "put-tagging", "copy"] {
        let (sure, listen) = (read("rustfs", &format!("{name}.json")), read("rustfs", &format!("{name}.listen.json")));
        assert_eq!(sure, listen, "{name}");
    }
}

#[test]
fn pings_say_nothing() {
    assert_eq!(parse(b"{\"Records\":[]}", Some(Door::Listen)), Ok(vec![]));
    assert_eq!(parse(b"{\"Records\":null}", Some(Door::Listen)), Ok(vec![]));
}

#[test]
fn arrays_concatenations_and_several_records_are_split() {
    let put = fs::read_to_string(folder("rustfs").join("put.json")).unwrap();
    let copy = fs::read_to_string(folder("rustfs").join("copy.json")).unwrap();
    for body in [format!("[{put},{copy}]"), format!("{put}\n{copy}"), format!("{put}{copy}")] {
        let pieces = split(body.as_bytes(), None).unwrap();
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[0].text, put.trim());
    }
    let record = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["Records"][0].to_string();
    let many = format!("{{\"Records\":[{},{}]}}", record(&put), record(&copy));
    let pieces = split(many.as_bytes(), None).unwrap();
    assert_eq!(pieces.len(), 2);
    for piece in pieces {
        assert_eq!(parse(piece.text.as_bytes(), None), Ok(vec![piece.notice]));
    }
}

#[test]
fn own_notices_are_read_among_the_others() {
    let own = OwnNotice {
        id: "01890000-0000-7000-8000-000000000001".parse().unwrap(),
        cause: ExamineCause::Doubt,
        bucket: "bucket".parse().unwrap(),
        key: "key".parse().unwrap(),
        version_id: Some(VersionId::null()),
        may_create: false,
        asked_by: "west".parse().unwrap(),
        asked_at_us: 7,
    };
    let notices = parse(&own.to_json().unwrap(), None).unwrap();
    assert_eq!(notices[0].cause, "doubt");
    assert_eq!(operation(&notices[0].hint), "examine");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let said = |body: &str| split(body.as_bytes(), None).unwrap_err().to_string();
    assert!(said("hello").starts_with("the body is not JSON: expected value at line 1 column 1"), "{}", said("hello"));
    assert!(said(" ").contains("empty"));
    assert!(said("{\"Records\":[{\"s3\":{}}]}").starts_with("document 1, record 1: missing field"));
    assert!(said("{\"Records\":[]} {\"a\":1}").starts_with("document 2, record 1: neither an S3 event"));
    let bad =
        "{\"eventName\":\"s3:ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"B\"},\"object\":{\"key\":\"k\"}}}";
    assert!(said(bad).contains("bucket name \"B\" is not allowed"));
    let bad = "{\"eventName\":\"s3:ObjectCreated:Put\",\"eventTime\":\"now\",\"s3\":{\"bucket\":{\"name\":\"buc\"},\"object\":{\"key\":\"k\"}}}";
    assert!(said(bad).contains("`eventTime` \"now\" is not an RFC 3339 time"));
    let bad =
        "{\"eventName\":\"s3:ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"buc\"},\"object\":{\"key\":\"%FF\"}}}";
    assert!(said(bad).contains("does not decode to UTF-8"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guarantees: whatever bytes come, no panic; and a notice cut short is an error, never half a notice.
    #[test]
    fn noise_and_cut_notices_are_errors(noise in proptest::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>()) {
        let _ = split(&noise, None);
        let put = fs::read(folder("rustfs").join("put.json")).unwrap();
        let put = put.trim_ascii();
        prop_assert!(split(&put[..cut.index(put.len())], None).is_err());
    }
}

#[test]
fn a_multipart_key_that_ends_in_a_slash_is_read_as_rustfs_stores_it() {
    let read = |dialect: &str| {
        let text = fs::read_to_string(folder(dialect).join("multipart-complete.json")).unwrap();
        let mut body: serde_json::Value = serde_json::from_str(&text).unwrap();
        let key = body["Key"].as_str().map(|key| format!("{key}/")).unwrap();
        body["Key"] = key.into();
        let object = &mut body["Records"][0]["s3"]["object"];
        object["key"] = object["key"].as_str().map(|key| format!("{key}%2F")).unwrap().into();
        parse(body.to_string().as_bytes(), Some(Door::Sure)).unwrap().remove(0).key
    };
    let plain = super::fixtures::read("rustfs", "multipart-complete.json").key;
    assert_eq!(read("rustfs"), plain);
    assert_eq!(read("minio").as_str(), format!("{}/", super::fixtures::read("minio", "multipart-complete.json").key));
}
