//! Properties of the codec: what is written is read, and what is broken is told apart.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;
use crate::arbitrary;

fn codec() -> Codec {
    Codec::new().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_change_event_comes_back_as_it_went(event in arbitrary::change_event()) {
        let bytes = codec().encode_change(&event).unwrap();
        prop_assert_eq!(codec().decode_change(&bytes).unwrap(), event);
    }

    #[test]
    fn a_fact_comes_back_as_it_went(fact in arbitrary::fact()) {
        let bytes = codec().encode_fact(&fact).unwrap();
        prop_assert_eq!(codec().decode_fact(&bytes).unwrap(), fact);
    }

    #[test]
    fn a_receipt_comes_back_as_it_went(receipt in arbitrary::receipt()) {
        let bytes = codec().encode_receipt(&receipt).unwrap();
        prop_assert_eq!(codec().decode_receipt(&bytes).unwrap(), receipt);
    }

    /// Scenario: a record is cut short or continued. Guarantees: a dead letter, never a value, never a panic.
    #[test]
    fn a_cut_or_continued_record_is_a_dead_letter(fact in arbitrary::fact(), cut in any::<prop::sample::Index>(), tail in 1..9_usize) {
        let codec = codec();
        let bytes = codec.encode_fact(&fact).unwrap();
        let cut = codec.decode_fact(&bytes[..cut.index(bytes.len())]).unwrap_err();
        prop_assert!(!cut.holds_link(), "{}", cut);
        let longer = [bytes, vec![0; tail]].concat();
        prop_assert_eq!(codec.decode_fact(&longer), Err(DecodeError::TrailingBytes(tail)));
    }

    /// Scenario: the writer's schema is a newer one. Guarantees: the long way by schema resolution reads the same, and
    /// tells a cut record as well.
    #[test]
    fn a_newer_schemas_record_comes_back_too(event in arbitrary::change_event(), fact in arbitrary::fact(), cut in any::<prop::sample::Index>()) {
        let codec = codec();
        let newer = |kind| {
            let json = Codec::published().unwrap().filter(|known| known.kind == kind).last().unwrap().schema;
            let mut schema: serde_json::Value = serde_json::from_str(json).unwrap();
            let last = serde_json::json!({"name": "newer", "type": ["null", "string"], "default": null});
            schema["fields"].as_array_mut().unwrap().push(last);
            let fingerprint = codec.learn(&schema.to_string()).unwrap();
            // The new last field is null, which is one more byte.
            move |bytes: Vec<u8>| [&frame::header(fingerprint)[..], &bytes[frame::HEADER..], &[0]].concat()
        };
        let bytes = newer(RecordKind::ChangeEvent)(codec.encode_change(&event).unwrap());
        prop_assert_eq!(codec.decode_change(&bytes), Ok(event));
        let bytes = newer(RecordKind::Fact)(codec.encode_fact(&fact).unwrap());
        prop_assert_eq!(codec.decode_fact(&bytes), Ok(fact));
        let error = codec.decode_fact(&bytes[..cut.index(bytes.len())]).unwrap_err();
        prop_assert!(!error.holds_link(), "{}", error);
    }

    /// Guarantees: whatever bytes follow a known header, the answer is a value or an error, in bounded memory.
    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        let codec = codec();
        for known in Codec::published().unwrap() {
            let bytes = [frame::header(known.fingerprint).as_slice(), &noise].concat();
            let _ = (codec.decode_change(&bytes), codec.decode_fact(&bytes), codec.decode_receipt(&bytes));
        }
    }

    #[test]
    fn compaction_keys_differ_where_addresses_or_kinds_do(one in arbitrary::fact(), other in arbitrary::fact(), nul in any::<bool>()) {
        let mut one = one;
        if nul {
            one.key = "a\0null\0LOOK\0".parse().unwrap();
        }
        let same = one.version() == other.version() && one.kind() == other.kind() && one.category() == other.category();
        prop_assert_eq!(one.compaction_key() == other.compaction_key(), same);
    }
}

#[test]
fn a_record_of_another_topic_is_told_by_its_schema() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let receipt = arbitrary::receipt().new_tree(&mut runner).unwrap().current();
    let bytes = codec().encode_receipt(&receipt).unwrap();
    let error = codec().decode_fact(&bytes).unwrap_err();
    assert_eq!(error, DecodeError::WrongRecord { expected: RecordKind::Fact, found: RecordKind::Receipt });
    assert!(!error.holds_link());
}

#[test]
fn an_unknown_fingerprint_holds_the_link() {
    let error = codec().decode_change(&frame::header(42)).unwrap_err();
    assert_eq!(error, DecodeError::UnknownFingerprint(42));
    assert!(error.holds_link());
}

#[test]
fn confluents_format_is_named() {
    let error = codec().decode_change(&[0, 0, 0, 0, 1, 8]).unwrap_err();
    assert_eq!(error, DecodeError::ConfluentWithoutRegistry);
    assert!(error.to_string().contains("no schema registry is configured"));
}
