//! The work that was done, and what of it was done again: from the log and from the wire, not from counters, which die
//! with their process.

use std::{collections::BTreeMap, fmt};

use rdkafka::{Message, message::OwnedMessage};
use twinlog_schemas::{ChangeEvent, Receipt, Wrote, codec::Codec};

use super::{
    Killed,
    unfinished::unfinished,
    wire::{Watch, Writes},
};
use crate::{compare::list, deployment::Deployment, lab_error::LabError, load::Load, site::Site, workload::Ledger};

/// What each lane of a half works on at a time: the default of a link's `concurrency`, and as many reads of capture.
const IN_FLIGHT: usize = 32;

/// Work of one kind at one site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// How often it was done.
    pub done: usize,
    /// How often of that it had been done, or begun, before.
    pub again: usize,
}

/// All of it, by site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// Writes into the site: objects, markers, removals, parts. Again: beyond one for each birth that the log told, one
    /// for each marker and removal, one for each part of an upload.
    pub writes: [Work; 2],
    /// Change events of the site. Again: of a version and a notice of which there is one already.
    pub events: [Work; 2],
    /// Births of the site that were told once more by another notice: by a second door, after the memory of the first
    /// had died with the process.
    pub told_again: [usize; 2],
    /// Objects, markers and removals of which two receipts say that they were written into the site.
    pub receipts_twice: [usize; 2],
}

type Version = (String, String);

impl Account {
    /// Reads it.
    ///
    /// # Errors
    /// Where Kafka does not answer, or has a record that is none of ours.
    pub async fn of(deployment: &Deployment, bucket: &str, ledger: &Ledger, watch: &Watch) -> Result<Self, LabError> {
        let codec = Codec::new().map_err(|error| strange("the schemas", &error))?;
        let mut account = Self::default();
        for site in Site::BOTH {
            let (here, source) = (site.index(), site.other());
            let events = events(deployment, source, bucket, &codec).await?;
            let born = births(&events);
            account.writes[here] = written(&watch.writes(here), &born, ledger);
            account.events[source.index()] = captured(&events);
            account.told_again[source.index()] = born.values().map(|told| told - 1).sum();
            account.receipts_twice[here] = twice(&receipts(deployment, site, bucket, &codec).await?);
        }
        Ok(account)
    }

    /// That no more was done again than was in flight when the processes were killed.
    ///
    /// # Errors
    /// [`LabError::Unaccounted`].
    pub fn within(&self, killed: &Killed, deployment: &Deployment) -> Result<(), LabError> {
        let limit = IN_FLIGHT * usize::try_from(deployment.parts().lanes).unwrap_or(1);
        let mut wrong = Vec::new();
        for site in Site::BOTH {
            let here = site.index();
            let mut judge = |what: &str, again: usize, kills: usize| {
                if again > kills * limit {
                    wrong.push(format!(
                        "{what} {site}: {again} done again, with {kills} kills of at most {limit} in flight"
                    ));
                }
            };
            judge("writes into", self.writes[here].again, killed.consumers[here]);
            judge("receipts of", self.receipts_twice[here], killed.consumers[here]);
            judge("change events of", self.events[here].again, killed.producers[here]);
        }
        LabError::if_any("work was repeated that had been finished", wrong)
    }
}

/// That both sites have what clients were told that they have, and nothing else: no version twice, no marker that nobody
/// made, no dead letter, and no upload but such as nobody can know of ([`super::Unfinished::unknown`]), which are counted by
/// site.
///
/// # Errors
/// [`LabError::Unaccounted`] with all that is wrong.
pub async fn clean(deployment: &Deployment, bucket: &str, ledger: &Ledger) -> Result<[usize; 2], LabError> {
    let codec = Codec::new().map_err(|error| strange("the schemas", &error))?;
    let (mut wrong, mut unknown) = (Vec::new(), [0; 2]);
    for site in Site::BOTH {
        let at = deployment.bucket(site, bucket);
        let unaccounted = ledger.unaccounted(&list(&at).await?);
        wrong.extend(unaccounted.iter().map(|version| format!("at {site}: {version}")));
        let receipts = receipts(deployment, site, bucket, &codec).await?;
        let begun = receipts.into_iter().filter_map(|receipt| receipt.upload).map(|begun| begun.upload_id).collect();
        for upload in unfinished(&at, &Load::keys()).await? {
            if upload.unknown(&begun) {
                unknown[site.index()] += 1;
            } else {
                wrong.push(format!("at {site}: an upload is left over: {upload:?}"));
            }
        }
        let letters = deployment.progress().letters(site).await?;
        let letters = letters.iter().filter(|letter| letter.may_be_of(bucket));
        wrong.extend(letters.map(|letter| format!("a dead letter at {site}: {letter:?}")));
    }
    LabError::if_any("the sites are not as their clients left them", wrong)?;
    Ok(unknown)
}

