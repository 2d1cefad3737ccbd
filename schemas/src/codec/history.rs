//! The history of schemas: files are never edited, every one is built in, and old and new read each other.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::types::Value as Avro;
use proptest::strategy::{Strategy, ValueTree};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::catalogue::RELEASED;
use super::*;
use crate::arbitrary;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("avsc")
}

/// Every schema file by its path below `avsc/`, with its text.
fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for kind in std::fs::read_dir(folder()).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        for file in std::fs::read_dir(kind.path()).unwrap().map(Result::unwrap) {
            let name = format!("{}/{}", kind.file_name().display(), file.file_name().display());
            files.insert(name, std::fs::read_to_string(file.path()).unwrap());
        }
    }
    files
}

fn one<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> T {
    strategy.new_tree(&mut proptest::test_runner::TestRunner::deterministic()).unwrap().current()
}

#[test]
fn released_files_are_never_edited() {
    let sums = std::fs::read_to_string(folder().join("SHA256SUMS")).unwrap();
    let listed: BTreeMap<_, _> = sums
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, file)| (file.to_owned(), sum.to_owned()))
        .collect();
    let actual: BTreeMap<_, _> =
        files().into_iter().map(|(file, text)| (file, hex::encode(Sha256::digest(text)))).collect();
    assert_eq!(
        actual, listed,
        "a released schema is never edited: write the next number, and add its line to SHA256SUMS"
    );
}

#[test]
fn every_file_is_built_in() {
    let built: BTreeMap<_, _> =
        RELEASED.iter().map(|(kind, version, text)| (format!("{kind}/{version}.avsc"), (*text).to_owned())).collect();
    assert_eq!(built, files());
}

#[test]
fn all_versions_of_a_record_read_each_other() {
    let parsed: Vec<_> =
        RELEASED.iter().map(|(kind, version, text)| (kind, version, Schema::parse_str(text).unwrap())).collect();
    for (writer_kind, written, writer) in &parsed {
        for (reader_kind, read, reader) in &parsed {
            if writer_kind == reader_kind {
                let answer = SchemaCompatibility::can_read(writer, reader);
                assert!(answer.is_ok(), "{writer_kind}: {read} cannot read {written}: {answer:?}");
            }
        }
    }
}

#[test]
fn every_field_and_type_has_a_doc() {
    fn check(value: &Value, at: &str) {
        match value {
            Value::Object(map) => {
                let name = map.get("name").and_then(Value::as_str).unwrap_or_default();
                let at = format!("{at}/{name}");
                if map.contains_key("name") {
                    assert!(map.get("doc").is_some_and(Value::is_string), "{at} has no doc");
                }
                map.iter().filter(|(key, _)| *key != "default").for_each(|(_, inner)| check(inner, &at));
            }
            Value::Array(items) => items.iter().for_each(|item| check(item, at)),
            _ => {}
        }
    }
    for (file, text) in files() {
        check(&serde_json::from_str(&text).unwrap(), &file);
    }
}

/// The library's canonical form keeps a logical type's inner object, which no other implementation does: the fingerprint
/// would be ours alone. Units stand in the fields' names instead.
#[test]
fn no_schema_has_a_logical_type() {
    assert!(files().values().all(|text| !text.contains("logicalType")));
}

/// A schema as a later release may write it: the change is made to the newest one of this release.
fn later(kind: RecordKind, change: impl Fn(&mut Value)) -> String {
    let (_, _, text) = RELEASED.iter().rev().find(|(of, _, _)| *of == kind).unwrap();
    let mut schema = serde_json::from_str(text).unwrap();
    change(&mut schema);
    schema.to_string()
}

fn symbols<'a>(schema: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    fn find<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Value> {
        if value["name"] == name && value["symbols"].is_array() {
            return value.get_mut("symbols");
        }
        match value {
            Value::Object(map) => map.values_mut().find_map(|inner| find(inner, name)),
            Value::Array(items) => items.iter_mut().find_map(|inner| find(inner, name)),
            _ => None,
        }
    }
    find(schema, name).and_then(Value::as_array_mut).unwrap()
}

