//! The bytes before the datum: what tells single-object encoding, Confluent's format and anything else apart.

use super::error::DecodeError;

const MARKER: [u8; 2] = [0xC3, 0x01];
/// The first byte of Confluent's wire format, which a schema id in a registry follows.
const CONFLUENT: u8 = 0x00;
const CONFLUENT_HEADER: usize = 5;

/// Marker and fingerprint together.
pub(super) const HEADER: usize = 10;

/// The header of a record that the schema with this fingerprint writes.
pub(super) fn header(fingerprint: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..2].copy_from_slice(&MARKER);
    header[2..].copy_from_slice(&fingerprint.to_le_bytes());
    header
}

/// The fingerprint of the schema that wrote this record.
///
/// Confluent's format needs a registry; where one is configured its records are to be recognised here, by the same
/// first byte, and their id looked up instead of the fingerprint.
pub(super) fn fingerprint(bytes: &[u8]) -> Result<u64, DecodeError> {
    match bytes {
        [CONFLUENT, ..] if bytes.len() >= CONFLUENT_HEADER => Err(DecodeError::ConfluentWithoutRegistry),
        [0xC3, 0x01, a, b, c, d, e, f, g, h, ..] => Ok(u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
        [0xC3, 0x01, ..] => Err(DecodeError::Malformed("it ends within the schema's fingerprint".into())),
        _ => Err(DecodeError::NotAvro),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_formats_apart() {
        assert_eq!(fingerprint(&header(7)), Ok(7));
        assert_eq!(fingerprint(&[0, 0, 0, 0, 1, 2]), Err(DecodeError::ConfluentWithoutRegistry));
        assert_eq!(fingerprint(&[0, 0, 0]), Err(DecodeError::NotAvro));
        assert_eq!(fingerprint(b""), Err(DecodeError::NotAvro));
        assert_eq!(fingerprint(b"{\"Records\":[]}"), Err(DecodeError::NotAvro));
        assert!(matches!(fingerprint(&header(7)[..9]), Err(DecodeError::Malformed(_))));
    }
}
