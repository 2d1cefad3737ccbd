//! Delete markers of replicas.

use twinlog_schemas::{VersionKind, VersionRef};

use super::bench::{Bench, Outcome, SAMPLE_NS, bare, ensure, ensure_eq};

pub(super) async fn is_made_with_its_time(bench: &Bench) -> Outcome {
    let object = bench.fresh("marker/made")?;
    bench.put_absent(&bare(&object, b"x"), b"x").await?;
    let marker = bench.fresh("marker/made")?;
    ensure!(bench.is_absent(&marker).await?, "the marker is there before");
    bench.site.put_marker(&marker, SAMPLE_NS + 2_000_000).await?;
    ensure!(bench.is_marker(&marker).await?, "the marker is not there");
    let listed = bench.site.versions_of(&marker.bucket, &marker.key).await?;
    let lines: Vec<_> = listed.iter().map(|line| (line.kind, line.modified_ms, line.is_latest)).collect();
    let at = SAMPLE_NS / 1_000_000;
    ensure_eq!(lines, vec![(VersionKind::DeleteMarker, at + 2, true), (VersionKind::Object, at, false)], "listing");
    Ok(())
}

pub(super) async fn is_made_on_absent_keys(bench: &Bench) -> Outcome {
    let marker = bench.fresh("marker/absent key")?;
    bench.site.put_marker(&marker, SAMPLE_NS).await?;
    ensure!(bench.is_marker(&marker).await?, "the marker is not there");
    Ok(())
}

/// The reason for looking before and after each marker. What the store tells of a request that removes differs (RustFS:
/// that it is no marker), so only what is there afterwards counts.
pub(super) async fn removes_itself_when_sent_twice(bench: &Bench) -> Outcome {
    let marker = bench.fresh("marker/twice")?;
    for expected in [true, false, true] {
        let told = bench.site.put_marker(&marker, SAMPLE_NS).await;
        ensure!(told.is_ok() || !expected, "a marker that should be made: {told:?}");
        ensure_eq!(bench.is_marker(&marker).await?, expected, "the marker after one more request");
    }
    Ok(())
}

pub(super) async fn removes_an_object_of_the_same_id(bench: &Bench) -> Outcome {
    let version = bench.fresh("marker/over object")?;
    bench.put_absent(&bare(&version, b"x"), b"x").await?;
    let _told = bench.site.put_marker(&version, SAMPLE_NS).await;
    ensure!(bench.is_absent(&version).await?, "neither object nor marker should be left");
    Ok(())
}

pub(super) async fn is_removed_by_id(bench: &Bench) -> Outcome {
    let marker = bench.fresh("marker/removed")?;
    bench.site.put_marker(&marker, SAMPLE_NS).await?;
    bench.site.remove_version(&marker, false, None).await?;
    ensure!(bench.is_absent(&marker).await?, "the marker is still there");
    bench.site.remove_version(&marker, false, None).await?;
    ensure!(bench.is_absent(&marker).await?, "removing it again brought it back");
    let deleted = VersionRef { version_id: marker.version_id.clone(), ..marker };
    ensure_eq!(bench.ids(&deleted).await?, vec![], "versions left");
    Ok(())
}
