//! Tests of capture: of its pure decisions, and of the whole against an in-memory store and log.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod decisions;
mod letters;
mod null;
mod whole;
mod world;

use twinlog_index::VersionState;
use twinlog_schemas::{Basis, Fact, FactBody, SiteName, Stamp, VersionId};
use twinlog_site::ObjectReading;

use super::found::Found;
use super::outcome::Circumstances;
use super::time::Modified;

/// When the version of the tests was born.
const BORN_NS: i64 = 5_000_000_007;
/// When it is read.
const NOW_NS: i64 = 9_000_000_000;

fn site(name: &str) -> SiteName {
    name.parse().unwrap()
}

fn id() -> VersionId {
    "v1".parse().unwrap()
}

fn here(version_id: VersionId) -> Circumstances {
    Circumstances {
        event_id: "01890000-0000-7000-8000-000000000001".parse().unwrap(),
        site: site("east"),
        bucket: "bucket".parse().unwrap(),
        key: "key".parse().unwrap(),
        version_id,
        now_ns: NOW_NS,
    }
}

fn found(object: ObjectReading) -> Found {
    Found::Object(Box::new(object), Modified::exact(BORN_NS))
}

fn tagged(value: &str) -> ObjectReading {
    ObjectReading { tags: [("k".to_owned(), value.to_owned())].into(), ..super::samples::object() }
}

fn tags_said(by: &str, value: &str, basis: Basis, changed_at_ns: i64) -> FactBody {
    FactBody::Tags(Stamp { value: tagged(value).tags, changed_at_ns, site: site(by), basis, over: None })
}

/// A state in which these sites have said these things.
fn said(facts: &[(&str, FactBody)]) -> VersionState {
    let mut state = VersionState::default();
    for (by, body) in facts {
        tell(&mut state, by, body.clone());
    }
    state
}

/// Merges what a site says.
fn tell(state: &mut VersionState, by: &str, body: FactBody) {
    let address = here(id());
    state.merge_fact(&Fact {
        event_id: address.event_id,
        site: site(by),
        bucket: address.bucket,
        key: address.key,
        version_id: address.version_id,
        said_at_ns: 1,
        of: None,
        body,
    });
}
