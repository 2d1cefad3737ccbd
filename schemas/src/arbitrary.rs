//! Strategies of proptest for everything that crosses the log, for this crate's tests and (feature `arbitrary`) others'.
//!
//! Sites, buckets, keys and times are drawn from small sets beside wide ones, so that properties meet ties.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::change_event::{ChangeEvent, Told};
use crate::event_id::EventId;
use crate::fact::{Answer, Fact, FactBody, NullRegister, NullState, RegisterRef, Removal, StoreReading};
use crate::name::{BucketName, ObjectKey, SiteName};
use crate::object::{Checksum, ChecksumType, ContentHeaders, Encryption, ObjectState, Part, TimePrecision};
use crate::receipt::{Receipt, RetentionWritten, UploadBegun, Wrote};
use crate::stamp::{Basis, LocksSeen, Retention, RetentionMode, Stamp, StampRef, Tags};
use crate::version::{VersionId, VersionKind};

fn parsed<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// One of three sites.
pub fn site() -> impl Strategy<Value = SiteName> {
    prop::sample::select(vec!["east", "north", "west"]).prop_filter_map("site", parsed)
}

/// A bucket name.
pub fn bucket() -> impl Strategy<Value = BucketName> {
    "[a-z][a-z0-9-]{1,8}[a-z0-9]".prop_filter_map("bucket", |name| parsed(&name))
}

/// An object key, any Unicode.
pub fn key() -> impl Strategy<Value = ObjectKey> {
    ".{1,40}".prop_filter_map("key", |name| parsed(&name))
}

/// A version id, sometimes the null version.
pub fn version_id() -> impl Strategy<Value = VersionId> {
    prop_oneof![
        1 => Just(VersionId::null()),
        4 => "[0-9a-f]{8}-[0-9a-f]{4}".prop_filter_map("version", |id| parsed(&id)),
    ]
}

/// An event id.
pub fn event_id() -> impl Strategy<Value = EventId> {
    (0..1_u64 << 48, any::<[u8; 10]>()).prop_map(|(unix_ms, random)| EventId::new(unix_ms, random))
}

/// A time in nanoseconds: mostly one of a few, so that times tie.
pub fn time_ns() -> impl Strategy<Value = i64> {
    prop_oneof![6 => (0..4_i64).prop_map(|n| n * 1_000_000_000), 1 => any::<i64>()]
}

/// A tag set.
pub fn tags() -> impl Strategy<Value = Tags> {
    btree_map("[a-c]{0,2}", "[x-z]{0,2}|.{0,8}", 0..4)
}

/// A retention; dates lie among the times of [`time_ns`].
pub fn retention() -> impl Strategy<Value = Retention> {
    let mode = prop_oneof![Just(RetentionMode::Governance), Just(RetentionMode::Compliance)];
    let until_ms = prop_oneof![6 => (0..5_i64).prop_map(|n| n * 1_000 + 500), 1 => any::<i64>()];
    (mode, until_ms).prop_map(|(mode, until_ms)| Retention { mode, until_ms })
}

/// A stamp of any value.
pub fn stamp<T: std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Stamp<T>> {
    let stamped =
        |(value, StampRef { changed_at_ns, site, basis }, over)| Stamp { value, changed_at_ns, site, basis, over };
    // Boxed, here and below: the trees of nested strategies would not fit a test thread's stack.
    (value, stamp_ref(), option::of(stamp_ref())).prop_map(stamped).boxed()
}

/// A stamp by name.
pub fn stamp_ref() -> impl Strategy<Value = StampRef> {
    let basis = prop_oneof![Just(Basis::Birth), Just(Basis::Unknown), Just(Basis::Known)];
    (time_ns(), site(), basis).prop_map(|(changed_at_ns, site, basis)| StampRef { changed_at_ns, site, basis })
}

fn locks_seen() -> impl Strategy<Value = Option<LocksSeen>> {
    let seen = (option::of(stamp_ref()), option::of(stamp_ref()));
    option::of(seen.prop_map(|(retention, legal_hold)| LocksSeen { retention, legal_hold }))
}

