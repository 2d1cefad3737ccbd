//! Which partition a key belongs to, and which lane a partition belongs to.
//!
//! Kafka's own default partitioner (murmur2 of the Java client), so that every Kafka tool agrees with Twinlog about
//! where a key is. Partition counts are multiples of the number of lanes, therefore a key's lane is the same in every
//! topic on every cluster: `partition_of(key, n) % lanes` does not depend on `n`.

use bytes::{BufMut, Bytes, BytesMut};

const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;
const R: u32 = 24;

/// murmur2 as Kafka's Java client computes it over a record's key.
#[must_use]
pub fn murmur2(data: &[u8]) -> i32 {
    murmur2_of(data.iter().copied(), data.len()).cast_signed()
}

/// The same over bytes that need not lie together. Kafka's array lengths are 32 bits wide.
fn murmur2_of(mut bytes: impl Iterator<Item = u8>, length: usize) -> u32 {
    let mut hash = SEED ^ (length as u32);
    for _ in 0..length / 4 {
        let mut word = take(&mut bytes, 4).wrapping_mul(M);
        word ^= word >> R;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    if !length.is_multiple_of(4) {
        hash = (hash ^ take(&mut bytes, length % 4)).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The next `count` (1 to 4) bytes as one little-endian word.
fn take(bytes: &mut impl Iterator<Item = u8>, count: usize) -> u32 {
    bytes.take(count).enumerate().fold(0, |word, (i, byte)| word | (u32::from(byte) << (8 * i)))
}

/// The partition of `bucket`, `/`, `key` among `partitions`. Fewer than one partition counts as one.
#[must_use]
pub fn partition_of(bucket: &str, key: &str, partitions: i32) -> i32 {
    let bytes = bucket.bytes().chain(std::iter::once(b'/')).chain(key.bytes());
    positive(murmur2_of(bytes, bucket.len() + 1 + key.len()), partitions)
}

/// The partition of a whole record key (for readers of other tools' records).
#[must_use]
pub fn partition_of_record_key(record_key: &[u8], partitions: i32) -> i32 {
    positive(murmur2_of(record_key.iter().copied(), record_key.len()), partitions)
}

fn positive(hash: u32, partitions: i32) -> i32 {
    (hash & 0x7fff_ffff).cast_signed() % partitions.max(1)
}

/// The record key of everything about one object key: `bucket`, `/`, `key` as bytes.
#[must_use]
pub fn record_key(bucket: &str, key: &str) -> Bytes {
    let mut bytes = BytesMut::with_capacity(bucket.len() + 1 + key.len());
    bytes.put_slice(bucket.as_bytes());
    bytes.put_u8(b'/');
    bytes.put_slice(key.as_bytes());
    bytes.freeze()
}

/// The lane that owns a partition. Fewer than one lane counts as one.
#[must_use]
pub fn lane_of(partition: i32, lanes: i32) -> i32 {
    partition % lanes.max(1)
}

/// The partitions of one lane, in order.
pub fn partitions_of_lane(lane: i32, lanes: i32, partitions: i32) -> impl Iterator<Item = i32> {
    (0..partitions).filter(move |p| lane_of(*p, lanes) == lane)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `org.apache.kafka.common.utils.Utils.murmur2` and `toPositive(..) % 12` of kafka-clients 4.1.0; the middle
    /// ones are also the vectors of Kafka's own `UtilsTest`.
    const GOLDEN: &[(&str, i32, i32)] = &[
        ("", 275_646_681, 9),
        ("a", -1_563_381_124, 4),
        ("ab", 316_155_434, 2),
        ("abc", 479_470_107, 3),
        ("21", -973_932_308, 0),
        ("foobar", -790_332_482, 6),
        ("a-little-bit-long-string", -985_981_536, 8),
        ("a-little-bit-longer-string", -1_486_304_829, 11),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971, 5),
        ("demo/a", -355_813_809, 11),
        ("demo/ünïcode/π", 1_057_959_066, 6),
        ("photos/2026/11/22.jpg", 75_546_190, 10),
    ];

    #[test]
    fn murmur2_is_the_java_clients() {
        for (text, hash, partition) in GOLDEN {
            assert_eq!(murmur2(text.as_bytes()), *hash, "{text}");
            assert_eq!(partition_of_record_key(text.as_bytes(), 12), *partition, "{text}");
        }
        assert_eq!(partition_of("demo", "a", 12), 11);
        assert_eq!(partition_of("photos", "2026/11/22.jpg", 12), 10);
    }

    proptest! {
        #[test]
        fn the_partition_is_in_range_and_that_of_the_record_key(bucket in "[a-z]{3,20}", key in ".{1,40}", n in 1..400) {
            let partition = partition_of(&bucket, &key, n);
            prop_assert!((0..n).contains(&partition));
            prop_assert_eq!(partition, partition_of_record_key(&record_key(&bucket, &key), n));
        }

        #[test]
        fn a_keys_lane_is_the_same_in_every_topic(bucket in "[a-z]{3,20}", key in ".{1,40}", lanes in 1..9, a in 1..20, b in 1..20) {
            let lane = |partitions| lane_of(partition_of(&bucket, &key, partitions), lanes);
            prop_assert_eq!(lane(a * lanes), lane(b * lanes));
        }

        #[test]
        fn lanes_share_the_partitions_out(lanes in 1..9, partitions in 1..50) {
            let mut all: Vec<i32> = (0..lanes).flat_map(|l| partitions_of_lane(l, lanes, partitions)).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..partitions).collect::<Vec<_>>());
        }
    }
}
