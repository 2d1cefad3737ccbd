//! The ledger's finished offsets as the text that Kafka keeps with a commit.
//!
//! Base64 (URL alphabet, no padding) of: one byte of flags, the topic's id (sixteen bytes, where it is known), the mark of
//! who hands over (eight, where somebody does), then for each finished run above the commit, lowest first, the length of
//! the hole before it and its own length, as LEB128 varints; the runs deflated where they are many and that is shorter.
//! Nothing to say is the empty text.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::runs::Runs;
use crate::mark::Mark;
use crate::topic::TopicId;

/// Kafka's default limit on a commit's metadata (`offset.metadata.max.bytes`), in bytes.
pub const METADATA_LIMIT: usize = 4096;

/// Bytes of runs up to which deflating is not worth its memory, which has to be cleared for each commit.
const FEW: usize = 256;

const DEFLATED: u8 = 1;
const TOPIC: u8 = 4;
const HANDED_OVER_BY: u8 = 8;
const ID_BYTES: usize = 16;
const MARK_BYTES: usize = 8;
/// More than any metadata of ours inflates to: twice ten bytes for each of the runs that could fit it deflated.
const INFLATED_LIMIT: u64 = 1 << 20;

/// Why a commit's metadata was not understood; probably another tool wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("commit metadata at offset {offset} is not a ledger's: {why}")]
pub struct MetadataError {
    /// The committed offset.
    pub offset: i64,
    /// What is wrong with it.
    pub why: String,
}

/// What a commit says besides the finished runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub handed_over_by: Option<Mark>,
    pub topic: Option<TopicId>,
}

impl Head {
    fn bytes(self) -> Vec<u8> {
        let by = if self.handed_over_by.is_some() { HANDED_OVER_BY } else { 0 };
        let mut bytes = vec![by | if self.topic.is_some() { TOPIC } else { 0 }];
        bytes.extend(self.topic.iter().flat_map(|id| id.0.to_be_bytes()));
        bytes.extend(self.handed_over_by.iter().flat_map(|mark| mark.0.to_be_bytes()));
        bytes
    }

    /// Takes flags, id and mark off the front; the flags besides.
    fn take(bytes: &mut &[u8]) -> Result<(u8, Self), String> {
        let (flags, rest) = bytes.split_first().ok_or("no flags")?;
        if flags & !(DEFLATED | TOPIC | HANDED_OVER_BY) != 0 {
            return Err(format!("unknown flags {flags:#04x}"));
        }
        *bytes = rest;
        let mut head = Self::default();
        if flags & TOPIC != 0 {
            let (id, rest) = bytes.split_first_chunk::<ID_BYTES>().ok_or("the topic's id is cut off")?;
            *bytes = rest;
            head.topic = Some(TopicId(u128::from_be_bytes(*id)));
        }
        if flags & HANDED_OVER_BY != 0 {
            let (mark, rest) = bytes.split_first_chunk::<MARK_BYTES>().ok_or("the mark is cut off")?;
            *bytes = rest;
            head.handed_over_by = Some(Mark(u64::from_be_bytes(*mark)));
        }
        Ok((*flags, head))
    }
}

/// The text for `done` above `commit`, or `None` if it is longer than Kafka takes.
pub(super) fn encode(commit: i64, done: &Runs, head: Head) -> Option<String> {
    encode_first(commit, done, head, usize::MAX)
}

/// The text for as many of the lowest runs as fit.
pub(super) fn encode_what_fits(commit: i64, done: &Runs, head: Head) -> String {
    if let Some(text) = encode(commit, done, head) {
        return text;
    }
    let (mut fits, mut too_many) = (0, done.len());
    while too_many - fits > 1 {
        let middle = fits + (too_many - fits) / 2;
        match encode_first(commit, done, head, middle) {
            Some(_) => fits = middle,
            None => too_many = middle,
        }
    }
    encode_first(commit, done, head, fits).unwrap_or_default()
}

/// Whether the text is shorter than `limit`, without deflating where that is not needed to know.
pub(super) fn shorter_than(limit: usize, commit: i64, done: &Runs, head: Head) -> bool {
    // Two varints of ten bytes a run, four characters for three bytes.
    let at_most = |bytes: usize| bytes.div_ceil(3) * 4 < limit;
    at_most(done.len().saturating_mul(20) + 1 + ID_BYTES + MARK_BYTES)
        || at_most(plain(commit, done, head, usize::MAX).len())
        || encode(commit, done, head).is_some_and(|text| text.len() < limit)
}

/// Head and the first `count` runs, not deflated.
fn plain(commit: i64, done: &Runs, head: Head, count: usize) -> Vec<u8> {
    let mut plain = head.bytes();
    let mut at = commit;
    for (start, end) in done.iter().take(count) {
        put_varint(&mut plain, start.abs_diff(at));
        put_varint(&mut plain, end.abs_diff(start));
        at = end;
    }
    plain
}

fn encode_first(commit: i64, done: &Runs, head: Head, count: usize) -> Option<String> {
    let plain = plain(commit, done, head, count);
    if plain == [0] {
        return Some(String::new());
    }
    let before_runs = head.bytes().len();
    let many = plain.len() > before_runs + FEW;
    let shortest = match many.then(|| deflated(&plain, before_runs)).flatten() {
        Some(deflated) if deflated.len() < plain.len() => deflated,
        _ => plain,
    };
    let text = URL_SAFE_NO_PAD.encode(shortest);
    (text.len() <= METADATA_LIMIT).then_some(text)
}

/// The first `head` bytes as they are, and deflated runs; `None` if the encoder fails, which writing into memory does
/// not.
fn deflated(plain: &[u8], head: usize) -> Option<Vec<u8>> {
    let (head, runs) = plain.split_at_checked(head)?;
    let mut begun = head.to_vec();
    *begun.first_mut()? |= DEFLATED;
    let mut encoder = DeflateEncoder::new(begun, Compression::best());
    encoder.write_all(runs).ok()?;
    encoder.finish().ok()
}

/// The finished runs above `commit`, and what was said besides.
pub(super) fn decode(commit: i64, text: &str) -> Result<(Runs, Head), MetadataError> {
    let wrong = |why: String| MetadataError { offset: commit, why };
    if text.is_empty() {
        return Ok((Runs::default(), Head::default()));
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|error| wrong(error.to_string()))?;
    let mut rest = bytes.as_slice();
    let (flags, head) = Head::take(&mut rest).map_err(wrong)?;
    let mut plain = Vec::new();
    if flags & DEFLATED == 0 {
        plain.extend_from_slice(rest);
    } else {
        DeflateDecoder::new(rest)
            .take(INFLATED_LIMIT)
            .read_to_end(&mut plain)
            .map_err(|error| wrong(error.to_string()))?;
        if plain.len() as u64 == INFLATED_LIMIT {
            return Err(wrong("inflates to too much".to_owned()));
        }
    }
    let mut done = Runs::default();
    let (mut rest, mut at) = (plain.as_slice(), commit);
    while !rest.is_empty() {
        let hole = take_varint(&mut rest).ok_or_else(|| wrong("cut off".to_owned()))?;
        let length = take_varint(&mut rest).ok_or_else(|| wrong("cut off".to_owned()))?;
        let start = at.checked_add_unsigned(hole);
        let end = start.and_then(|start| start.checked_add_unsigned(length));
        let (Some(start), Some(end), false) = (start, end, hole == 0 || length == 0) else {
            return Err(wrong("impossible run".to_owned()));
        };
        done.insert(start, end);
        at = end;
    }
    Ok((done, head))
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
