//! Golden bytes: what this release writes, byte for byte, so that no change of a library or a type alters it unseen.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use super::*;
use crate::object::{Checksum, ChecksumType, ContentHeaders, Encryption, ObjectState, Part, TimePrecision};
use crate::{
    Answer, Basis, EventId, FactBody, LocksSeen, NullRegister, NullState, RegisterRef, Removal, Retention,
    RetentionMode, RetentionWritten, SiteName, Stamp, StampRef, StoreReading, Tags, Told, UploadBegun, VersionId,
    Wrote,
};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const VERSION: &str = "3f2a8c1e-5b7d-4c6e-9f10-2a3b4c5d6e7f";
const AT_NS: i64 = 1_764_000_000_123_456_789;

fn id() -> EventId {
    ID.parse().unwrap()
}

fn east() -> SiteName {
    "east".parse().unwrap()
}

fn tags() -> Tags {
    // One pair only: the library writes a map in the order of the type, and more pairs would show nothing more.
    [("team".to_owned(), "blå".to_owned())].into()
}

fn stamp_ref() -> StampRef {
    StampRef { changed_at_ns: AT_NS - 1, site: east(), basis: Basis::Birth }
}

fn locks_seen() -> Option<LocksSeen> {
    Some(LocksSeen { retention: None, legal_hold: Some(stamp_ref()) })
}

fn null_register() -> NullRegister {
    let over = Some(RegisterRef { at_ns: AT_NS - 1, site: "west".parse().unwrap() });
    let etag = Some("5d41402abc4b2a76b9719d911017c592".to_owned());
    NullRegister { state: NullState::Object, at_ns: AT_NS, site: east(), etag, over }
}

fn retention() -> Retention {
    Retention { mode: RetentionMode::Compliance, until_ms: 1_800_000_000_000 }
}

fn stamp<T>(value: T, basis: Basis) -> Stamp<T> {
    let over = (basis == Basis::Known).then(stamp_ref);
    Stamp { value, changed_at_ns: AT_NS, site: east(), basis, over }
}

