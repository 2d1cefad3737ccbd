//! Content headers, verbatim.

use twinlog_tests::server::StoreKind;

use super::{
    bodies::PART,
    case::{Body, Case, case},
};

const NOUN: &str = "headers";
const EXPIRES: &str = "Thu, 01 Dec 1994 16:00:00 GMT";

pub fn cases(kind: StoreKind) -> Vec<Case> {
    let of = |name, header, value| case(NOUN, name).header(header, value);
    let mut cases = vec![
        of("content type", "Content-Type", "text/plain; charset=utf-8"),
        of("content type with quotes", "Content-Type", "multipart/mixed; boundary=\"a b\""),
        of("cache control", "Cache-Control", "no-store, max-age=0, stale-while-revalidate=30"),
        of(
            "content disposition",
            "Content-Disposition",
            "attachment; filename=\"x y.txt\"; filename*=UTF-8''%e2%82%ac",
        ),
        of("content encoding", "Content-Encoding", "gzip"),
        of("content encodings", "Content-Encoding", "gzip, br"),
        of("content language", "Content-Language", "de-CH, en"),
        of("expires", "Expires", EXPIRES),
        all(case(NOUN, "all together")),
        all(case(NOUN, "all of a multipart upload")).body(Body::Parts(vec![(1, PART), (2, 3)])),
        case(NOUN, "none"),
    ];
    cases.extend(unparsable_expiry());
    cases.push(redirect(kind));
    cases
}

fn all(case: Case) -> Case {
    case.header("Content-Type", "application/x-all")
        .header("Cache-Control", "private")
        .header("Content-Disposition", "inline")
        .header("Content-Encoding", "br")
        .header("Content-Language", "fr")
        .header("Expires", EXPIRES)
}

/// S3 keeps any text. RustFS refuses what is no date of HTTP, MinIO takes it and shows nothing.
fn unparsable_expiry() -> impl Iterator<Item = Case> {
    [("expires at once", "0"), ("expires in words", "in a week")].into_iter().map(|(name, value)| {
        let case = case(NOUN, name).sends("Expires", value).lacks("Expires");
        case.refused(StoreKind::RustFs, 400, "InvalidArgument")
    })
}

/// MinIO drops it already at home.
fn redirect(kind: StoreKind) -> Case {
    const NAME: &str = "x-amz-website-redirect-location";
    let case = case(NOUN, "website redirect").sends(NAME, "/elsewhere?a=b");
    match kind {
        StoreKind::RustFs => case.shows("website redirect", "/elsewhere?a=b"),
        StoreKind::MinIo => case.lacks("website redirect"),
    }
}
