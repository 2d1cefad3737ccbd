//! Bodies that no compression and no deduplication makes small, quick to make.

use bytes::Bytes;
use rand::{RngCore, rngs::SmallRng};

const BLOCK: usize = 4096;

/// So many bytes. Every block of 4 KiB differs from every other, so a misplaced one shows.
#[must_use]
pub fn body(rng: &mut SmallRng, length: usize) -> Bytes {
    let mut block = [0_u8; BLOCK];
    rng.fill_bytes(&mut block);
    let mut body = Vec::with_capacity(length + BLOCK);
    let mut number = 0_u64;
    while body.len() < length {
        block[..8].copy_from_slice(&number.to_le_bytes());
        body.extend_from_slice(&block);
        number += 1;
    }
    body.truncate(length);
    Bytes::from(body)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn bodies_have_their_length_and_their_seed() {
        for length in [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 7] {
            let made = |seed| body(&mut SmallRng::seed_from_u64(seed), length);
            assert_eq!(made(1).len(), length);
            assert_eq!(made(1), made(1));
            assert!(length < 16 || made(1) != made(2));
        }
    }
}