/// Compares with `golden/<name>.hex`; `TWINLOG_WRITE_GOLDEN=1` writes a file that is not there yet.
fn check(name: &str, bytes: &[u8]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.hex"));
    if std::env::var_os("TWINLOG_WRITE_GOLDEN").is_some() && !file.exists() {
        std::fs::write(&file, hex::encode(bytes) + "\n").unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap();
    assert_eq!(hex::encode(bytes), golden.trim_end(), "{name}: the bytes written differ from those of the release");
}

fn change() -> ChangeEvent {
    ChangeEvent {
        event_id: id(),
        site: east(),
        bucket: "photos".parse().unwrap(),
        key: "a/ü b.jpg".parse().unwrap(),
        version_id: VERSION.parse().unwrap(),
        kind: VersionKind::Object,
        told: Told::Born,
        cause: "s3:ObjectCreated:Put".into(),
        lifecycle: false,
        may_create: false,
        actor: Some("alice".into()),
        modified_at_ns: AT_NS,
        modified_precision: TimePrecision::Nanoseconds,
        event_time_us: Some(AT_NS / 1000),
        noticed_at_us: AT_NS / 1000 + 5,
        observed_at_us: AT_NS / 1000 + 900,
        object: Some(ObjectState {
            size: 5,
            etag: "5d41402abc4b2a76b9719d911017c592".into(),
            headers: ContentHeaders {
                content_type: Some("text/plain".into()),
                expires: Some("never".into()),
                ..ContentHeaders::default()
            },
            user_metadata: [("colour".to_owned(), "red".to_owned())].into(),
            tags: Some(stamp(tags(), Basis::Birth)),
            retention: Some(stamp(Some(retention()), Basis::Birth)),
            legal_hold: Some(stamp(true, Basis::Birth)),
            storage_class: Some("STANDARD".into()),
            encryption: Encryption::SseS3,
            checksums: vec![Checksum {
                algorithm: "CRC32".into(),
                value: "NhCmhg==".into(),
                kind: ChecksumType::FullObject,
            }],
            parts: vec![Part { number: 1, size: 5 }],
            body: Some(b"hello".to_vec()),
        }),
        locks_seen: None,
        null_register: None,
    }
}

fn fact(body: FactBody) -> Fact {
    Fact {
        event_id: id(),
        site: east(),
        bucket: "photos".parse().unwrap(),
        key: "a/ü b.jpg".parse().unwrap(),
        version_id: VERSION.parse().unwrap(),
        said_at_ns: AT_NS,
        of: None,
        body,
    }
}

#[test]
fn change_events() {
    let codec = Codec::new().unwrap();
    let object = change();
    let marker = ChangeEvent { kind: VersionKind::DeleteMarker, object: None, actor: None, ..change() };
    let (kind, told) = (VersionKind::Removed, Told::Removed);
    let removed = ChangeEvent { kind, told, object: None, locks_seen: locks_seen(), ..change() };
    let null = ChangeEvent { version_id: VersionId::null(), null_register: Some(null_register()), ..change() };
    let events = [("object", object), ("marker", marker), ("removed", removed), ("null", null)];
    for (name, event) in events.map(|(name, event)| (format!("change_event-2-{name}"), event)) {
        let bytes = codec.encode_change(&event).unwrap();
        check(&name, &bytes);
        assert_eq!(codec.decode_change(&bytes), Ok(event));
    }
}

#[test]
fn facts() {
    let codec = Codec::new().unwrap();
    let latest = stamp(None, Basis::Known);
    let compliance = Some(stamp(Some(retention()), Basis::Known));
    let removal = Removal { removed_at_ns: AT_NS, cause: "sweep".into(), lifecycle: true, locks_seen: locks_seen() };
    let reading = StoreReading { present: true, tags: tags(), retention: Some(retention()), legal_hold: true };
    let bodies = [
        ("removed", FactBody::Removed(removal)),
        ("tags", FactBody::Tags(stamp(tags(), Basis::Known))),
        ("retention", FactBody::Retention { latest, compliance }),
        ("legal_hold", FactBody::LegalHold(stamp(true, Basis::Unknown))),
        ("null", FactBody::Null(null_register())),
        ("look", FactBody::Look),
        ("answer", FactBody::Answer(Answer { doubt_id: id(), reading })),
    ];
    for (name, body) in bodies {
        let fact = fact(body);
        let bytes = codec.encode_fact(&fact).unwrap();
        check(&format!("fact-2-{name}"), &bytes);
        assert_eq!(codec.decode_fact(&bytes), Ok(fact));
    }
    let null = VersionId::null();
    let tagged = FactBody::Tags(stamp(tags(), Basis::Known));
    let fact = Fact { version_id: null, of: Some(null_register()), ..fact(tagged) };
    let bytes = codec.encode_fact(&fact).unwrap();
    check("fact-2-null_tags", &bytes);
    assert_eq!(codec.decode_fact(&bytes), Ok(fact));
}

#[test]
fn receipts() {
    let codec = Codec::new().unwrap();
    let attributes = Receipt {
        event_id: id(),
        site: "west".parse().unwrap(),
        source: east(),
        bucket: "photos".parse().unwrap(),
        key: "a/ü b.jpg".parse().unwrap(),
        version_id: VERSION.parse().unwrap(),
        written_at_ns: AT_NS,
        wrote: Wrote::Attributes,
        tags: Some(tags()),
        retention: Some(RetentionWritten { value: Some(retention()) }),
        legal_hold: Some(false),
        upload: None,
        tags_stamp: None,
        retention_stamp: None,
        legal_hold_stamp: None,
        null_register: None,
    };
    assert_eq!(codec.decode_receipt(&released("receipt-1")), Ok(attributes.clone()));
    assert_eq!(codec.decode_receipt(&released("receipt-2-attributes")), Ok(attributes.clone()));
    let upload = Some(UploadBegun { upload_id: "u-1".into(), begun_with: "5d41".into() });
    let begun =
        Receipt { wrote: Wrote::Upload, tags: None, retention: None, legal_hold: None, upload, ..attributes.clone() };
    assert_eq!(codec.decode_receipt(&released("receipt-2-upload")), Ok(begun.clone()));
    let stamped = Receipt {
        tags_stamp: Some(stamp_ref()),
        legal_hold_stamp: Some(stamp_ref()),
        null_register: Some(null_register()),
        ..attributes
    };
    for (name, receipt) in [("receipt-3-attributes", stamped), ("receipt-3-upload", begun)] {
        let bytes = codec.encode_receipt(&receipt).unwrap();
        check(name, &bytes);
        assert_eq!(codec.decode_receipt(&bytes), Ok(receipt));
    }
}

/// What an earlier release wrote.
fn released(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.hex"));
    hex::decode(std::fs::read_to_string(file).unwrap().trim_end()).unwrap()
}

/// Guarantees: what the first schemas wrote is read as it was meant, without what they had no place for.
#[test]
fn the_first_schemas_are_still_read() {
    let codec = Codec::new().unwrap();
    assert_eq!(codec.decode_change(&released("change_event-1-object")), Ok(change()));
    let latest = Stamp { over: None, ..stamp(None, Basis::Known) };
    let compliance = Some(Stamp { over: None, ..stamp(Some(retention()), Basis::Known) });
    let held = fact(FactBody::Retention { latest, compliance });
    assert_eq!(codec.decode_fact(&released("fact-1-retention")), Ok(held));
    let removal = Removal { removed_at_ns: AT_NS, cause: "sweep".into(), lifecycle: true, locks_seen: None };
    assert_eq!(codec.decode_fact(&released("fact-1-removed")), Ok(fact(FactBody::Removed(removal))));
}
