//! Whether a run ended as it should: every site lists the same, nothing that was removed is there, nothing that was not
//! removed is missing, and every dead letter is accounted for.

use std::collections::{BTreeMap, BTreeSet};

use twinlog_log::TopicPartition;
use twinlog_schemas::{Category, ObjectKey, VersionId, VersionKind, VersionRef};
use twinlog_site::Reading;

use super::ledger::Ledger;
use super::shown::Shown;
use super::story;
use super::world::{LANES, World};

/// What there was at the end.
pub(super) struct Verdict {
    pub versions: usize,
    pub letters: usize,
}

/// Judges; the error names what is wrong and tells the story of the first few versions concerned.
pub(super) async fn of(world: &World, ledger: &Ledger) -> Result<Verdict, String> {
    let refused = refused(world)?;
    let mut judge = Judge { world, ledger, refused: &refused, wrong: Vec::new(), concerned: BTreeSet::new() };
    judge.letters();
    judge.accounts();
    judge.locks();
    let mut versions = 0;
    for key in &world.keys {
        let mut shown = Vec::new();
        for place in &world.places {
            shown.push(Shown::of(world, place, key).await.map_err(|error| error.to_string())?);
        }
        versions += shown[0].versions.len();
        judge.key(key, &shown);
    }
    if judge.wrong.is_empty() {
        return Ok(Verdict { versions, letters: refused.values().map(BTreeMap::len).sum() });
    }
    let stories: Vec<_> = judge.concerned.iter().take(3).map(|version| story::of(world, version)).collect();
    Err(format!("{}\n{}", judge.wrong.join("\n"), stories.join("\n")))
}

/// Dead letters by version: at which site, with which reasons.
pub(super) type Refused = BTreeMap<VersionRef, BTreeMap<usize, BTreeSet<String>>>;

/// All dead letters.
pub(super) fn refused(world: &World) -> Result<Refused, String> {
    let mut refused = Refused::new();
    for (at, place) in world.places.iter().enumerate() {
        for partition in 0..LANES {
            for letter in world.log.records(&TopicPartition { topic: world.topics.dead(&place.name), partition }) {
                let value = letter.value.as_deref().unwrap_or_default();
                let event = world.codec.decode_change(value).map(|event| event.version());
                let version = event.or_else(|_| world.codec.decode_fact(value).map(|fact| fact.version()));
                let reason = letter.headers.last(twinlog_consumer::dead::REASON).unwrap_or_default();
                let reason = String::from_utf8_lossy(reason).into_owned();
                let version = version.map_err(|error| format!("a dead letter ({reason}) of no version: {error}"))?;
                refused.entry(version).or_default().entry(at).or_default().insert(reason);
            }
        }
    }
    Ok(refused)
}

struct Judge<'a> {
    world: &'a World,
    ledger: &'a Ledger,
    refused: &'a Refused,
    wrong: Vec<String>,
    concerned: BTreeSet<VersionRef>,
}

