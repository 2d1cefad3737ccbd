#![allow(clippy::unwrap_used, missing_docs, clippy::all)]
use bytes::Bytes;
use futures::StreamExt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use twinlog_schemas::*;
use twinlog_site::*;

fn site(d: DialectName) -> S3Site {
    let port = if d == DialectName::RustFs { 19101 } else { 19102 };
    S3Site::new(
        S3SiteConfig {
            name: SiteName::new(d.as_str()).unwrap(),
            endpoint: format!("http://127.0.0.1:{port}"),
            region: "us-east-1".into(),
            dialect: d,
            credentials: S3Credentials { access_key: "testadmin".into(), secret_key: SecretKey::new("testsecret123") },
            ca_file: None,
            write_expiry: Duration::from_secs(10),
            timeouts: S3Timeouts::default(),
            notify: NotifyTargets { sure: "TWINLOG".into(), fast: Some("FAST".into()) },
        },
        Arc::new(SystemTime::now),
    )
    .unwrap()
}
fn vid(n: u32) -> VersionId {
    VersionId::new(format!(
        "{:08x}-1111-4222-8333-{:012x}",
        n,
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros() as u64 & 0xffffffffffff
    ))
    .unwrap()
}
fn vref(key: &str, v: VersionId) -> VersionRef {
    VersionRef { bucket: BucketName::new("probe").unwrap(), key: ObjectKey::new(key).unwrap(), version_id: v }
}
fn now_ns() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as i64
}
fn replica(v: VersionRef) -> Replica {
    let t = now_ns() - 3_600_000_000_000;
    Replica {
        version: v,
        modified_at_ns: t,
        etag: String::new(),
        send_etag: false,
        headers: ContentHeaders {
            content_type: Some("text/plain".into()),
            cache_control: Some("max-age=1".into()),
            content_disposition: Some("inline".into()),
            content_encoding: None,
            content_language: Some("de".into()),
            expires: Some("Thu, 01 Dec 2033 16:00:00 GMT".into()),
            website_redirect: Some("/else".into()),
        },
        user_metadata: [("colour".into(), "grün €".into()), ("plain".into(), "x y".into())].into(),
        tags: [("a b".into(), "c+d e=/".into())].into(),
        retention: None,
        legal_hold: false,
        tags_at_ns: t,
        retention_at_ns: t,
        legal_hold_at_ns: t,
        storage_class: Some("STANDARD".into()),
        encryption: Encryption::None,
        checksums: vec![],
    }
}