/// A null version's register.
pub fn null_register() -> impl Strategy<Value = NullRegister> {
    let state = prop_oneof![Just(NullState::Removed), Just(NullState::Marker), Just(NullState::Object)];
    let over = option::of((time_ns(), site()).prop_map(|(at_ns, site)| RegisterRef { at_ns, site }));
    (state, time_ns(), site(), option::of("[0-9a-f]{4}"), over)
        .prop_map(|(state, at_ns, site, etag, over)| NullRegister { state, at_ns, site, etag, over })
        .boxed()
}

fn removal() -> impl Strategy<Value = Removal> {
    (time_ns(), "[A-Za-z:]{0,12}", any::<bool>(), locks_seen())
        .prop_map(|(removed_at_ns, cause, lifecycle, locks_seen)| Removal {
            removed_at_ns,
            cause,
            lifecycle,
            locks_seen,
        })
        .boxed()
}

fn answer() -> impl Strategy<Value = Answer> {
    (event_id(), any::<bool>(), tags(), option::of(retention()), any::<bool>()).prop_map(
        |(doubt_id, present, tags, retention, legal_hold)| Answer {
            doubt_id,
            reading: StoreReading { present, tags, retention, legal_hold },
        },
    )
}

/// What a fact can say, every kind.
pub fn fact_body() -> impl Strategy<Value = FactBody> {
    let compliance =
        option::of((stamp(Just(())), any::<i64>()).prop_map(|(stamp, until_ms)| stamp.compliance(until_ms)));
    prop_oneof![
        removal().prop_map(FactBody::Removed),
        stamp(tags()).prop_map(FactBody::Tags),
        (stamp(option::of(retention())), compliance)
            .prop_map(|(latest, compliance)| FactBody::Retention { latest, compliance }),
        stamp(any::<bool>()).prop_map(FactBody::LegalHold),
        null_register().prop_map(FactBody::Null),
        Just(FactBody::Look),
        answer().prop_map(FactBody::Answer),
    ]
    .boxed()
}

impl Stamp<()> {
    /// The same stamp with a COMPLIANCE retention as its value.
    fn compliance(self, until_ms: i64) -> Stamp<Option<Retention>> {
        let value = Some(Retention { mode: RetentionMode::Compliance, until_ms });
        Stamp { value, changed_at_ns: self.changed_at_ns, site: self.site, basis: self.basis, over: self.over }
    }
}

/// A fact about any version.
pub fn fact() -> impl Strategy<Value = Fact> {
    (event_id(), site(), bucket(), key(), version_id(), time_ns(), fact_body(), option::of(null_register())).prop_map(
        |(event_id, site, bucket, key, version_id, said_at_ns, body, of)| {
            let fact = Fact { event_id, site, bucket, key, version_id, said_at_ns, of: None, body };
            let of = of.filter(|_| fact.version_id.is_null() && fact.category().is_some());
            Fact { of, ..fact }
        },
    )
}

/// A receipt about any version.
pub fn receipt() -> impl Strategy<Value = Receipt> {
    let wrote = prop_oneof![
        Just(Wrote::Object),
        Just(Wrote::DeleteMarker),
        Just(Wrote::Removal),
        Just(Wrote::Attributes),
        Just(Wrote::Upload),
        Just(Wrote::Nothing),
        Just(Wrote::Unknown),
    ];
    let retention = option::of(option::of(retention()).prop_map(|value| RetentionWritten { value }));
    let address = (event_id(), site(), site(), bucket(), key(), version_id());
    let upload = ("[a-z0-9]{1,4}", "[ab]").prop_map(|(upload_id, begun_with)| UploadBegun { upload_id, begun_with });
    let values = (option::of(tags()), retention, option::of(any::<bool>()), option::of(upload));
    let stamps =
        (option::of(stamp_ref()), option::of(stamp_ref()), option::of(stamp_ref()), option::of(null_register()));
    (address, time_ns(), wrote, values, stamps).prop_map(|(address, written_at_ns, wrote, values, stamps)| {
        let (event_id, site, source, bucket, key, version_id) = address;
        let (tags, retention, legal_hold, upload) = values;
        let (tags_stamp, retention_stamp, legal_hold_stamp, null_register) = stamps;
        Receipt {
            event_id,
            site,
            source,
            bucket,
            key,
            version_id,
            written_at_ns,
            wrote,
            tags,
            retention,
            legal_hold,
            upload,
            tags_stamp,
            retention_stamp,
            legal_hold_stamp,
            null_register,
        }
    })
}

