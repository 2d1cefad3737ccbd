//! Sizes of the parts of an encrypted object.
//!
//! MinIO tells the sizes that the parts of an encrypted object take on its disks: the clear bytes in packages of 64 KiB,
//! each with 32 bytes around it. RustFS tells the clear sizes.

use twinlog_schemas::Part;

/// Clear bytes of a whole package.
const PACKAGE: i64 = 64 * 1024;
/// What stands around the clear bytes of a package, the last one's too.
const AROUND: i64 = 32;

/// The parts with their clear sizes, which together are the object's `size`; `None` where they are so neither as told
/// nor without what stands around packages.
pub(super) fn in_clear(told: Vec<Part>, size: u64) -> Option<Vec<Part>> {
    if fits(&told, size) {
        return Some(told);
    }
    let clear = |part: &Part| Part { size: unpacked(part.size), ..*part };
    Some(told.iter().map(clear).collect::<Vec<_>>()).filter(|parts| fits(parts, size))
}

fn fits(parts: &[Part], size: u64) -> bool {
    i64::try_from(size) == Ok(parts.iter().fold(0, |sum, part| part.size.saturating_add(sum)))
}

fn unpacked(stored: i64) -> i64 {
    let packages = stored.div_euclid(PACKAGE + AROUND) + i64::from(stored % (PACKAGE + AROUND) != 0);
    stored - packages * AROUND
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(clear: i64) -> i64 {
        clear + (clear + PACKAGE - 1) / PACKAGE * AROUND
    }

    #[test]
    fn sizes_on_disk_as_minio_tells_them() {
        for (clear, stored) in [(0, 0), (1, 33), (PACKAGE, PACKAGE + 32), (PACKAGE + 1, PACKAGE + 65)] {
            assert_eq!((packed(clear), unpacked(stored)), (stored, clear));
        }
    }

    #[test]
    fn sizes_that_fit_in_no_way_are_told() {
        assert_eq!(in_clear(vec![Part { number: 1, size: 33 }], 2), None);
    }

    proptest! {
        #[test]
        fn clear_sizes_come_back(sizes in prop::collection::vec(0..20_000_000_i64, 0..20)) {
            let parts = |size: fn(i64) -> i64| -> Vec<Part> {
                (1..).zip(&sizes).map(|(number, clear)| Part { number, size: size(*clear) }).collect()
            };
            let whole = sizes.iter().sum::<i64>().unsigned_abs();
            prop_assert_eq!(in_clear(parts(packed), whole), Some(parts(|clear| clear)));
            prop_assert_eq!(in_clear(parts(|clear| clear), whole), Some(parts(|clear| clear)));
        }
    }
}