impl Judge<'_> {
    fn wrong(&mut self, version: &VersionRef, what: String) {
        self.wrong.push(format!("{version}: {what}"));
        self.concerned.insert(version.clone());
    }

    /// A dead letter is accounted for if it is a change refused by a lock that a client set there, or by COMPLIANCE.
    fn letters(&mut self) {
        let refused = self.refused;
        for (version, sites) in refused {
            for (at, reasons) in sites {
                let locks = [Category::Retention, Category::LegalHold];
                let locked = |category| self.ledger.changed.iter().any(|c| c.0 == *version && c.1 == category);
                // A null version's comes to what it should be once the lock is gone; see `Profile::frees`.
                let waits = version.version_id.is_null() && self.world.profile.frees;
                let explained = (waits || self.ledger.removed.contains(version))
                    && locks.into_iter().any(locked)
                    && reasons.iter().all(|reason| reason == "lock-refuses-removal" || reason == "locked-at-target");
                if !explained {
                    self.wrong(version, format!("dead letter at {}: {reasons:?}", self.world.places[*at].name));
                }
            }
        }
    }

    /// Every record was handled to its end, and every end was counted: once, where nothing is handled twice.
    fn accounts(&mut self) {
        let world = self.world;
        let once = !(world.profile.crashes || world.profile.stops);
        for place in &world.places {
            let notices = vec![world.topics.notices(&place.name)];
            let facts = world.places.iter().map(|site| world.topics.facts(&site.name));
            let others = world.places.iter().filter(|other| other.name != place.name);
            let changes = others.map(|other| world.topics.changes(&other.name, &world.bucket));
            for (accounts, topics) in [(&place.captured, notices), (&place.applied, facts.chain(changes).collect())] {
                let mut records = 0;
                for topic in topics {
                    for partition in 0..LANES {
                        let at = TopicPartition { topic: topic.clone(), partition };
                        for record in world.log.records(&at) {
                            records += 1;
                            if !accounts.has(&at, record.position.offset) {
                                self.wrong.push(format!("{at}@{} was never handled", record.position.offset));
                            }
                        }
                    }
                }
                let (handled, counted) = accounts.totals();
                if counted < handled || (once && (counted, handled) != (records, records)) {
                    let name = &place.name;
                    self.wrong.push(format!("at {name}: {records} records, {handled} handled, {counted} counted"));
                }
            }
        }
    }

    /// No replica write broke a lock that the store should have kept.
    fn locks(&mut self) {
        for place in &self.world.places {
            for version in place.store.broken_locks() {
                self.wrong(&version, format!("a replica write broke its lock at {}", place.name));
            }
        }
    }

    fn key(&mut self, key: &ObjectKey, shown: &[Shown]) {
        let ids: BTreeSet<VersionId> = shown.iter().flat_map(|shown| shown.versions.keys().cloned()).collect();
        let version =
            |id: &VersionId| VersionRef { bucket: self.world.bucket.clone(), key: key.clone(), version_id: id.clone() };
        let mut exempt = BTreeSet::new();
        for id in &ids {
            let version = version(id);
            let kept = self.refused.contains_key(&version) || self.ledger.kept.contains(&version);
            if self.ledger.removed.contains(&version) && kept {
                exempt.insert(id.clone());
            }
        }
        for id in ids.iter().filter(|id| !exempt.contains(*id)) {
            self.one(&version(id), shown);
        }
        let missing: Vec<_> = self.ledger.born.keys().filter(|born| born.key == *key).cloned().collect();
        for version in missing {
            if !ids.contains(&version.version_id) && !self.ledger.removed.contains(&version) {
                self.wrong(&version, "lost: nobody removed it, and no site has it".to_owned());
            }
        }
        self.order(key, shown, &exempt);
    }

    fn one(&mut self, version: &VersionRef, shown: &[Shown]) {
        let id = &version.version_id;
        let names: Vec<_> = self.world.places.iter().map(|place| place.name.clone()).collect();
        if self.ledger.removed.contains(version) {
            let there: Vec<_> = names.iter().zip(shown).filter(|(_, s)| s.versions.contains_key(id)).collect();
            let there: Vec<_> = there.iter().map(|(name, _)| name.as_str()).collect();
            self.wrong(version, format!("a client was told of its removal, and it is at {there:?}"));
            return;
        }
        let first = &shown[0];
        if let Some(Reading::Object(held)) = first.versions.get(id).filter(|_| self.world.profile.last_wins) {
            let tags = self.ledger.tags.get(version).filter(|tags| **tags != held.tags);
            // Of two values each is soon explained by what some site has said, so between sites either may win.
            let holders = self.ledger.changed.iter().filter(|c| c.0 == *version && c.1 == Category::LegalHold).count();
            let hold = self.ledger.holds.get(version).filter(|hold| holders == 1 && **hold != held.legal_hold);
            if tags.is_some() || hold.is_some() {
                let (tagged, on) = (&held.tags, held.legal_hold);
                self.wrong(version, format!("the last change is lost: {tags:?} {hold:?}, there is {tagged:?} {on}"));
            }
        }
        if let Some(last) =
            self.ledger.nulls.get(&version.key).filter(|_| id.is_null() && self.world.profile.last_null_wins)
            && !matches!(first.versions.get(id), Some(Reading::Object(held)) if held.etag == *last)
        {
            self.wrong(
                version,
                format!("the last write is lost: its ETag is {last}, there is {:?}", first.versions.get(id)),
            );
        }
        for (name, other) in names.iter().zip(shown).skip(1) {
            let (a, b) = (first.versions.get(id), other.versions.get(id));
            if a != b || first.line(id) != other.line(id) {
                let what =
                    format!("at {}: {:?} {a:?}\n    at {name}: {:?} {b:?}", names[0], first.line(id), other.line(id));
                self.wrong(version, what);
            }
        }
    }

    /// The same order at all sites; versions of one millisecond that were born at different sites are exempt.
    fn order(&mut self, key: &ObjectKey, shown: &[Shown], exempt: &BTreeSet<VersionId>) {
        let order = |shown: &Shown| -> Vec<(i64, Option<usize>, VersionKind, VersionId)> {
            let mut lines: Vec<_> = shown.listing.iter().filter(|line| !exempt.contains(&line.version_id)).collect();
            // Stable: the listing's order stays among those of one millisecond and origin.
            lines.sort_by_key(|line| (std::cmp::Reverse(line.modified_ms), self.origin(key, &line.version_id)));
            let line = |line: &&twinlog_site::ListedVersion| {
                (line.modified_ms, self.origin(key, &line.version_id), line.kind, line.version_id.clone())
            };
            lines.iter().map(line).collect()
        };
        let first = order(&shown[0]);
        let differs = shown.iter().skip(1).any(|other| order(other) != first);
        if differs && self.wrong.is_empty() {
            let all: Vec<_> = shown.iter().map(|shown| format!("{:?}", order(shown))).collect();
            self.wrong.push(format!("{key} is listed in another order:\n  {}", all.join("\n  ")));
            let ids: Vec<_> = first.iter().map(|line| line.3.clone()).collect();
            for version_id in ids {
                let bucket = self.world.bucket.clone();
                self.concerned.insert(VersionRef { bucket, key: key.clone(), version_id });
            }
        }
    }

    fn origin(&self, key: &ObjectKey, id: &VersionId) -> Option<usize> {
        let bucket = self.world.bucket.clone();
        self.ledger.born.get(&VersionRef { bucket, key: key.clone(), version_id: id.clone() }).copied()
    }
}