fn short<T: std::fmt::Debug>(r: &Result<T, SiteError>) -> String {
    match r {
        Ok(x) => {
            let s = format!("{x:?}");
            s.chars().take(900).collect()
        }
        Err(e) => format!(
            "ERR {:?} {:?} {:?} unk={} {}",
            e.kind,
            e.status,
            e.code,
            e.outcome_unknown,
            e.message.chars().take(300).collect::<String>()
        ),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live() {
    for d in DialectName::ALL {
        let s = site(d);
        println!("=========== {d}");
        println!("offset {}", short(&s.clock_offset_ms().await));
        println!("buckets {}", short(&s.buckets().await));
        let b = BucketName::new("probe").unwrap();
        println!("state {}", short(&s.bucket_state(&b).await));
        println!("state nobucket {}", short(&s.bucket_state(&BucketName::new("nope-no").unwrap()).await));
        println!("perm {}", short(&s.missing_permissions(&b).await));
        println!("sub0 {}", short(&s.subscription(&b).await));
        println!("subscribe {}", short(&s.subscribe(&b).await));
        println!("subscribe2 {}", short(&s.subscribe(&b).await));
        println!("sub1 {}", short(&s.subscription(&b).await));
        let v = vref("live/one", vid(1));
        println!("look absent {}", short(&s.look(&v).await));
        println!(
            "look nobucket {}",
            short(&s.look(&VersionRef { bucket: BucketName::new("nope-no").unwrap(), ..v.clone() }).await)
        );
        println!("read absent {}", short(&s.read(&v, BodyWish::UpTo(10)).await));
        let mut r = replica(v.clone());
        println!(
            "put {}",
            short(&s.put_object(&r, Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent).await)
        );
        println!(
            "put again {}",
            short(&s.put_object(&r, Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent).await)
        );
        println!("read {}", short(&s.read(&v, BodyWish::UpTo(10)).await));
        println!("read no {}", short(&s.read(&v, BodyWish::No).await));
        println!("versions {}", short(&s.versions_of(&v.bucket, &v.key).await));
        println!("want t {}", r.modified_at_ns);
        // wrong digest / short body
        let v2 = vref("live/short", vid(2));
        let st: BodyStream = Box::pin(futures::stream::iter(vec![Ok(Bytes::from_static(b"abc"))]));
        println!(
            "short body {}",
            short(
                &s.put_object(
                    &replica(v2.clone()),
                    Body::Stream { stream: st, length: 5, md5: None },
                    &Precondition::Absent
                )
                .await
            )
        );
        let st: BodyStream = Box::pin(futures::stream::iter(vec![Ok(Bytes::from_static(b"abc"))]));
        println!(
            "wrong md5 {}",
            short(
                &s.put_object(
                    &replica(v2.clone()),
                    Body::Stream { stream: st, length: 3, md5: Some([0; 16]) },
                    &Precondition::Absent
                )
                .await
            )
        );
        println!("short look {}", short(&s.look(&v2).await));
        let st: BodyStream = Box::pin(futures::stream::iter(vec![Ok(Bytes::from_static(b"abc"))]));
        println!(
            "stream {}",
            short(
                &s.put_object(
                    &replica(v2.clone()),
                    Body::Stream { stream: st, length: 3, md5: None },
                    &Precondition::Absent
                )
                .await
            )
        );
        // empty
        let v3 = vref("live/empty", vid(3));
        println!(
            "empty {}",
            short(&s.put_object(&replica(v3.clone()), Body::Bytes(Bytes::new()), &Precondition::Absent).await)
        );
        println!("empty read {}", short(&s.read(&v3, BodyWish::UpTo(10)).await).len());
        // marker
        let m = vref("live/one", vid(4));
        println!("marker {}", short(&s.put_marker(&m, now_ns()).await));
        println!("marker look {}", short(&s.look(&m).await));
        println!("marker read {}", short(&s.read(&m, BodyWish::UpTo(5)).await));
        println!("marker open {}", short(&s.open(&m, None, "x").await.map(|_| ())));
        let mm = vref("live/never-was", vid(5));
        println!("marker on nothing {}", short(&s.put_marker(&mm, now_ns()).await));
        println!("versions {}", short(&s.versions_of(&mm.bucket, &mm.key).await));
        println!("marker twice {}", short(&s.put_marker(&mm, now_ns()).await));
        println!("look {}", short(&s.look(&mm).await));
        println!("remove marker {}", short(&s.remove_version(&m, false, None).await));
        println!("look {}", short(&s.look(&m).await));
        // attributes
        println!("tags {}", short(&s.put_tags(&v, &[("x".to_owned(), "y z".to_owned())].into()).await));
        println!(
            "ret {}",
            short(
                &s.put_retention(
                    &v,
                    Some(Retention { mode: RetentionMode::Governance, until_ms: now_ns() / 1_000_000 + 600_123 })
                )
                .await
            )
        );
        println!("hold {}", short(&s.put_legal_hold(&v, true).await));
        println!("look {}", short(&s.look(&v).await));
        println!("remove locked {}", short(&s.remove_version(&v, true, None).await));
        println!("hold off {}", short(&s.put_legal_hold(&v, false).await));
        println!("remove gov {}", short(&s.remove_version(&v, false, None).await));
        println!("ret none {}", short(&s.put_retention(&v, None).await));
        println!(
            "ret comp {}",
            short(
                &s.put_retention(
                    &v,
                    Some(Retention { mode: RetentionMode::Compliance, until_ms: now_ns() / 1_000_000 + 4_000 })
                )
                .await
            )
        );
        println!(
            "ret comp shorter {}",
            short(
                &s.put_retention(
                    &v,
                    Some(Retention { mode: RetentionMode::Compliance, until_ms: now_ns() / 1_000_000 + 2_000 })
                )
                .await
            )
        );
        println!("ret comp none {}", short(&s.put_retention(&v, None).await));
        println!(
            "ret past {}",
            short(&s.put_retention(&v3, Some(Retention { mode: RetentionMode::Governance, until_ms: 1000 })).await)
        );
        println!("remove comp {}", short(&s.remove_version(&v, true, None).await));
        println!("tags none {}", short(&s.put_tags(&v, &Tags::new()).await));
        println!(
            "tags absent {}",
            short(&s.put_tags(&vref("live/zz", vid(9)), &[("x".to_owned(), "y".to_owned())].into()).await)
        );
        println!("hold absent {}", short(&s.put_legal_hold(&vref("live/zz", vid(9)), true).await));
        println!("look {}", short(&s.look(&v).await));
        println!("remove absent {}", short(&s.remove_version(&vref("live/zz", vid(9)), false, None).await));
        // put with lock
        let v4 = vref("live/locked", vid(10));
        r = Replica {
            version: v4.clone(),
            retention: Some(Retention { mode: RetentionMode::Governance, until_ms: now_ns() / 1_000_000 + 60_000 }),
            legal_hold: true,
            ..replica(v4.clone())
        };
        println!(
            "put locked {}",
            short(&s.put_object(&r, Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent).await)
        );
        println!("look {}", short(&s.look(&v4).await));
        println!("read locked {}", short(&s.read(&v4, BodyWish::UpTo(100)).await));
        // etag kept
        let v5 = vref("live/etag", vid(11));
        r = Replica { send_etag: true, etag: "5d41402abc4b2a76b9719d911017c592-2".into(), ..replica(v5.clone()) };
        println!(
            "put etag {}",
            short(&s.put_object(&r, Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent).await)
        );
        println!("read {}", short(&s.read(&v5, BodyWish::UpTo(100)).await));
        // checksum
        let v6 = vref("live/sum", vid(12));
        r = Replica {
            checksums: vec![Checksum {
                algorithm: "SHA256".into(),
                value: "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=".into(),
                kind: ChecksumType::FullObject,
            }],
            ..replica(v6.clone())
        };
        println!(
            "put sum {}",
            short(&s.put_object(&r, Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent).await)
        );
        println!("read {}", short(&s.read(&v6, BodyWish::UpTo(100)).await));
        r = Replica {
            version: vref("live/sum", vid(13)),
            checksums: vec![Checksum {
                algorithm: "SHA256".into(),
                value: "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCA=".into(),
                kind: ChecksumType::FullObject,
            }],
            ..replica(v6.clone())
        };
        println!(
            "put wrong sum {}",
            short(&s.put_object(&r, Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent).await)
        );
        // null
        let n = vref("live/null", VersionId::null());
        println!("null look {}", short(&s.look(&n).await).len());
        let _ = s.remove_version(&n, false, None).await;
        println!(
            "null put {}",
            short(
                &s.put_object(&replica(n.clone()), Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent)
                    .await
            )
        );
        println!(
            "null put if wrong {}",
            short(
                &s.put_object(
                    &replica(n.clone()),
                    Body::Bytes(Bytes::from_static(b"hello2")),
                    &Precondition::Etag("zz".into())
                )
                .await
            )
        );
        println!(
            "null put if {}",
            short(
                &s.put_object(
                    &replica(n.clone()),
                    Body::Bytes(Bytes::from_static(b"hello2")),
                    &Precondition::Etag("5d41402abc4b2a76b9719d911017c592".into())
                )
                .await
            )
        );
        println!("null look {}", short(&s.look(&n).await));
        println!("null versions {}", short(&s.versions_of(&n.bucket, &n.key).await));
        println!(
            "null rm wrong {}",
            short(&s.remove_version(&n, false, Some("5d41402abc4b2a76b9719d911017c592")).await)
        );
        println!("null rm {}", short(&s.remove_version(&n, false, Some("6e809cbda0732ac4845916a59016f954")).await));
        println!("null marker {}", short(&s.put_marker(&n, now_ns()).await));
        println!("null versions {}", short(&s.versions_of(&n.bucket, &n.key).await));
        println!("null marker rm {}", short(&s.remove_version(&n, false, None).await));
        println!("null versions {}", short(&s.versions_of(&n.bucket, &n.key).await));
        // keys
        for key in [
            "a b",
            "a+b",
            "a%b",
            "a%2Fb",
            "q\"'<>&",
            "x//y",
            "a..b",
            "a/../b",
            "../z",
            "e😀",
            "n\nl",
            "tab\t",
            "\u{1}c",
            "e\u{301}",
            "é",
            "back\\slash",
            "/lead",
            "d/",
            "%00",
            &"L".repeat(300),
            &format!("{}/{}/{}/{}", "L".repeat(255), "M".repeat(255), "N".repeat(255), "O".repeat(255)),
            "o?x=1#f",
        ] {
            let kv = vref(key, vid(77));
            let p = s
                .put_object(&replica(kv.clone()), Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent)
                .await;
            let rd = s.read(&kv, BodyWish::UpTo(10)).await;
            let vs = s.versions_of(&kv.bucket, &kv.key).await;
            let found = vs
                .as_ref()
                .is_ok_and(|v| v.iter().any(|l| l.version_id == kv.version_id || kv.key.as_str().ends_with('/')));
            println!(
                "key {:?}: put {} read {} listed {}",
                key.chars().take(20).collect::<String>(),
                p.map(|w| format!("{:?}", w.version_id.is_some()))
                    .unwrap_or_else(|e| format!("{:?} {:?} unk={}", e.kind, e.code, e.outcome_unknown)),
                rd.map(|r| matches!(r, Reading::Object(o) if o.body.is_some())).unwrap_or(false),
                found
            );
        }
        // listing pages
        let mut from = ListFrom { limit: Some(7), ..Default::default() };
        let mut n = 0;
        let mut pages = 0;
        let mut seen = std::collections::BTreeSet::new();
        loop {
            let p = s.list_versions(&b, &from).await.unwrap();
            pages += 1;
            for l in &p.versions {
                n += 1;
                assert!(seen.insert((l.key.clone(), l.version_id.clone())), "twice {l:?}");
            }
            match p.next {
                Some(x) => from = x,
                None => break,
            }
        }
        let whole = s.list_versions(&b, &ListFrom::default()).await.unwrap();
        println!("listed {n} in {pages}; whole {} more {}", whole.versions.len(), whole.next.is_some());
        let unsorted = whole
            .versions
            .windows(2)
            .filter(|w| (&w[0].key, -w[0].modified_ms) > (&w[1].key, -w[1].modified_ms))
            .count();
        println!("unsorted {unsorted}");
        // range open
        let o = vref("live/etag", v5.version_id.clone());
        for (rg, e) in [
            (Some(1..3u64), "5d41402abc4b2a76b9719d911017c592-2"),
            (None, "5d41402abc4b2a76b9719d911017c592-2"),
            (None, "zz"),
            (Some(3..30), "5d41402abc4b2a76b9719d911017c592-2"),
        ] {
            match s.open(&o, rg.clone(), e).await {
                Ok(st) => println!("open {rg:?} {:?}", st.collect::<Vec<_>>().await),
                Err(e) => println!("open {rg:?} {}", short::<()>(&Err(e))),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn multi() {
    for d in DialectName::ALL {
        let s = site(d);
        println!("=========== {d}");
        for (i, sum) in [
            None,
            Some(("CRC32C", ChecksumType::Composite)),
            Some(("SHA256", ChecksumType::Composite)),
            Some(("CRC64NVME", ChecksumType::FullObject)),
            Some(("CRC32", ChecksumType::FullObject)),
        ]
        .into_iter()
        .enumerate()
        {
            for streamed in [false, true] {
                let v = vref("live/multi", vid(20 + i as u32));
                let mut r = replica(v.clone());
                r.legal_hold = i == 1;
                r.checksums = sum
                    .iter()
                    .map(|(a, k)| Checksum { algorithm: (*a).into(), value: "x-3".into(), kind: *k })
                    .collect();
                let up = s.create_upload(&r).await;
                println!("create {:?} streamed {streamed} {}", sum, short(&up));
                let Ok(up) = up else { continue };
                let mut parts = vec![];
                let mut bad = false;
                for (n, size) in [(2, 5 << 20), (7, (5 << 20) + 1), (9, 3)] {
                    let bytes = Bytes::from(vec![n as u8; size]);
                    let body = if streamed {
                        Body::Stream {
                            length: size as u64,
                            md5: None,
                            stream: Box::pin(futures::stream::iter(
                                bytes.chunks(70_000).map(|c| Ok(Bytes::copy_from_slice(c))).collect::<Vec<_>>(),
                            )),
                        }
                    } else {
                        Body::Bytes(bytes)
                    };
                    let w = s.put_part(&up, Part { number: n, size: size as i64 }, body).await;
                    println!("  part {}", short(&w));
                    match w {
                        Ok(w) => parts.push(w),
                        Err(_) => {
                            bad = true;
                            break;
                        }
                    }
                }
                println!("  uploads {}", short(&s.uploads_of(&v.bucket, &v.key).await));
                println!("  parts {}", short(&s.parts_of(&up).await));
                if bad {
                    println!("  abort {}", short(&s.abort_upload(&up).await));
                    continue;
                }
                r.checksums.clear();
                let t = Instant::now();
                println!("  complete {} {:?}", short(&s.complete_upload(&up, &r, &parts).await), t.elapsed());
                println!("  read {}", short(&s.read(&v, BodyWish::UpTo(10)).await));
                println!("  versions {}", short(&s.versions_of(&v.bucket, &v.key).await).len());
                println!("  abort after {}", short(&s.abort_upload(&up).await));
                let _ = s.put_legal_hold(&v, false).await;
                println!("  rm {}", short(&s.remove_version(&v, true, None).await));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn door() {
    let s = Arc::new(site(DialectName::RustFs));
    let b = BucketName::new("probe").unwrap();
    for bs in [vec![b.clone()], vec![b.clone(), BucketName::new("zzz-other").unwrap()]] {
        match s.listen(&bs).await {
            Ok(Some(mut st)) => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let _ = std::process::Command::new("/tmp/s3dev/v/bin/python").args(["-c", "import sys; sys.path.insert(0,'/tmp/s3dev'); from probe import *; cl('R').put_object(Bucket='probe',Key='door x',Body=b'1',Tagging='a=b')"]).status();
                let line = tokio::time::timeout(Duration::from_secs(5), st.next()).await;
                println!(
                    "door {} -> {:?}",
                    bs.len(),
                    line.map(
                        |l| l.map(|l| l.map(|l| String::from_utf8_lossy(&l).chars().take(300).collect::<String>()))
                    )
                );
                let quiet = tokio::time::timeout(Duration::from_secs(20), st.next()).await;
                println!("quiet 20 s: {:?}", quiet.is_err());
            }
            other => println!("door {:?}", other.map(|o| o.is_some())),
        }
    }
    println!("minio {:?}", site(DialectName::MinIo).listen(&[b]).await.map(|o| o.is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry() {
    for d in DialectName::ALL {
        let port = if d == DialectName::RustFs { 19101 } else { 19102 };
        let _ = port;
        let skew = Arc::new(std::sync::atomic::AtomicI64::new(-500));
        let k = skew.clone();
        let s = S3Site::new(
            S3SiteConfig {
                name: SiteName::new("x").unwrap(),
                endpoint: format!("http://127.0.0.1:{port}"),
                region: "us-east-1".into(),
                dialect: d,
                credentials: S3Credentials {
                    access_key: "testadmin".into(),
                    secret_key: SecretKey::new("testsecret123"),
                },
                ca_file: None,
                write_expiry: Duration::from_secs(2),
                timeouts: S3Timeouts::default(),
                notify: NotifyTargets::default(),
            },
            Arc::new(move || {
                let n = SystemTime::now();
                let o = k.load(std::sync::atomic::Ordering::Relaxed);
                if o < 0 { n - Duration::from_secs(o.unsigned_abs()) } else { n + Duration::from_secs(o as u64) }
            }),
        )
        .unwrap();
        let v = vref("live/exp", vid(50));
        println!(
            "{d} skewed first write {}",
            short(
                &s.put_object(&replica(v.clone()), Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent)
                    .await
            )
        );
        println!("{d} offset {}", short(&s.clock_offset_ms().await));
        println!(
            "{d} then {}",
            short(
                &s.put_object(&replica(v.clone()), Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent)
                    .await
            )
        );
        skew.store(0, std::sync::atomic::Ordering::Relaxed);
        let v = vref("live/exp", vid(51));
        println!(
            "{d} future {}",
            short(
                &s.put_object(&replica(v.clone()), Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent)
                    .await
            )
        );
        println!("{d} offset {}", short(&s.clock_offset_ms().await));
        let bad = S3Site::new(
            S3SiteConfig {
                name: SiteName::new("x").unwrap(),
                endpoint: format!("http://127.0.0.1:{port}"),
                region: "us-east-1".into(),
                dialect: d,
                credentials: S3Credentials { access_key: "testadmin".into(), secret_key: SecretKey::new("wrong") },
                ca_file: None,
                write_expiry: Duration::from_secs(2),
                timeouts: S3Timeouts::default(),
                notify: NotifyTargets::default(),
            },
            Arc::new(SystemTime::now),
        )
        .unwrap();
        println!("{d} wrong secret {}", short(&bad.look(&v).await));
        println!("{d} wrong secret {}", short(&bad.buckets().await));
        println!(
            "{d} wrong secret {}",
            short(
                &bad.put_object(&replica(v.clone()), Body::Bytes(Bytes::from_static(b"hello")), &Precondition::Absent)
                    .await
            )
        );
    }
    let none = S3Site::new(
        S3SiteConfig {
            name: SiteName::new("x").unwrap(),
            endpoint: "http://127.0.0.1:1".into(),
            region: "us-east-1".into(),
            dialect: DialectName::RustFs,
            credentials: S3Credentials { access_key: "testadmin".into(), secret_key: SecretKey::new("wrong") },
            ca_file: None,
            write_expiry: Duration::from_secs(2),
            timeouts: S3Timeouts::default(),
            notify: NotifyTargets::default(),
        },
        Arc::new(SystemTime::now),
    )
    .unwrap();
    println!("refused {}", short(&none.put_tags(&vref("a", vid(1)), &Tags::new()).await));
    let none = S3Site::new(
        S3SiteConfig {
            name: SiteName::new("x").unwrap(),
            endpoint: "http://no-such-host.invalid".into(),
            region: "us-east-1".into(),
            dialect: DialectName::RustFs,
            credentials: S3Credentials { access_key: "testadmin".into(), secret_key: SecretKey::new("wrong") },
            ca_file: None,
            write_expiry: Duration::from_secs(2),
            timeouts: S3Timeouts::default(),
            notify: NotifyTargets::default(),
        },
        Arc::new(SystemTime::now),
    )
    .unwrap();
    println!("dns {}", short(&none.put_tags(&vref("a", vid(1)), &Tags::new()).await));
}