/// Writes `value`, completed by the schema's defaults, as a release with another schema would.
fn written(schema: &str, value: Avro) -> Vec<u8> {
    let known = Known::parse(schema).unwrap();
    let value = value.resolve(known.schema()).unwrap();
    let mut bytes = frame::header(known.fingerprint()).to_vec();
    GenericDatumWriter::builder(known.schema()).build().unwrap().write_value(&mut bytes, value).unwrap();
    bytes
}

/// The record as a generic value with some fields set anew.
fn with(record: &impl Serialize, set: &[(&str, Avro)]) -> Avro {
    let Avro::Record(mut fields) = apache_avro::to_value(record).unwrap() else { unreachable!() };
    for (name, value) in set {
        fields.retain(|(field, _)| field != name);
        fields.push(((*name).to_owned(), value.clone()));
    }
    Avro::Record(fields)
}

fn symbol(symbol: &str) -> Avro {
    Avro::String(symbol.to_owned())
}

/// Scenario: a newer release adds fields of every shape, in the middle and at the end.
/// Guarantees: its records hold the link until the schema is published, then they are read.
#[test]
fn more_fields_are_read_once_the_schema_is_published() {
    let schema = later(RecordKind::Receipt, |schema| {
        let note = json!({"name": "note", "default": null, "type": ["null", {"type": "record", "name": "Note", "fields": [
            {"name": "texts", "type": {"type": "map", "values": ["null", "string", "long"]}},
            {"name": "moods", "type": {"type": "array", "items": {"type": "enum", "name": "Mood", "symbols": ["GOOD", "BAD"]}}}
        ]}]});
        let fields = schema["fields"].as_array_mut().unwrap();
        fields.insert(2, note);
        fields.push(json!({"name": "weight", "type": "double", "default": 1.5}));
    });
    let receipt = one(arbitrary::receipt());
    let texts = Avro::Map([("a".to_owned(), Avro::Long(7)), ("b".to_owned(), Avro::Null)].into());
    let note = Avro::Record(vec![("texts".into(), texts), ("moods".into(), Avro::Array(vec![symbol("BAD")]))]);
    let bytes = written(&schema, with(&receipt, &[("note", note)]));
    let fingerprint = Known::parse(&schema).unwrap().fingerprint();

    let codec = Codec::new().unwrap();
    assert_eq!(codec.decode_receipt(&bytes), Err(DecodeError::UnknownFingerprint(fingerprint)));
    assert_eq!(codec.learn(&schema), Ok(fingerprint));
    assert_eq!(codec.learn(&schema), Ok(fingerprint));
    assert_eq!(codec.decode_receipt(&bytes), Ok(receipt));
}

/// Guarantees: a field that a newer release no longer writes is read as its default.
#[test]
fn fields_with_defaults_may_go() {
    let schema = later(RecordKind::ChangeEvent, |schema| {
        schema["fields"].as_array_mut().unwrap().retain(|field| field.get("default").is_none());
    });
    let mut event = one(arbitrary::change_event());
    (event.kind, event.object) = (VersionKind::Removed, None);
    (event.lifecycle, event.may_create, event.actor, event.event_time_us) = (false, false, None, None);
    (event.locks_seen, event.null_register) = (None, None);
    let codec = Codec::new().unwrap();
    codec.learn(&schema).unwrap();
    assert_eq!(codec.decode_change(&written(&schema, with(&event, &[]))), Ok(event));
}

#[test]
fn a_new_symbol_is_unknown_where_that_may_be_guessed() {
    let schema = later(RecordKind::Receipt, |schema| symbols(schema, "Wrote").insert(1, json!("MOVED")));
    let codec = Codec::new().unwrap();
    codec.learn(&schema).unwrap();
    let mut receipt = one(arbitrary::receipt());
    let bytes = written(&schema, with(&receipt, &[("wrote", symbol("MOVED"))]));
    receipt.wrote = crate::Wrote::Unknown;
    assert_eq!(codec.decode_receipt(&bytes), Ok(receipt));
}