async fn events(
    deployment: &Deployment,
    source: Site,
    bucket: &str,
    codec: &Codec,
) -> Result<Vec<ChangeEvent>, LabError> {
    let records = deployment.progress().records(&format!("changes.{source}.{bucket}")).await?;
    let read = |record: &OwnedMessage| codec.decode_change(record.payload().unwrap_or_default());
    records.iter().map(read).collect::<Result<_, _>>().map_err(|error| strange("a change event", &error))
}

async fn receipts(deployment: &Deployment, site: Site, bucket: &str, codec: &Codec) -> Result<Vec<Receipt>, LabError> {
    let records = deployment.progress().records(&format!("receipts.{site}")).await?;
    let read = |record: &OwnedMessage| codec.decode_receipt(record.payload().unwrap_or_default());
    let receipts: Result<Vec<Receipt>, _> = records.iter().map(read).collect();
    let receipts = receipts.map_err(|error| strange("a receipt", &error))?;
    Ok(receipts.into_iter().filter(|receipt| receipt.bucket.as_str() == bucket).collect())
}

/// How often a receipt says again that an object, a marker or a removal was written.
fn twice(receipts: &[Receipt]) -> usize {
    let whole = |receipt: &&Receipt| matches!(receipt.wrote, Wrote::Object | Wrote::DeleteMarker | Wrote::Removal);
    let mut written: BTreeMap<(Version, Wrote), usize> = BTreeMap::new();
    for receipt in receipts.iter().filter(whole) {
        let version = (receipt.key.to_string(), receipt.version_id.to_string());
        *written.entry((version, receipt.wrote)).or_default() += 1;
    }
    written.values().map(|receipts| receipts - 1).sum()
}

/// How often the log told of each version's birth.
fn births(events: &[ChangeEvent]) -> BTreeMap<Version, usize> {
    let mut born = BTreeMap::new();
    for event in events.iter().filter(|event| event.creates()) {
        *born.entry((event.key.to_string(), event.version_id.to_string())).or_default() += 1;
    }
    born
}

fn captured(events: &[ChangeEvent]) -> Work {
    let mut notices: BTreeMap<_, usize> = BTreeMap::new();
    for event in events {
        let notice = (event.key.as_str(), event.version_id.as_str(), event.told, &event.cause, event.noticed_at_us);
        *notices.entry(notice).or_default() += 1;
    }
    Work { done: events.len(), again: notices.values().map(|events| events - 1).sum() }
}

fn written(writes: &Writes, born: &BTreeMap<Version, usize>, ledger: &Ledger) -> Work {
    let births = writes.births.iter().map(|(version, written)| {
        let told = born.get(version).copied().unwrap_or(0);
        written.saturating_sub(told)
    });
    let deletes = writes.deletes.iter().map(|((key, id), written)| {
        let wanted = usize::from(ledger.marker(key, id) == Some(true)) + usize::from(ledger.is_removed(key, id));
        written.saturating_sub(wanted)
    });
    let parts = writes.parts.values().map(|sent| sent - 1);
    let all = [&writes.births, &writes.deletes, &writes.parts];
    Work { done: all.into_iter().flat_map(BTreeMap::values).sum(), again: births.chain(deletes).chain(parts).sum() }
}

fn strange(what: &str, error: &dyn std::error::Error) -> LabError {
    LabError::Page { url: format!("reading {what}"), why: error.to_string() }
}

impl fmt::Display for Account {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = |of: [Work; 2], part: fn(Work) -> usize| of.map(part);
        write!(to, "writes {:?}, again {:?}; ", both(self.writes, |w| w.done), both(self.writes, |w| w.again))?;
        write!(to, "change events {:?}, again {:?}; ", both(self.events, |w| w.done), both(self.events, |w| w.again))?;
        write!(to, "births told by a second notice too {:?}; receipts twice {:?}", self.told_again, self.receipts_twice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(key: &str, id: &str) -> Version {
        (key.to_owned(), id.to_owned())
    }

    /// A write is one again only beyond what the log told, and a marker and its removal are one each.
    #[test]
    fn what_is_beyond_what_was_told_was_done_again() {
        let writes = Writes {
            births: [(at("k", "once"), 1), (at("k", "told twice"), 2), (at("k", "again"), 3)].into(),
            deletes: [(at("k", "stray"), 1)].into(),
            parts: [(at("u", "1"), 2), (at("u", "2"), 1)].into(),
        };
        let born = [(at("k", "once"), 1), (at("k", "told twice"), 2), (at("k", "again"), 1)].into();
        assert_eq!(written(&writes, &born, &Ledger::default()), Work { done: 10, again: 2 + 1 + 1 });
    }
}
