//! The way into the notices topic, shared by intake and listen: one record per notice, keyed and placed by
//! `bucket/key`, with the door in its headers. What the sure door brings after another one has brought it stands in the log
//! already, and makes no second record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use twinlog_log::clock::Clock;
use twinlog_log::{LogError, TopicName};

use crate::buckets::Selection;
use crate::copies::{Copies, CopyId};
use crate::notice::{Door, Hint, Piece};
use crate::observe::{Dropped, Observer};
use crate::subscribed::Subscribed;
use twinlog_log::outgoing::{Outgoing, Partitions};

/// Appends notices to a site's notices topic.
#[derive(Clone)]
pub(crate) struct Inbox {
    pub partitions: Arc<Partitions>,
    pub topic: TopicName,
    pub selection: Arc<dyn Selection>,
    pub subscribed: Arc<Subscribed>,
    pub clock: Arc<dyn Clock>,
    pub observer: Arc<dyn Observer>,
    /// Notices that the log has acknowledged.
    pub stand: Arc<Mutex<Copies>>,
}

impl Inbox {
    /// Leaves out what is of no interest, and counts it.
    pub(crate) async fn wanted(&self, mut pieces: Vec<Piece>, door: Door) -> Vec<Piece> {
        pieces.retain(|piece| self.wants(piece, door));
        if door != Door::Audit {
            return pieces;
        }
        let mut wanted = Vec::with_capacity(pieces.len());
        for piece in pieces {
            if self.subscribed.stands(&piece.notice.bucket).await {
                wanted.push(piece);
            } else {
                self.observer.dropped(door, Dropped::Disabled);
            }
        }
        wanted
    }

    /// Appends what was found [`wanted`](Self::wanted) and waits until the log has acknowledged all of it. The appends
    /// are begun in order. After an error some of the notices may stand in the log; to send all again does no harm.
    pub(crate) async fn append(&self, wanted: Vec<Piece>, door: Door) -> Result<(), LogError> {
        let received_at_us = self.clock.now_us();
        let mut records = Vec::with_capacity(wanted.len());
        let (copies, wanted): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|piece| self.stands(piece, door));
        for piece in &wanted {
            let outgoing = Outgoing {
                topic: &self.topic,
                bucket: &piece.notice.bucket,
                key: &piece.notice.key,
                record_key: None,
                value: piece.text.clone().into(),
                headers: door.headers(received_at_us),
                timestamp_ms: received_at_us / 1_000,
            };
            records.push(self.partitions.place(outgoing).await?);
        }
        let outcomes = join_all(records.into_iter().map(|record| self.partitions.append(record))).await;
        for (outcome, piece) in outcomes.into_iter().zip(&wanted) {
            outcome?;
            if let Some(id) = CopyId::of(&piece.notice) {
                self.remembered().remember(id);
            }
        }
        copies.iter().chain(&wanted).for_each(|piece| self.observer.received(door, &piece.notice.bucket));
        Ok(())
    }

    /// Whether a notice of the sure door stands in the log by another door's record, or by an answer that the store did not
    /// hear.
    fn stands(&self, piece: &Piece, door: Door) -> bool {
        door == Door::Sure && CopyId::of(&piece.notice).is_some_and(|id| self.remembered().knows(id))
    }

    fn remembered(&self) -> MutexGuard<'_, Copies> {
        self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wants(&self, piece: &Piece, door: Door) -> bool {
        let why = if piece.notice.hint == Hint::Nothing {
            Dropped::Irrelevant
        } else if self.selection.settings(&piece.notice.bucket).is_none() {
            Dropped::NotSelected
        } else {
            return true;
        };
        self.observer.dropped(door, why);
        false
    }
}
