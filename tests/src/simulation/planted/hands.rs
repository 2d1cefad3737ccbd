//! Faults in how records are handled.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use twinlog_index::{Index, Merge};
use twinlog_log::lane::{Before, Handler, Repeat, Slot};
use twinlog_log::{Fetched, TopicPartition};
use twinlog_producer::notice::Door;
use twinlog_schemas::codec::Codec;
use twinlog_schemas::{FactBody, Told, VersionKind};

use super::{Doing, Planted, Scene};
use crate::simulation::witness::Accounts;

/// A handler with a fault.
pub(in crate::simulation) struct Hands {
    pub inner: Arc<dyn Handler>,
    pub planted: Planted,
    /// Whether it applies; else it captures.
    pub applies: bool,
    pub codec: Arc<Codec>,
    pub index: Arc<dyn Index>,
    pub scene: Arc<Scene>,
    pub accounts: Arc<Accounts>,
}

#[async_trait]
impl Handler for Hands {
    fn order_key(&self, record: &Fetched) -> Bytes {
        if self.applies && self.planted == Planted::KeysUnordered {
            return Bytes::from(format!("{}@{}", record.position.partition, record.position.offset));
        }
        self.inner.order_key(record)
    }

    fn batch(&self) -> usize {
        self.inner.batch()
    }

    async fn prepare(&self, lane: i32, before: Before) {
        let before = if self.planted == Planted::TakeoverAtOnce { Before::Clean } else { before };
        self.inner.prepare(lane, before).await;
    }

    async fn gap(&self, partition: &TopicPartition, from: i64, to: i64) {
        self.inner.gap(partition, from, to).await;
    }

    fn may_repeat(&self, again: tokio::sync::mpsc::Sender<Repeat>) {
        self.inner.may_repeat(again);
    }

    async fn handle(&self, slot: &mut Slot, records: &[Fetched]) {
        let Some(first) = records.first() else { return };
        if self.forgoes(first) {
            // Counted, so that it is not by its accounts alone that it is caught.
            self.accounts.count();
            return;
        }
        let key = self.inner.order_key(first);
        let records: Vec<Fetched> = records.iter().map(|record| self.rewritten(record)).collect();
        self.scene.begin(key.clone(), self.doing(&records));
        self.inner.handle(slot, &records).await;
        self.scene.end(&key);
    }
}

impl Hands {
    /// Whether a record is done without a plan.
    fn forgoes(&self, record: &Fetched) -> bool {
        let plans_nothing = matches!(self.planted, Planted::FactsPlanNothing | Planted::FactsIgnored);
        if !self.applies || !plans_nothing {
            return false;
        }
        let Ok(fact) = self.codec.decode_fact(record.value.as_deref().unwrap_or_default()) else { return false };
        if matches!(fact.body, FactBody::Answer(_)) {
            return false;
        }
        // A memory index takes whatever it is given.
        self.index.merge(&[Merge::Fact(fact)], None).is_ok()
    }

    /// The record as the handler gets it.
    fn rewritten(&self, record: &Fetched) -> Fetched {
        let mut record = record.clone();
        if self.applies
            && self.planted == Planted::ChangesCreate
            && let Ok(mut event) = self.codec.decode_change(record.value.as_deref().unwrap_or_default())
            && matches!(event.told, Told::Tags | Told::Retention | Told::LegalHold)
        {
            (event.told, event.may_create) = (Told::Examined, true);
            if let Ok(value) = self.codec.encode_change(&event) {
                record.value = Some(value.into());
            }
        }
        record
    }

    fn doing(&self, records: &[Fetched]) -> Doing {
        if !self.applies {
            let audit = records.iter().any(|record| Door::of(&record.headers) == Some(Door::Audit));
            return if audit { Doing::Audit } else { Doing::Other };
        }
        let value = records.first().and_then(|record| record.value.as_deref()).unwrap_or_default();
        match self.codec.decode_change(value) {
            Ok(event) if event.kind != VersionKind::Removed => Doing::State,
            _ => Doing::Other,
        }
    }
}
