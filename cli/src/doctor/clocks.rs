//! Clocks: of two conflicting changes the later wins, so clocks that differ let the wrong one win. Pure.

use std::collections::BTreeMap;

use twinlog_schemas::SiteName;

use crate::finding::Finding;

/// From here on a difference is an alarm. The stores tell their time in whole seconds, so less cannot be told apart.
const ALARM_MS: i64 = 1_000;

/// Compares every two sites by their offsets to this machine's clock, and each with this machine.
pub fn examine(offsets: &BTreeMap<SiteName, i64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sites: Vec<_> = offsets.iter().collect();
    for (number, (name, offset)) in sites.iter().enumerate() {
        findings.push(compare(format!("clock of {name}"), "this machine's", **offset));
        for (other, theirs) in sites.iter().skip(number + 1) {
            findings.push(compare(format!("clocks of {name} and {other}"), "each other's", **offset - **theirs));
        }
    }
    findings
}

fn compare(subject: String, whose: &str, difference_ms: i64) -> Finding {
    if difference_ms.abs() <= ALARM_MS {
        return Finding::ok(subject, format!("within a second of {whose}"));
    }
    let what = format!("{difference_ms} ms off {whose}");
    Finding::fail(subject, what, "set the clocks by NTP: the later of two conflicting changes wins, by these clocks")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::finding::Level;

    #[test]
    fn two_small_offsets_can_be_a_large_difference() {
        let offsets = [("east", -700), ("west", 700)];
        let offsets = offsets.map(|(name, offset)| (SiteName::new(name).unwrap(), offset)).into_iter().collect();
        let failed: Vec<_> = examine(&offsets).into_iter().filter(|finding| finding.level == Level::Fail).collect();
        assert_eq!(failed.len(), 1);
        assert!(failed[0].to_string().contains("clocks of east and west: -1400 ms off"), "{}", failed[0]);
    }
}
