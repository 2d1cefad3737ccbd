//! What receipts say was last written into one site of one version.

use serde::{Deserialize, Serialize};
use twinlog_schemas::{Category, NullRegister, Receipt, Retention, StampRef, Tags, Wrote};

/// The newest write of one category. Later wins; at the same time the greater value, so that the order in which
/// receipts are read does not matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Put<T> {
    /// When the store had answered, nanoseconds since the Unix epoch.
    pub at_ns: i64,
    /// What was written; `None` where the write took away what earlier ones had left: a removal, a delete marker.
    pub value: Option<T>,
}

/// The newest writes into one site, a field per category.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Of the tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Put<Tags>>,
    /// Of the retention, where the value `None` is no retention, or one lifted.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "retention")]
    pub retention: Option<Put<Option<Retention>>>,
    /// Of the legal hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<Put<bool>>,
    /// The register that a null version was brought to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null: Option<Put<NullRegister>>,
    /// The greatest stamp of the tags that the site came to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags_stamp: Option<StampRef>,
    /// Of the retention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_stamp: Option<StampRef>,
    /// Of the legal hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold_stamp: Option<StampRef>,
    /// When the newest of these writes was, nanoseconds since the Unix epoch.
    pub written_at_ns: i64,
}

impl Written {
    /// Takes a receipt of this site about this version; whether that changed anything but the time.
    ///
    /// The write of an object writes all three categories: what its receipt leaves out was written as empty.
    pub fn merge(&mut self, receipt: &Receipt) -> bool {
        let at_ns = receipt.written_at_ns;
        self.written_at_ns = self.written_at_ns.max(at_ns);
        let (tags, retention, hold) = (receipt.tags.clone(), receipt.retention.map(|it| it.value), receipt.legal_hold);
        let (tags, retention, hold) = match receipt.wrote {
            Wrote::Object => (
                Some(Some(tags.unwrap_or_default())),
                Some(Some(retention.flatten())),
                Some(Some(hold.unwrap_or(false))),
            ),
            Wrote::DeleteMarker | Wrote::Removal => (Some(None), Some(None), Some(None)),
            // Nothing of an upload is to be seen before it is complete.
            Wrote::Upload => (None, None, None),
            Wrote::Attributes | Wrote::Nothing | Wrote::Unknown => {
                (tags.map(Some), retention.map(Some), hold.map(Some))
            }
        };
        let tags = put(&mut self.tags, at_ns, tags);
        let retention = put(&mut self.retention, at_ns, retention);
        let hold = put(&mut self.legal_hold, at_ns, hold);
        let null = match receipt.wrote {
            Wrote::Object | Wrote::DeleteMarker | Wrote::Removal => Some(receipt.null_register.clone()),
            Wrote::Attributes | Wrote::Nothing | Wrote::Upload | Wrote::Unknown => None,
        };
        let null = put(&mut self.null, at_ns, null.filter(|_| receipt.version_id.is_null()));
        let tags_stamp = raise(&mut self.tags_stamp, &receipt.tags_stamp);
        let retention_stamp = raise(&mut self.retention_stamp, &receipt.retention_stamp);
        let hold_stamp = raise(&mut self.legal_hold_stamp, &receipt.legal_hold_stamp);
        tags || retention || hold || null || tags_stamp || retention_stamp || hold_stamp
    }

    /// The greatest stamp of a category that the site came to hold by a write of ours, or was found to hold.
    #[must_use]
    pub fn stamp(&self, category: Category) -> Option<&StampRef> {
        match category {
            Category::Tags => self.tags_stamp.as_ref(),
            Category::Retention => self.retention_stamp.as_ref(),
            Category::LegalHold => self.legal_hold_stamp.as_ref(),
            Category::Unknown => None,
        }
    }
}

fn raise(slot: &mut Option<StampRef>, told: &Option<StampRef>) -> bool {
    let greater = StampRef::greater(slot.clone(), told.clone());
    let news = greater != *slot;
    *slot = greater;
    news
}

/// Keeps the later of what is held and `value` at `at_ns`; whether that is `value`.
pub(crate) fn put<T: Ord>(slot: &mut Option<Put<T>>, at_ns: i64, value: Option<Option<T>>) -> bool {
    let Some(value) = value else { return false };
    let put = Put { at_ns, value };
    let newer = slot.as_ref().is_none_or(|held| put > *held);
    if newer {
        *slot = Some(put);
    }
    newer
}

/// JSON cannot tell "written: no retention" from "nothing written": both would be null.
mod retention {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use twinlog_schemas::{Retention, RetentionWritten};

    use super::Put;

    pub(super) fn serialize<S: Serializer>(put: &Option<Put<Option<Retention>>>, to: S) -> Result<S::Ok, S::Error> {
        let wrap = |put: &Put<Option<Retention>>| Put {
            at_ns: put.at_ns,
            value: put.value.map(|value| RetentionWritten { value }),
        };
        put.as_ref().map(wrap).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Put<Option<Retention>>>, D::Error> {
        let put = Option::<Put<RetentionWritten>>::deserialize(from)?;
        Ok(put.map(|put| Put { at_ns: put.at_ns, value: put.value.map(|written| written.value) }))
    }
}
