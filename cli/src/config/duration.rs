//! Lengths of time as people write them: `500ms`, `20s`, `15m`, `12h`, `7d`.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a number directly followed by its unit.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let refuse =
        || format!("{text:?} is not a length of time: write e.g. \"500ms\", \"20s\", \"15m\", \"12h\" or \"7d\"");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| refuse())?;
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(refuse)?;
    number
        .checked_mul(*scale)
        .filter(|ms| *ms > 0 && *ms < i64::MAX as u64)
        .map(Duration::from_millis)
        .ok_or_else(refuse)
}

/// Writes a length of time in the largest unit that holds it exactly.
pub fn show_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = UNITS.iter().rev().find(|(_, scale)| ms > 0 && ms % scale == 0);
    fits.map_or_else(|| format!("{ms}ms"), |(unit, scale)| format!("{}{unit}", ms / scale))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(ms in 1u64..10_000_000_000) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }
    }

    #[test]
    fn no_unit_no_number_and_nothing_are_refused() {
        for text in ["20", "s", "", "-1s", "1.5h", "0s", "99999999999999999d", "1 week"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
