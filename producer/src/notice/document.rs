//! The documents that carry notices: envelopes with `Records`, bare records, arrays and concatenations of either.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use twinlog_schemas::OwnNotice;

use super::error::Place;
use super::{Door, Notice, NoticeError, audit, store};

/// One notice with the text that stands for it alone in the notices topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// A document with this one record; as it was received wherever it was received alone.
    pub text: String,
    /// What it says.
    pub notice: Notice,
}

/// Reads a record value of the notices topic. Pings (no records) give no notice. `door` matters for how keys are
/// written: a MinIO listen stream leaves them unencoded.
pub fn parse(value: &[u8], door: Option<Door>) -> Result<Vec<Notice>, NoticeError> {
    Ok(split(value, door)?.into_iter().map(|piece| piece.notice).collect())
}

/// Splits a body (one document, several after one another, or an array of them) into one piece per notice, in order.
/// All or nothing: one malformed record refuses the whole body, since the store would send the whole again.
pub fn split(body: &[u8], door: Option<Door>) -> Result<Vec<Piece>, NoticeError> {
    let mut pieces = Vec::new();
    let mut documents = 0;
    for value in serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>() {
        let value = value.map_err(|error| NoticeError::NotJson(error.to_string()))?;
        let each = if value.get().starts_with('[') { array(value)? } else { vec![value] };
        for document in each {
            documents += 1;
            pieces.extend(Document::read(document, documents)?.pieces(door)?);
        }
    }
    if documents == 0 { Err(NoticeError::Empty) } else { Ok(pieces) }
}

fn array(value: &RawValue) -> Result<Vec<&RawValue>, NoticeError> {
    serde_json::from_str(value.get()).map_err(|error| NoticeError::NotJson(error.to_string()))
}

/// The top-level members of one document, unparsed.
struct Document<'a> {
    whole: &'a RawValue,
    members: BTreeMap<Cow<'a, str>, &'a RawValue>,
    number: usize,
}

impl<'a> Document<'a> {
    fn read(whole: &'a RawValue, number: usize) -> Result<Self, NoticeError> {
        let members = serde_json::from_str(whole.get())
            .map_err(|_| NoticeError::NotANotice(Place { document: number, record: 1 }))?;
        Ok(Self { whole, members, number })
    }

    fn pieces(&self, door: Option<Door>) -> Result<Vec<Piece>, NoticeError> {
        let Some(records) = self.members.get("Records") else {
            let notice = self.bare(self.whole, &self.members, 1, None, door)?;
            return Ok(vec![Piece { text: self.whole.get().to_owned(), notice }]);
        };
        let records: Option<Vec<&RawValue>> = serde_json::from_str(records.get()).map_err(|error| {
            NoticeError::Member { place: self.place(1), why: format!("`Records` is not an array: {error}") }
        })?;
        let records = records.unwrap_or_default();
        let alone = records.len() == 1;
        let decoded: Option<Cow<'_, str>> =
            self.members.get("Key").filter(|_| alone).and_then(|key| serde_json::from_str(key.get()).ok());
        let mut pieces = Vec::with_capacity(records.len());
        for (n, record) in records.into_iter().enumerate() {
            let members = serde_json::from_str(record.get()).map_err(|_| NoticeError::NotANotice(self.place(n + 1)))?;
            let notice = self.bare(record, &members, n + 1, decoded.as_deref(), door)?;
            let text = if alone { self.whole.get().to_owned() } else { format!("{{\"Records\":[{}]}}", record.get()) };
            pieces.push(Piece { text, notice });
        }
        Ok(pieces)
    }

    /// One record, by the member that tells its kind.
    fn bare(
        &self,
        record: &RawValue,
        members: &BTreeMap<Cow<'_, str>, &RawValue>,
        n: usize,
        decoded: Option<&str>,
        door: Option<Door>,
    ) -> Result<Notice, NoticeError> {
        let place = self.place(n);
        if members.contains_key("twinlog") {
            let own = OwnNotice::from_json(record.get().as_bytes());
            own.map(Notice::from).map_err(|error| NoticeError::Member { place, why: error.to_string() })
        } else if members.contains_key("s3") {
            store::read(record.get(), place, decoded, door)
        } else if members.contains_key("trigger") {
            audit::read(record.get(), place)
        } else {
            Err(NoticeError::NotANotice(place))
        }
    }

    fn place(&self, record: usize) -> Place {
        Place { document: self.number, record }
    }
}
