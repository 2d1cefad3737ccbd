//! One step of the merge looked at: what it tells, and what reading the version at both ends tells.

use std::collections::BTreeSet;

use twinlog_schemas::{VersionId, VersionKind};
use twinlog_site::ListedVersion;

use crate::difference::Difference;
use crate::merge::{End, Order, Step};
use crate::report::Report;
use crate::side::{Depth, Described, Description, Side};
use crate::tie::Tie;

/// Looks at one step.
pub(crate) async fn check<E>(sides: [&dyn Side<Error = E>; 2], step: Step, depth: Depth) -> Result<Report, E> {
    match step {
        Step::Only(end, line) => Ok(only(end, &line)),
        Step::Both(pair) => both(sides, &pair, depth).await,
        Step::Order(order) => in_order(sides, &order, depth).await,
    }
}

fn only(end: End, line: &ListedVersion) -> Report {
    let mut report = Report { versions: 1, ..Report::default() };
    let there = Some(format!("{} of {} ms", kind(line), line.modified_ms));
    let (left, right) = if end == End::Left { (there, None) } else { (None, there) };
    report.differs(of(line, "the version", left, right));
    report
}

fn kind(line: &ListedVersion) -> &'static str {
    match line.kind {
        VersionKind::Object => "an object",
        VersionKind::DeleteMarker => "a marker",
        VersionKind::Removed | VersionKind::Unknown => "something unknown",
    }
}

fn of(line: &ListedVersion, what: &str, left: Option<String>, right: Option<String>) -> Difference {
    let version_id = Some(line.version_id.clone());
    Difference { key: line.key.clone(), version_id, what: what.to_owned(), left, right }
}

async fn both<E>(sides: [&dyn Side<Error = E>; 2], pair: &[ListedVersion; 2], depth: Depth) -> Result<Report, E> {
    let mut report = Report { versions: 1, ..Report::default() };
    let [one, other] = pair;
    let mut differ = |what: &str, left: Option<String>, right: Option<String>| {
        if left != right {
            report.differs(of(one, what, left, right));
        }
    };
    differ("the listed kind", Some(kind(one).to_owned()), Some(kind(other).to_owned()));
    differ("the listed time in ms", Some(one.modified_ms.to_string()), Some(other.modified_ms.to_string()));
    differ("the listed ETag", one.etag.clone(), other.etag.clone());
    let objects = pair.iter().all(|line| line.kind == VersionKind::Object);
    let look = objects && (depth != Depth::Listings || one.size != other.size);
    let read = if look { Some(read(sides, pair, depth.bodies_up_to()).await?) } else { None };
    if !read.as_ref().is_some_and(same_length) {
        differ("the listed size", one.size.map(|size| size.to_string()), other.size.map(|size| size.to_string()));
    }
    if let Some(read) = read.filter(|_| depth != Depth::Listings) {
        described(one, read, depth.bodies_up_to().is_some(), &mut report);
    }
    Ok(report)
}

async fn read<E>(
    [left, right]: [&dyn Side<Error = E>; 2],
    [one, other]: &[ListedVersion; 2],
    bodies_up_to: Option<u64>,
) -> Result<[Described; 2], E> {
    let (left, right) = futures::try_join!(left.describe(one, bodies_up_to), right.describe(other, bodies_up_to))?;
    Ok([left, right])
}

/// Whether both ends give a reader equally many bytes. What a store lists may be what an encrypted object takes on its
/// disks, which differs from one writing to the next.
fn same_length(read: &[Described; 2]) -> bool {
    let length = |of: &Described| match of {
        Described::Object(description) => description.attributes.get("Content-Length").cloned(),
        Described::Gone | Described::Unreadable(_) => None,
    };
    let [one, other] = read.each_ref().map(length);
    one.is_some() && one == other
}

fn described(line: &ListedVersion, read: [Described; 2], bodies: bool, report: &mut Report) {
    match read {
        [Described::Object(left), Described::Object(right)] => {
            report.bytes += left.body_read.unwrap_or(0);
            report.unread += u64::from(bodies && left.body_read.is_none());
            attributes(line, &left, &right, report);
        }
        [left, right] => report.differs(of(line, "reading it", told(left), told(right))),
    }
}

/// How the reading of a version went that was not read at both ends.
fn told(described: Described) -> Option<String> {
    match described {
        Described::Object(_) => Some("an object".to_owned()),
        Described::Gone => None,
        Described::Unreadable(why) => Some(why),
    }
}

fn attributes(line: &ListedVersion, left: &Description, right: &Description, report: &mut Report) {
    let names: BTreeSet<&String> = left.attributes.keys().chain(right.attributes.keys()).collect();
    for name in names {
        let (one, other) = (left.attributes.get(name), right.attributes.get(name));
        if one != other {
            report.differs(of(line, name, one.cloned(), other.cloned()));
        }
    }
}

/// Another order is a difference, but where the times tie across the sites: no rule of any store decides it then.
async fn in_order<E>(sides: [&dyn Side<Error = E>; 2], order: &Order, depth: Depth) -> Result<Report, E> {
    let mut report = Report::default();
    let [left, right] = &order.at;
    if left.len() > 1 && (depth == Depth::Listings || !of_one_origin(sides, order).await?) {
        let ids = |of: &[(VersionId, bool)]| of.iter().map(|(id, _)| id.clone()).collect();
        let (left, right) = (ids(left), ids(right));
        report.ties += 1;
        report.tied.push(Tie { key: order.key.clone(), modified_ms: order.modified_ms, left, right });
        return Ok(report);
    }
    let words = |of: &[(VersionId, bool)]| {
        let word = |(id, latest): &(VersionId, bool)| format!("{id}{}", if *latest { " (latest)" } else { "" });
        Some(of.iter().map(word).collect::<Vec<_>>().join(", "))
    };
    report.differs(Difference {
        key: order.key.clone(),
        version_id: None,
        what: format!("the order at {} ms", order.modified_ms),
        left: words(left),
        right: words(right),
    });
    Ok(report)
}

/// Whether a client wrote all these versions at the same site: the one that does not call them replicas.
async fn of_one_origin<E>(sides: [&dyn Side<Error = E>; 2], order: &Order) -> Result<bool, E> {
    let mut first = None;
    for (id, _) in &order.at[0] {
        let line = ListedVersion {
            key: order.key.clone(),
            version_id: id.clone(),
            kind: VersionKind::Object,
            modified_ms: order.modified_ms,
            is_latest: false,
            etag: None,
            size: None,
        };
        let [left, right] = sides;
        let read = futures::try_join!(left.describe(&line, None), right.describe(&line, None))?;
        let (Described::Object(left), Described::Object(right)) = read else { return Ok(false) };
        if left.replica == right.replica || first.is_some_and(|first| first != left.replica) {
            return Ok(false);
        }
        first = Some(left.replica);
    }
    Ok(true)
}
