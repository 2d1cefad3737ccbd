//! Listings: order, names, pages.

use bytes::Bytes;
use twinlog_schemas::{BucketName, ObjectKey, VersionKind, VersionRef};

use crate::memory::ClientPut;
use crate::reading::{ListFrom, ListedVersion};

use super::bench::{Bench, Failure, Outcome, SAMPLE_NS, bare, ensure, ensure_eq, md5_hex};

async fn list_all(
    bench: &Bench,
    bucket: &BucketName,
    prefix: &str,
    limit: u32,
) -> Result<Vec<Vec<ListedVersion>>, Failure> {
    let mut from = ListFrom { prefix: prefix.to_owned(), limit: Some(limit), ..ListFrom::default() };
    let mut pages = Vec::new();
    loop {
        let page = bench.site.list_versions(bucket, &from).await?;
        ensure!(page.versions.len() <= limit as usize, "a page of {} with a limit of {limit}", page.versions.len());
        ensure!(pages.len() < 100, "the listing does not end");
        pages.push(page.versions);
        match page.next {
            Some(next) => from = next,
            None => return Ok(pages),
        }
    }
}

pub(super) async fn keeps_nanosecond_order(bench: &Bench) -> Outcome {
    let mut versions = Vec::new();
    for offset in [3, 1, 4, 0, 2] {
        let version = bench.fresh("listing/order")?;
        let mut replica = bare(&version, b"x");
        replica.modified_at_ns = SAMPLE_NS + offset;
        bench.put_absent(&replica, b"x").await?;
        versions.push((replica.modified_at_ns, version.version_id));
    }
    let marker = bench.fresh("listing/order")?;
    bench.site.put_marker(&marker, SAMPLE_NS + 5).await?;
    versions.push((SAMPLE_NS + 5, marker.version_id.clone()));
    versions.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let expected: Vec<_> = versions.into_iter().map(|(_, id)| id).collect();
    ensure_eq!(bench.ids(&marker).await?, expected, "order by nanoseconds");
    let listed = bench.site.versions_of(&marker.bucket, &marker.key).await?;
    for (at, line) in listed.iter().enumerate() {
        ensure_eq!(line.modified_ms, SAMPLE_NS / 1_000_000, "listed milliseconds");
        ensure_eq!(line.is_latest, at == 0, format!("is_latest of line {at}"));
    }
    ensure_eq!(listed.first().map(|line| line.kind), Some(VersionKind::DeleteMarker), "the latest");
    Ok(())
}

pub(super) async fn agrees_with_client_writes(bench: &Bench) -> Outcome {
    let (bucket, key) = (bench.bucket()?, ObjectKey::new("listing/client")?);
    let put = ClientPut { body: Bytes::from_static(b"12345"), ..ClientPut::default() };
    let written = bench.client.put(&bucket, &key, &put).await?;
    let marker = bench.client.delete(&bucket, &key).await?.version_id;
    let listed = bench.site.versions_of(&bucket, &key).await?;
    ensure_eq!(listed.len(), 2, "versions");
    ensure_eq!(listed.first().map(|line| line.version_id.clone()), marker, "the marker comes first");
    let object = listed.get(1).cloned().ok_or_else(|| Failure("no object listed".to_owned()))?;
    ensure_eq!((object.version_id, object.kind), (written.version_id, VersionKind::Object), "the object");
    ensure_eq!((object.etag, object.size), (Some(md5_hex(b"12345")), Some(5)), "etag and size");
    Ok(())
}

/// Names that clients have used and that encodings get wrong.
fn odd_keys() -> Vec<String> {
    let names = [
        "a b",
        "a+b",
        "a%2Fb",
        "a%b",
        "quote'\"",
        "dots/..x/y",
        "emoji 😀",
        "e\u{301}",
        "\u{e9}",
        "Case",
        "case",
        "amp&eq=?#",
        "<xml>&amp;",
        "tilde~!$()*,;:@",
        "日本語",
    ];
    let mut keys: Vec<_> = names.iter().map(|name| format!("odd/{name}")).collect();
    keys.push(format!("odd/{}", "l".repeat(200)));
    keys
}

pub(super) async fn lists_odd_keys_verbatim(bench: &Bench) -> Outcome {
    let mut expected = Vec::new();
    for key in odd_keys() {
        let version = bench.fresh(&key)?;
        bench.put_absent(&bare(&version, key.as_bytes()), key.as_bytes()).await?;
        let read = bench.object(&version).await?;
        ensure_eq!(read.body.as_deref(), Some(key.as_bytes()), format!("body of {key:?}"));
        ensure_eq!(bench.ids(&version).await?, vec![version.version_id.clone()], format!("versions of {key:?}"));
        expected.push((version.key, version.version_id));
    }
    expected.sort();
    let listed = list_all(bench, &bench.bucket()?, "odd/", 1000).await?.concat();
    let mut found: Vec<_> = listed.into_iter().map(|line| (line.key, line.version_id)).collect();
    found.sort();
    ensure_eq!(found, expected, "listed keys");
    Ok(())
}

pub(super) async fn pages_without_loss_or_repeat(bench: &Bench) -> Outcome {
    let bucket = bench.plain()?;
    for key in ["page/a", "page/a b", "page/b", "page/c+d", "page/é"] {
        for offset in 0..4 {
            let version = VersionRef { bucket: bucket.clone(), ..bench.fresh(key)? };
            let mut replica = bare(&version, b"x");
            replica.modified_at_ns = SAMPLE_NS + offset * 1_000_000;
            if offset == 2 {
                bench.site.put_marker(&version, replica.modified_at_ns).await?;
            } else {
                bench.put_absent(&replica, b"x").await?;
            }
        }
    }
    let whole = list_all(bench, &bucket, "page/", 1000).await?.concat();
    ensure_eq!(whole.len(), 20, "lines in one page");
    for limit in [1, 3, 7] {
        let paged = list_all(bench, &bucket, "page/", limit).await?;
        ensure_eq!(paged.concat(), whole, format!("pages of {limit}"));
    }
    let sorted = whole.is_sorted_by(|a, b| a.key < b.key || (a.key == b.key && a.modified_ms >= b.modified_ms));
    ensure!(sorted, "the listing is not by key, then newest first");
    Ok(())
}

pub(super) async fn names_only_the_exact_key(bench: &Bench) -> Outcome {
    let short = bench.fresh("listing/exact")?;
    let long = bench.fresh("listing/exact-and-more")?;
    for version in [&short, &long] {
        bench.put_absent(&bare(version, b"x"), b"x").await?;
    }
    ensure_eq!(bench.ids(&short).await?, vec![short.version_id.clone()], "versions of the shorter key");
    ensure_eq!(bench.ids(&bench.fresh("listing/exac")?).await?, vec![], "versions of a key that is only a prefix");
    Ok(())
}

/// MinIO does not list what stands below a key that has versions, though it reads it.
pub(super) async fn keys_below_keys_follow_the_store(bench: &Bench) -> Outcome {
    let (below, above) = (bench.fresh("listing/above/below")?, bench.fresh("listing/above")?);
    for version in [&below, &above] {
        bench.put_absent(&bare(version, b"x"), b"x").await?;
    }
    bench.object(&below).await?;
    let hidden = bench.site.versions_of(&below.bucket, &below.key).await?.is_empty();
    ensure_eq!(hidden, bench.quirks.hides_below_keys, "a key below another key is left out of listings");
    bench.site.remove_version(&above, false, None).await?;
    ensure_eq!(bench.ids(&below).await?, vec![below.version_id.clone()], "listed once the other is gone");
    Ok(())
}
