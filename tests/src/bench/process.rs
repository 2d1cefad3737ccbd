//! What a process uses, as the system counts it.

use std::fs;

/// The highest resident memory since the last [`forget_peak`], in bytes.
pub(super) fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Begins the count of [`peak_memory`] anew, where the system allows it.
pub(super) fn forget_peak(pid: u32) {
    // Without it the peak is that of the whole life, which is only stricter.
    let _kept = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// Processor time so far, in seconds.
pub(super) fn cpu_seconds(pid: u32) -> Option<f64> {
    /// Ticks per second: 100 on every Linux that runs these servers.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let this = std::process::id();
        assert!(peak_memory(this).is_some_and(|bytes| bytes > 1 << 20));
        assert!(cpu_seconds(this).is_some());
        assert_eq!(cpu_seconds(u32::MAX), None);
    }
}
