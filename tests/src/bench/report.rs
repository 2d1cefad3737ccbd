//! What was measured, in words and ratios.

use std::{fmt, time::Duration};

use super::{Bench, SMALL};

/// Everything that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    title: String,
    samples: usize,
    clients: usize,
    objects: usize,
    large_bytes: u64,
    idle_seconds: f64,
    lags: Vec<(String, Vec<Duration>)>,
    bursts: Vec<(String, f64, Option<f64>)>,
    cpu: Vec<(String, Vec<(&'static str, f64)>)>,
    large: Option<(Duration, [Option<u64>; 2])>,
    idle: Option<[Option<f64>; 2]>,
    requests: Option<[f64; 2]>,
}

impl Report {
    pub(super) fn new(bench: &Bench) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        Self {
            title: format!("{} on {cores} cores, everything on this machine, {profile} build", bench.kind),
            samples: bench.samples,
            clients: bench.clients,
            objects: bench.burst,
            large_bytes: bench.large,
            idle_seconds: bench.idle.as_secs_f64(),
            lags: Vec::new(),
            bursts: Vec::new(),
            cpu: Vec::new(),
            large: None,
            idle: None,
            requests: None,
        }
    }

    pub(super) fn lag(&mut self, name: &str, mut lags: Vec<Duration>) {
        lags.sort();
        self.lags.push((name.to_owned(), lags));
    }

    pub(super) fn burst(&mut self, name: &str, written: f64, arrived: Option<f64>) {
        self.bursts.push((name.to_owned(), written, arrived));
    }

    /// Seconds of processor time that each server used during a burst.
    pub(super) fn cpu(&mut self, name: &str, used: Vec<(&'static str, f64)>) {
        self.cpu.push((name.to_owned(), used));
    }

    pub(super) fn large(&mut self, took: Duration, peaks: [Option<u64>; 2]) {
        self.large = Some((took, peaks));
    }

    pub(super) fn idle(&mut self, used: [Option<f64>; 2]) {
        self.idle = Some(used);
    }

    pub(super) fn requests(&mut self, requests: [f64; 2]) {
        self.requests = Some(requests);
    }
}

fn total(used: &[(&'static str, f64)]) -> f64 {
    used.iter().map(|(_, seconds)| seconds).sum()
}

/// The value below which this share of sorted durations lies, in milliseconds.
fn quantile(sorted: &[Duration], share: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of a short list")]
    let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(at).map_or(f64::NAN, |value| value.as_secs_f64() * 1e3)
}

const MIB: f64 = 1024.0 * 1024.0;

impl fmt::Display for Report {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "{}\n", self.title)?;
        writeln!(to, "lag of one object of {SMALL} bytes on an idle pair, {} samples, ms", self.samples)?;
        for (name, lags) in &self.lags {
            let [half, most, all] = [0.5, 0.9, 1.0].map(|share| quantile(lags, share));
            writeln!(to, "  {name:<22} median {half:>8.1}   90 % {most:>8.1}   worst {all:>8.1}")?;
        }
        if let [(_, ours), (_, own)] = self.lags.as_slice() {
            writeln!(
                to,
                "  Twinlog's median is {:.2} times the store's own",
                quantile(ours, 0.5) / quantile(own, 0.5)
            )?;
        }
        writeln!(to, "\nburst of {} objects from {} clients, per second", self.objects, self.clients)?;
        for (name, written, arrived) in &self.bursts {
            write!(to, "  {name:<22} written {written:>8.0}")?;
            match arrived {
                Some(arrived) => writeln!(to, "   replicated {arrived:>8.0}")?,
                None => writeln!(to)?,
            }
        }
        let rate = |of: &str| self.bursts.iter().find(|(name, ..)| name == of).and_then(|(.., arrived)| *arrived);
        if let (Some(ours), Some(own)) = (rate("Twinlog"), rate("own")) {
            writeln!(to, "  Twinlog replicates {:.2} times as fast as the store itself", ours / own)?;
        }
        for (name, used) in &self.cpu {
            write!(to, "  processor time per object, {name}, ms:")?;
            for (who, seconds) in used {
                write!(to, "  {who} {:.2}", seconds * 1e3 / self.objects as f64)?;
            }
            writeln!(to, "  all {:.2}", total(used) * 1e3 / self.objects as f64)?;
        }
        let cpu = |of: &str| self.cpu.iter().find(|(name, _)| name == of).map(|(_, used)| total(used));
        if let (Some(ours), Some(own)) = (cpu("Twinlog"), cpu("own")) {
            writeln!(to, "  Twinlog with its stores and Kafka uses {:.2} times what the store's own uses", ours / own)?;
        }
        if let Some((took, peaks)) = &self.large {
            let size = self.large_bytes as f64 / MIB;
            writeln!(
                to,
                "\none object of {size:.0} MiB: {:.1} s after the upload, {:.0} MiB/s",
                took.as_secs_f64(),
                size / took.as_secs_f64()
            )?;
            let [east, west] = peaks.map(|peak| peak.map_or(f64::NAN, |bytes| bytes as f64 / MIB));
            writeln!(to, "  peak resident memory: Twinlog at east {east:.0} MiB, at west {west:.0} MiB")?;
        }
        if let Some(used) = &self.idle {
            let [east, west] = used.map(|used| used.map_or(f64::NAN, |used| used / self.idle_seconds * 100.0));
            writeln!(
                to,
                "\nan idle pair over {:.0} s, of one core: Twinlog at east {east:.2} %, at west {west:.2} %",
                self.idle_seconds
            )?;
        }
        if let Some([source, target]) = self.requests {
            writeln!(to, "\nrequests per small untagged object: {source:.2} at the source, {target:.2} at the target")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_few_and_none() {
        let sorted: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(quantile(&sorted, 1.0), 100.0);
        assert!((quantile(&sorted, 0.5) - 50.5).abs() <= 0.5);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
