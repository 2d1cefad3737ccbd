//! How the stores differ from S3 and from one another: each difference is one named field, so that the in-memory site,
//! the conformance suite and a test's expectation speak of the same thing.
//!
//! Every value of [`Quirks::rustfs`] (RustFS 1.0.1) and [`Quirks::minio`] (MinIO of February 2026) was seen on the
//! running store.

/// In whose words notices are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wording {
    /// RustFS.
    RustFs,
    /// MinIO.
    MinIo,
}

/// The differences of one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quirks {
    /// The wording of notices, and which doors there are: RustFS has the listen stream and audit records, MinIO a
    /// second, direct webhook.
    pub wording: Wording,
    /// `If-Match` on DELETE is looked at; otherwise it is ignored.
    pub if_match_on_delete: bool,
    /// `If-None-Match: *` does not see a delete marker of that id: the PUT replaces it.
    pub put_replaces_marker: bool,
    /// A PUT whose `source-etag` equals that of the version of the same id is refused with 412, whatever else differs.
    pub refuses_equal_source_etag: bool,
    /// A replica write can make a delete marker that is the null version; otherwise it is a server error.
    pub null_markers: bool,
    /// A client's single DELETE of a null marker in a versioned bucket leaves it and sets its time to now; otherwise it
    /// is a server error and leaves it. (The multi-delete call removes it.)
    pub null_marker_restamped: bool,
    /// Tags are ASCII: others are refused.
    pub ascii_tags_only: bool,
    /// A replica PUT with a version id into a bucket whose versioning is not enabled succeeds, under that id.
    pub put_into_unversioned: bool,
    /// A replica PUT whose retain-until is in the past is refused.
    pub refuses_past_retention: bool,
    /// A replica PUT is refused before any precondition where the version of the same id carries a newer lock.
    pub guards_newer_lock: bool,
    /// A write with REPLICA status (a marker over a version) removes COMPLIANCE-locked and legally held versions too,
    /// not only GOVERNANCE ones.
    pub replica_status_breaks_locks: bool,
    /// A legal hold of a version that is absent or a marker is a server error instead of NoSuchVersion.
    pub legal_hold_absent_is_server_error: bool,
    /// A client's DELETE makes a marker even where the latest version is one already, or the key never existed.
    pub always_makes_marker: bool,
    /// The notice of a marker removed by its id says that one was created (older RustFS builds too).
    pub marker_removal_named_creation: bool,
    /// Among equal times the last to arrive is listed first; otherwise the first to arrive.
    pub last_arrival_first: bool,
    /// `x-amz-website-redirect-location` is not kept.
    pub drops_website_redirect: bool,
    /// The answer to a PUT names the null version.
    pub answers_null_version: bool,
    /// A key below another key (`a/b/c` and `a/b`) is read, but not listed while the other has versions.
    pub hides_below_keys: bool,
    /// A read of a delete marker does not tell when it was made.
    pub markers_without_time: bool,
}

impl Quirks {
    /// RustFS 1.0.1.
    #[must_use]
    pub fn rustfs() -> Self {
        Self {
            wording: Wording::RustFs,
            if_match_on_delete: true,
            put_replaces_marker: true,
            refuses_equal_source_etag: false,
            null_markers: false,
            null_marker_restamped: false,
            ascii_tags_only: false,
            put_into_unversioned: true,
            refuses_past_retention: true,
            guards_newer_lock: true,
            replica_status_breaks_locks: false,
            legal_hold_absent_is_server_error: true,
            always_makes_marker: true,
            marker_removal_named_creation: false,
            last_arrival_first: false,
            drops_website_redirect: false,
            answers_null_version: true,
            hides_below_keys: false,
            markers_without_time: false,
        }
    }

    /// MinIO of February 2026.
    #[must_use]
    pub fn minio() -> Self {
        Self {
            wording: Wording::MinIo,
            if_match_on_delete: false,
            put_replaces_marker: false,
            refuses_equal_source_etag: true,
            null_markers: true,
            null_marker_restamped: true,
            ascii_tags_only: true,
            put_into_unversioned: false,
            refuses_past_retention: false,
            guards_newer_lock: false,
            replica_status_breaks_locks: true,
            legal_hold_absent_is_server_error: false,
            always_makes_marker: false,
            marker_removal_named_creation: true,
            last_arrival_first: true,
            drops_website_redirect: true,
            answers_null_version: false,
            hides_below_keys: true,
            markers_without_time: true,
        }
    }
}
