//! Holds: one bucket in one direction, or a whole link, stops with a reason until that is mended. They stand in the
//! site's control topic, so they survive restarts and count for every process beside the site.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use twinlog_control::{Control, Entry, Key};
pub use twinlog_control::{Direction, Hold, Reason, Scope};
use twinlog_log::Tell;
use twinlog_log::clock::{Clock, Ids};
use twinlog_schemas::{CloudEvent, EventType, HoldTold, SiteName};

/// The holds of the links into a site.
///
/// Whoever meets a reason begins a hold; [`crate::Apply::keep`] of the process that owns lane 0 ends those that end by
/// themselves, a person the others. Each beginning and end is told as an event.
pub struct Holds {
    here: SiteName,
    control: Arc<Control>,
    tell: Arc<dyn Tell>,
    clock: Arc<dyn Clock>,
    ids: Ids,
    /// Many keys meet a reason at the same time; one of them begins the hold.
    turn: Mutex<()>,
}

impl Holds {
    /// The holds on record in `control`.
    #[must_use]
    pub fn new(here: SiteName, control: Arc<Control>, tell: Arc<dyn Tell>, clock: Arc<dyn Clock>, ids: Ids) -> Self {
        Self { here, control, tell, clock, ids, turn: Mutex::new(()) }
    }

    /// What they stand in.
    #[must_use]
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Why nothing of this direction may be applied now.
    #[must_use]
    pub fn reason(&self, direction: &Direction) -> Option<Reason> {
        self.control.stopped(direction)
    }

    /// Everything that is held, pauses among it.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Scope, Hold> {
        self.control.holds()
    }

    /// What a reason met in a direction holds.
    #[must_use]
    pub fn scope(direction: &Direction, reason: Reason) -> Scope {
        if reason.of_link() { Scope::Link(direction.0.clone()) } else { Scope::Bucket(direction.clone()) }
    }

    /// Begins a hold and returns once it is on record; one that is there already for the same reason stays as it is.
    pub async fn begin(&self, scope: Scope, reason: Reason, message: &str, schema: Option<String>) {
        let _turn = self.turn.lock().await;
        let before = self.control.hold(&scope);
        if before.as_ref().is_some_and(|hold| hold.reason == reason) {
            return;
        }
        let (source, bucket) = (scope.source(), scope.bucket().map_or("", |bucket| bucket.as_str()));
        tracing::error!(%source, bucket, %reason, message, remedy = reason.remedy(), "held");
        let since_us = before.map_or_else(|| self.clock.now_us(), |hold| hold.since_us);
        let hold = Hold { reason, message: message.to_owned(), since_us, schema };
        self.control.put(Entry::Hold(scope.clone(), hold.clone())).await;
        self.tell(EventType::HoldBegun, &scope, &hold).await;
    }

    /// Ends a hold, if there is one.
    pub async fn end(&self, scope: &Scope) {
        let _turn = self.turn.lock().await;
        let Some(hold) = self.control.hold(scope) else { return };
        let (source, bucket) = (scope.source(), scope.bucket().map_or("", |bucket| bucket.as_str()));
        tracing::info!(%source, bucket, reason = %hold.reason, "mended: it goes on");
        self.control.remove(Key::Hold(scope.clone())).await;
        self.tell(EventType::HoldEnded, scope, &hold).await;
    }

    /// Waits until nothing stops the direction.
    pub async fn released(&self, direction: &Direction) {
        loop {
            let changed = self.control.changed();
            if self.reason(direction).is_none() {
                return;
            }
            changed.await;
        }
    }

    async fn tell(&self, kind: EventType, scope: &Scope, hold: &Hold) {
        tell_hold(self.tell.as_ref(), kind, (&self.here, self.ids.event_id(), self.clock.now_ns()), scope, hold).await;
    }
}

/// Tells that a hold has begun or ended beside a site.
pub async fn tell_hold(
    tell: &dyn Tell,
    kind: EventType,
    (here, id, now_ns): (&SiteName, twinlog_schemas::EventId, i64),
    scope: &Scope,
    hold: &Hold,
) {
    let told = HoldTold {
        source_site: scope.source().to_string(),
        target_site: here.to_string(),
        bucket: scope.bucket().map(ToString::to_string),
        reason: hold.reason.to_string(),
        message: hold.message.clone(),
        remedy: hold.reason.remedy().to_owned(),
        since_us: hold.since_us,
    };
    let link = format!("{}>{here}", scope.source());
    let subject = scope.bucket().map_or_else(|| link.clone(), |bucket| format!("{link}/{bucket}"));
    match CloudEvent::new(kind, id, here, subject, now_ns, &told) {
        Ok(event) => tell.tell(event).await,
        Err(error) => tracing::error!(%error, "a hold could not be told"),
    }
}
