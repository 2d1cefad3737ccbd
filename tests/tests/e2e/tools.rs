//! The tests' own tools on real stores: a comparer that finds nothing would make every other test pass.

use aws_sdk_s3::primitives::ByteStream;
use twinlog_tests::{
    bucket::{self, Lock},
    compare::{Bucket, Depth, compare},
    lab::Stage,
    lab_error::LabError,
    site::Site,
    workload::{Mix, Writer},
};

use crate::scenario::{Outcome, scenarios};

scenarios!(prepared: a_bucket_equals_itself_and_no_other);

/// Scenario: a bucket full of everything, compared with itself, then with one that differs in one thing at a time.
/// Guarantees: the comparer reads all of it, calls it equal, and names each difference.
async fn a_bucket_equals_itself_and_no_other(stage: &mut Stage) -> Outcome {
    let east = stage.at(Site::East);
    let mut writer = Writer::new(east.client.clone(), &east.name, Writer::keys("k", 12), Mix::everything(), 7);
    for _ in 0..150 {
        writer.step().await?;
    }
    let same = compare(&east, &east, Depth::ALL).await?;
    assert!(same.equal(), "{same}");
    assert!(same.versions > 60 && same.bytes > 1_000_000 && same.unread == 0, "{same:?}");

    let west = stage.at(Site::West);
    for bucket in [&east, &west] {
        let name = format!("{}-single", bucket.name);
        bucket::make(&bucket.client, &name, Lock::On).await?;
    }
    let single = |of: &Bucket| Bucket { name: format!("{}-single", of.name), ..of.clone() };
    let (east, west) = (single(&east), single(&west));
    for (bucket, body) in [(&east, "one"), (&west, "two")] {
        let put =
            bucket.client.put_object().bucket(&bucket.name).key("k").body(ByteStream::from_static(body.as_bytes()));
        put.metadata("who", &bucket.label).send().await?;
    }
    // Two versions of different ids: each is at one side only.
    let apart = compare(&east, &west, Depth::ALL).await?;
    assert_eq!((apart.versions, apart.differences.len()), (2, 2), "{apart}");
    assert!(apart.differences.iter().any(|difference| difference.ends_with("at east and nothing at west")), "{apart}");
    deep_differences(stage).await
}

/// The same version twice, in other attributes: written as a replica is, since no client can. The tests' comparer and
/// `twinlog verify`, which read each in its own way, both name what differs.
async fn deep_differences(stage: &Stage) -> Outcome {
    let (east, west) = (&stage.at(Site::East), stage.at(Site::West));
    let put = |tags: &'static str| {
        let put = east.client.put_object().bucket(&east.name).key("twin").metadata("colour", "blue").tagging(tags);
        put.body(ByteStream::from_static(b"twin"))
    };
    let made = put("a=1").send().await?;
    let id = made.version_id().unwrap_or_default().to_owned();
    let listed = twinlog_tests::compare::list(east).await?;
    let modified = listed["twin"][0].modified_ms;
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(modified) * 1_000_000)?;
    let time = time.format(&time::format_description::well_known::Rfc3339)?;
    let replica = west.client.put_object().bucket(&west.name).key("twin").metadata("colour", "red").tagging("a=2");
    let replica = replica.body(ByteStream::from_static(b"TWIN")).customize().mutate_request(move |request| {
        let uri = format!("{}&versionId={id}", request.uri());
        let uri = if request.uri().contains('?') { uri } else { format!("{}?versionId={id}", request.uri()) };
        request.set_uri(uri).unwrap();
        for brand in ["rustfs", "minio"] {
            for (name, value) in
                [("replication-request", "true"), ("version-id", id.as_str()), ("mtime", time.as_str())]
            {
                request.headers_mut().insert(format!("x-{brand}-source-{name}"), value.to_owned());
            }
        }
        request.headers_mut().insert("x-amz-replication-status", "REPLICA");
    });
    replica.send().await?;
    let east_twin = compare(east, &west, Depth::ALL).await?;
    let about: Vec<&String> =
        east_twin.differences.iter().filter(|difference| difference.starts_with("\"twin\"")).collect();
    let verify = ["verify", "--bucket", &stage.bucket, "--prefix", "twin", "--bodies"];
    let said = match stage.deployment.run(&verify).await {
        Err(LabError::Command { code: Some(1), said, .. }) => said,
        other => panic!("a difference is not exit 1: {other:?}"),
    };
    assert!(said.contains("1 versions compared"), "{said}");
    for what in ["ETag", "metadata colour", "tag a", "body"] {
        assert!(said.lines().any(|line| line.starts_with("twin ") && line.contains(what)), "{what} is not in\n{said}");
        assert!(about.iter().any(|difference| difference.contains(what)), "{what} is not among {about:#?}");
    }
    assert!(!about.iter().any(|difference| difference.contains("the version is")), "{about:#?}");
    Ok(())
}
