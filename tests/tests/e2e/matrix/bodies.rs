//! Bodies: their sizes, and how they are cut into parts.

use super::case::{Body, Case, case};

/// What travels inside the change event by default, at most.
pub const INLINE: usize = 16 * 1024;
/// The least size of a part that is not the last.
pub const PART: usize = 5 * 1024 * 1024;

pub fn cases() -> Vec<Case> {
    let whole = [
        ("empty", 0),
        ("one byte", 1),
        ("at the inline limit", INLINE),
        ("one past the inline limit", INLINE + 1),
        ("several megabytes", 3 * 1024 * 1024 + 17),
    ];
    let parts: [(&str, &[(i32, usize)]); 9] = [
        ("one empty part", &[(1, 0)]),
        ("one small part", &[(1, 1000)]),
        ("one part past the inline limit", &[(1, INLINE + 1)]),
        ("one part of the least size", &[(1, PART)]),
        ("one part, numbered last", &[(10_000, 10)]),
        ("two parts, the last of one byte", &[(1, PART), (2, 1)]),
        ("two parts of the least size", &[(1, PART), (2, PART)]),
        ("uneven parts", &[(1, PART + 12_345), (2, PART), (3, PART + 1), (4, 9)]),
        ("gaps in the numbers", &[(2, PART), (7, PART), (9, 1000)]),
    ];
    let whole = whole.into_iter().map(|(name, size)| case("bodies", name).body(Body::Whole(size)));
    let parts = parts.into_iter().map(|(name, layout)| {
        let words: Vec<String> = layout.iter().map(|(number, size)| format!("{number}:{size}")).collect();
        case("bodies", name).body(Body::Parts(layout.to_vec())).shows("parts", words.join(" "))
    });
    whole.chain(parts).collect()
}
