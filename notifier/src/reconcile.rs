//! What is on record in the control topic against what was told: an event is lost if its process ends between the two,
//! and a hold that changes its reason ends the old one without a word.

use std::collections::BTreeMap;

use twinlog_control::{Control, Direction, DirtyBucket, Scope, Stuck, TopicGone};
use twinlog_schemas::{BucketName, SiteName};

use crate::s3_reason;
use crate::signal::Said;
use crate::subject::{Kind, Subject};
use crate::windows::{Closed, Windows};

/// Since when each subject is on record and not told, or told and not on record. Milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub(crate) struct Doubted(BTreeMap<Subject, i64>);

impl Doubted {
    /// What is to be told although no event says so: what has been at odds for `patience_ms`.
    pub(crate) fn due(
        &mut self,
        windows: &mut Windows,
        stands: &Stands<'_>,
        now_ms: i64,
        patience_ms: i64,
    ) -> Vec<Closed> {
        let on_record = stands.all();
        let ended = windows.standing().keys().filter(|subject| subject.is_on_record() && !stands.stands(subject));
        let begun = on_record.keys().filter(|subject| !windows.standing().contains_key(*subject));
        let at_odds: Vec<Subject> = ended.chain(begun).filter(|subject| !windows.gathers(subject)).cloned().collect();
        self.0.retain(|subject, _| at_odds.contains(subject));
        let mut closed = Vec::new();
        for subject in at_odds {
            let since = *self.0.entry(subject.clone()).or_insert(now_ms);
            if now_ms - since < patience_ms {
                continue;
            }
            self.0.remove(&subject);
            closed.extend(match on_record.get(&subject) {
                Some((said, since_us)) => windows.begin(subject, said.clone(), *since_us, now_ms),
                None => windows.end(subject, Said::default()),
            });
        }
        closed
    }
}

/// Looks subjects up in the control topic of a site.
pub(crate) struct Stands<'a> {
    pub control: &'a Control,
    pub here: &'a SiteName,
}

impl Stands<'_> {
    /// Whether the control topic says so too.
    fn stands(&self, subject: &Subject) -> bool {
        let Ok(source) = SiteName::new(subject.source.as_str()) else { return false };
        if subject.kind == Kind::Breaker {
            return self.control.away().keys().any(|(of, away)| *of == source && away.as_str() == subject.reason);
        }
        let Some(scope) = scope(source, &subject.bucket) else { return false };
        let paused = |direction: &Direction| subject.reason == "paused" && self.control.pause(direction).is_some();
        self.control.hold(&scope).is_some_and(|hold| hold.reason.as_str() == subject.reason)
            || matches!(&scope, Scope::Bucket(direction) if paused(direction))
            || self.control.all_stuck().iter().any(|(_, stuck)| Self::of_stuck(stuck) == *subject)
            || self.control.dirty().iter().any(|dirty| self.of_dirty(dirty) == *subject)
            || self.control.topics_gone().iter().any(|(_, gone)| of_gone(gone) == *subject)
    }

    /// What a bucket is told as that cannot be captured: nothing of it comes from here, to whatever site.
    fn of_dirty(&self, dirty: &DirtyBucket) -> Subject {
        Subject {
            kind: Kind::Hold,
            source: self.here.to_string(),
            bucket: dirty.bucket.to_string(),
            reason: DirtyBucket::REASON.to_owned(),
        }
    }

    /// What a partition that stands at a record is told as.
    fn of_stuck(stuck: &Stuck) -> Subject {
        let source = stuck.source.to_string();
        let bucket = stuck.bucket.as_ref().map(ToString::to_string).unwrap_or_default();
        Subject { kind: Kind::Hold, source, bucket, reason: Stuck::REASON.to_owned() }
    }

    /// Everything that is so, with its words and since when, microseconds since the Unix epoch.
    fn all(&self) -> BTreeMap<Subject, (Said, i64)> {
        let holds = self.control.holds().into_iter().map(|(scope, hold)| {
            let subject = Subject {
                kind: Kind::Hold,
                source: scope.source().to_string(),
                bucket: scope.bucket().map(ToString::to_string).unwrap_or_default(),
                reason: hold.reason.to_string(),
            };
            let said = Said {
                message: hold.message,
                remedy: hold.reason.remedy().to_owned(),
                since_us: Some(hold.since_us),
                failure_reason: s3_reason::of_hold(hold.reason.as_str()),
                example: None,
            };
            (subject, (said, hold.since_us))
        });
        let away = self.control.away().into_iter().map(|((source, site), away)| {
            let subject = Subject {
                kind: Kind::Breaker,
                source: source.to_string(),
                bucket: String::new(),
                reason: site.to_string(),
            };
            let said = Said { message: away.message, since_us: Some(away.since_us), ..Said::default() };
            (subject, (said, away.since_us))
        });
        let stuck = self.control.all_stuck().into_iter().map(|(partition, stuck)| {
            let said = Said {
                message: format!("offset {} of {partition}: {}", stuck.offset, stuck.message),
                remedy: Stuck::REMEDY.to_owned(),
                since_us: Some(stuck.since_us),
                ..Said::default()
            };
            (Self::of_stuck(&stuck), (said, stuck.since_us))
        });
        let dirty = self.control.dirty().into_iter().map(|dirty| {
            let subject = self.of_dirty(&dirty);
            let said = Said {
                message: dirty.reason,
                remedy: DirtyBucket::REMEDY.to_owned(),
                since_us: Some(dirty.since_us),
                ..Said::default()
            };
            (subject, (said, dirty.since_us))
        });
        let gone = self.control.topics_gone().into_iter().map(|(topic, gone)| {
            let said = Said {
                message: TopicGone::message(&topic),
                remedy: gone.remedy().to_owned(),
                since_us: Some(gone.since_us),
                ..Said::default()
            };
            (of_gone(&gone), (said, gone.since_us))
        });
        holds.chain(away).chain(stuck).chain(dirty).chain(gone).collect()
    }
}

/// What a topic that is gone is told as.
fn of_gone(gone: &TopicGone) -> Subject {
    let (source, bucket) = (gone.source.to_string(), gone.bucket_label());
    Subject { kind: Kind::Hold, source, bucket, reason: TopicGone::REASON.to_owned() }
}

fn scope(source: SiteName, bucket: &str) -> Option<Scope> {
    if bucket.is_empty() {
        return Some(Scope::Link(source));
    }
    BucketName::new(bucket).ok().map(|bucket| Scope::Bucket((source, bucket)))
}
