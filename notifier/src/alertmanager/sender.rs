//! Tells one Alertmanager.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};
use twinlog_control::{Control, Standing};
use twinlog_log::Backoff;
use twinlog_log::clock::{Clock, Ids};
use twinlog_schemas::SiteName;

use super::alert::Alert;
use super::board::Board;
use crate::http::{Answer, Post};
use crate::message::Wording;
use crate::observe::{Observer, Sent};
use crate::subject::Subject;

/// What is not repeated for so many times ends by itself.
const MISSED: u32 = 4;

/// One Alertmanager.
pub struct Alertmanager {
    /// Its name: the receiver of metrics and logs.
    pub name: String,
    /// Its `/api/v2/alerts`.
    pub post: Arc<dyn Post>,
    /// The Bearer token, if it wants one.
    pub token: Option<String>,
    /// How often what stands is repeated.
    pub repeat: Duration,
}

/// Tells one Alertmanager of what stands. Runs in one process beside a site at a time.
pub struct Sender {
    here: SiteName,
    control: Arc<Control>,
    alertmanager: Alertmanager,
    clock: Arc<dyn Clock>,
    ids: Ids,
    observer: Arc<dyn Observer>,
    wording: Wording,
}

impl Sender {
    /// Of what stands in `control`. `keys` and `runbook` as for the notifier.
    #[must_use]
    pub fn new(
        (here, control): (SiteName, Arc<Control>),
        alertmanager: Alertmanager,
        (clock, ids): (Arc<dyn Clock>, Ids),
        observer: Arc<dyn Observer>,
        keys: bool,
        runbook: String,
    ) -> Self {
        Self { here, control, alertmanager, clock, ids, observer, wording: Wording { keys, runbook } }
    }

    /// Runs until it is dropped.
    pub async fn run(&self) {
        self.control.loaded().await;
        let backoff = Backoff::new(Duration::from_secs(1), self.alertmanager.repeat);
        let (mut board, mut waits) = (Board::default(), backoff.delays(self.ids.seed()));
        let mut due = Instant::now();
        loop {
            let changed = self.control.changed();
            if board.update(self.standing(), self.clock.now_ms()) {
                due = Instant::now();
            }
            if due <= Instant::now() {
                due = Instant::now()
                    + if self.tell(&board).await {
                        waits = backoff.delays(self.ids.seed());
                        self.alertmanager.repeat
                    } else {
                        waits.next_delay()
                    };
                // What changed meanwhile is seen before waiting.
                continue;
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = sleep_until(due) => {}
            }
        }
    }

    fn standing(&self) -> BTreeMap<Subject, Standing> {
        let standing = self.control.standing().into_iter();
        standing.filter_map(|(key, standing)| Some((Subject::of(key)?, standing))).collect()
    }

    /// Tells everything; whether it was taken, or is refused and need not be tried before it is repeated.
    async fn tell(&self, board: &Board) -> bool {
        let Alertmanager { name, post, token, repeat } = &self.alertmanager;
        let lasts = i64::try_from((*repeat * MISSED).as_millis()).unwrap_or(i64::MAX);
        let ends_ms = self.clock.now_ms().saturating_add(lasts);
        let alerts: Vec<Alert> = board
            .all(ends_ms)
            .filter_map(|(subject, standing, ends_ms)| Alert::of(&self.here, &self.wording, subject, standing, ends_ms))
            .collect();
        if alerts.is_empty() {
            return true;
        }
        let body = match serde_json::to_vec(&alerts) {
            Ok(body) => Bytes::from(body),
            Err(error) => {
                tracing::error!(%error, "alerts could not be encoded: nobody is told");
                return true;
            }
        };
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(token.as_ref().map(|token| ("authorization", format!("Bearer {token}"))));
        match post.post(body, &headers).await {
            Answer::Taken => {
                self.observer.sent(name, Sent::Delivered);
                true
            }
            Answer::Again { why, .. } => {
                tracing::warn!(alertmanager = name, why, alerts = alerts.len(), "alerts not taken; trying again");
                self.observer.sent(name, Sent::Again);
                false
            }
            Answer::Refused { why } => {
                tracing::warn!(alertmanager = name, why, alerts = alerts.len(), "alerts are refused");
                self.observer.sent(name, Sent::GivenUp);
                true
            }
        }
    }
}