#[test]
fn a_new_kind_of_version_or_fact_holds_the_link() {
    let codec = Codec::new().unwrap();
    let schema = later(RecordKind::ChangeEvent, |schema| symbols(schema, "VersionKind").push(json!("SYMLINK")));
    codec.learn(&schema).unwrap();
    let bytes = written(&schema, with(&one(arbitrary::change_event()), &[("kind", symbol("SYMLINK"))]));
    assert_eq!(codec.decode_change(&bytes), Err(DecodeError::UnknownKind("version kind")));

    let schema = later(RecordKind::Fact, |schema| symbols(schema, "FactKind").push(json!("RENAMED")));
    codec.learn(&schema).unwrap();
    let bytes = written(&schema, with(&FactWire::from(&one(arbitrary::fact())), &[("kind", symbol("RENAMED"))]));
    let error = codec.decode_fact(&bytes).unwrap_err();
    assert_eq!(error, DecodeError::UnknownKind("fact kind"));
    assert!(error.holds_link());
}

/// Scenario: a symbol is new where a guess would break the merge rules; and a name breaks the rules of names.
/// Guarantees: the first holds the link, the second is a dead letter.
#[test]
fn what_cannot_be_guessed_holds_the_link_and_what_is_wrong_does_not() {
    let codec = Codec::new().unwrap();
    let schema = later(RecordKind::Receipt, |schema| symbols(schema, "RetentionMode").push(json!("ETERNAL")));
    codec.learn(&schema).unwrap();
    let receipt = one(arbitrary::receipt());
    let retention = Avro::Record(vec![("mode".into(), symbol("ETERNAL")), ("until_ms".into(), Avro::Long(1))]);
    let retention = Avro::Record(vec![("value".into(), retention)]);
    let error = codec.decode_receipt(&written(&schema, with(&receipt, &[("retention", retention)]))).unwrap_err();
    assert!(matches!(error, DecodeError::NotUnderstood(_)), "{error:?}");
    assert!(error.holds_link());

    let error =
        codec.decode_receipt(&written(&schema, with(&receipt, &[("bucket", symbol("No Bucket"))]))).unwrap_err();
    assert!(matches!(&error, DecodeError::Malformed(why) if why.contains("No Bucket")), "{error:?}");
    assert!(!error.holds_link());
}

#[test]
fn only_readable_schemas_of_ours_are_learned() {
    let codec = Codec::new().unwrap();
    assert!(matches!(codec.learn("{"), Err(SchemaError::NotASchema(_))));
    assert!(matches!(codec.learn("\"string\""), Err(SchemaError::NotOurs(_))));
    let foreign = r#"{"type": "record", "name": "io.twinlog.Other", "fields": []}"#;
    assert!(matches!(codec.learn(foreign), Err(SchemaError::NotOurs(_))));
    let without_site = later(RecordKind::Receipt, |schema| {
        schema["fields"].as_array_mut().unwrap().retain(|field| field["name"] != "site");
    });
    assert!(matches!(codec.learn(&without_site), Err(SchemaError::Incompatible { .. })));
}

#[test]
fn what_is_published_can_be_learned_and_is_checked() {
    for published in Codec::published().unwrap() {
        let record = PublishedSchema::try_from(published).unwrap();
        assert_eq!(record.key(), format!("schema/{:016x}", published.fingerprint));
        let mut read = PublishedSchema::from_json(&record.to_json().unwrap()).unwrap();
        assert_eq!(Codec::new().unwrap().learn(read.verified().unwrap()), Ok(published.fingerprint));
        read.fingerprint = "0123456789abcdef".into();
        assert!(matches!(read.verified(), Err(SchemaError::Mismatch { .. })));
    }
}