fn headers() -> impl Strategy<Value = ContentHeaders> {
    proptest::array::uniform7(option::of("[a-z/;= ]{0,12}")).prop_map(|headers| {
        let [content_type, cache_control, content_disposition, content_encoding, content_language, expires, redirect] =
            headers;
        ContentHeaders {
            content_type,
            cache_control,
            content_disposition,
            content_encoding,
            content_language,
            expires,
            website_redirect: redirect,
        }
    })
}

fn checksum() -> impl Strategy<Value = Checksum> {
    let kind = prop_oneof![Just(ChecksumType::FullObject), Just(ChecksumType::Composite), Just(ChecksumType::Unknown)];
    (prop_oneof![Just("CRC32"), Just("SHA256")], "[A-Za-z0-9+/=-]{0,12}", kind)
        .prop_map(|(algorithm, value, kind)| Checksum { algorithm: algorithm.into(), value, kind })
}

/// An object's state, with a body up to 64 bytes.
pub fn object_state() -> impl Strategy<Value = ObjectState> {
    let encryption = prop_oneof![
        Just(Encryption::None),
        Just(Encryption::SseS3),
        Just(Encryption::SseKms),
        Just(Encryption::SseC),
        Just(Encryption::Unknown),
    ];
    let stamps =
        (option::of(stamp(tags())), option::of(stamp(option::of(retention()))), option::of(stamp(any::<bool>())));
    let part = (1..=10_000_i32, 0..1_i64 << 40).prop_map(|(number, size)| Part { number, size });
    let content = (headers(), btree_map("[a-z-]{1,6}", ".{0,8}", 0..3), option::of(vec(any::<u8>(), 0..64)));
    let layout = (vec(checksum(), 0..3), vec(part, 0..3), option::of("[A-Z_]{1,10}"), encryption);
    (any::<i64>(), "[0-9a-f]{32}(-[0-9]{1,3})?", content, stamps, layout).prop_map(
        |(size, etag, content, stamps, layout)| {
            let (headers, user_metadata, body) = content;
            let (tags, retention, legal_hold) = stamps;
            let (checksums, parts, storage_class, encryption) = layout;
            ObjectState {
                size,
                etag,
                headers,
                user_metadata,
                tags,
                retention,
                legal_hold,
                storage_class,
                encryption,
                checksums,
                parts,
                body,
            }
        },
    )
}

/// A change event of any known kind; an OBJECT, and only that, has an object part.
pub fn change_event() -> impl Strategy<Value = ChangeEvent> {
    let kind = prop_oneof![
        2 => object_state().prop_map(|object| (VersionKind::Object, Some(object))),
        1 => Just((VersionKind::DeleteMarker, None)),
        1 => Just((VersionKind::Removed, None)),
    ];
    let told = prop::sample::select(vec![
        Told::Born,
        Told::Tags,
        Told::Retention,
        Told::LegalHold,
        Told::Removed,
        Told::Examined,
        Told::Unknown,
    ]);
    let precision =
        prop::sample::select(vec![TimePrecision::Nanoseconds, TimePrecision::Milliseconds, TimePrecision::Seconds]);
    let address = (event_id(), site(), bucket(), key(), version_id());
    let why = (told, "[a-zA-Z0-9:]{0,20}", any::<bool>(), any::<bool>(), option::of(".{0,10}"));
    let times = (time_ns(), precision, option::of(any::<i64>()), any::<i64>(), any::<i64>());
    let extra = (locks_seen(), option::of(null_register()));
    (address, kind, why, times, extra).prop_map(|(address, (kind, object), why, times, extra)| {
        let (locks_seen, null_register) = extra;
        let (event_id, site, bucket, key, version_id) = address;
        let (told, cause, lifecycle, may_create, actor) = why;
        let (modified_at_ns, modified_precision, event_time_us, noticed_at_us, observed_at_us) = times;
        ChangeEvent {
            event_id,
            site,
            bucket,
            key,
            version_id,
            kind,
            told,
            cause,
            lifecycle,
            may_create,
            actor,
            modified_at_ns,
            modified_precision,
            event_time_us,
            noticed_at_us,
            observed_at_us,
            object,
            locks_seen,
            null_register,
        }
    })
}
