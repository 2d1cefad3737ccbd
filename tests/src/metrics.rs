//! What a process tells of itself at `/metrics`: Prometheus's text format, as far as Twinlog writes it.

use std::collections::BTreeMap;

/// One scrape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    samples: Vec<Sample>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name, with `_bucket`, `_sum`, `_count` or `_total` where the text has it.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// A line that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {number} of the metrics is not understood: {line}")]
pub struct NotMetrics {
    /// Counted from 1.
    pub number: usize,
    /// What it says.
    pub line: String,
}

impl Metrics {
    /// Reads a scrape.
    ///
    /// # Errors
    /// At the first line that is neither empty, a comment nor a sample.
    pub fn parse(text: &str) -> Result<Self, NotMetrics> {
        let mut samples = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            samples.push(sample(line).ok_or_else(|| NotMetrics { number: number + 1, line: line.to_owned() })?);
        }
        Ok(Self { samples })
    }

    /// The samples of a name whose labels contain all of these.
    pub fn of<'a>(&'a self, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            let has = |(label, value): &(&str, &str)| sample.labels.get(*label).is_some_and(|found| found == value);
            sample.name == name && labels.iter().all(has)
        })
    }

    /// The sum of [`Metrics::of`]; zero where there is none.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.of(name, labels).map(|sample| sample.value).sum()
    }

    /// All samples.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (head, labels, rest) = match line.split_once('{') {
        Some((name, rest)) => {
            let (labels, rest) = labels(rest)?;
            (name, labels, rest)
        }
        None => {
            let (name, rest) = line.split_once(' ')?;
            (name, BTreeMap::new(), rest)
        }
    };
    // A time stamp may follow the value.
    let value = rest.split_whitespace().next()?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        value => value.parse().ok()?,
    };
    Some(Sample { name: head.trim().to_owned(), labels, value })
}

/// `a="b",c="d\"e"} 1`: the labels and what follows the brace.
fn labels(mut text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        text = text.trim_start_matches([',', ' ']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next()? {
                (_, '\\') => match characters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (at, '"') => break at,
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.to_owned(), value);
        text = &rest[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const TEXT: &str = "# HELP a_total how many\n# TYPE a_total counter\na_total{link=\"east-west\",bucket=\"b\"} 3\n\
        a_total{link=\"west-east\",bucket=\"say \\\"hi\\\"\\n\"} 4.5 1700000000\nup 1\nh_bucket{le=\"+Inf\"} +Inf\n";

    #[test]
    fn names_labels_and_values_are_read() {
        let metrics = Metrics::parse(TEXT).unwrap();
        assert_eq!(metrics.samples().len(), 4);
        assert_eq!(metrics.sum("a_total", &[]), 7.5);
        assert_eq!(metrics.sum("a_total", &[("link", "east-west")]), 3.0);
        assert_eq!(metrics.sum("a_total", &[("bucket", "say \"hi\"\n")]), 4.5);
        assert_eq!(metrics.sum("up", &[]), 1.0);
        assert_eq!(metrics.sum("nothing", &[]), 0.0);
    }

    #[test]
    fn nonsense_is_refused_with_its_line() {
        assert_eq!(Metrics::parse("up 1\n<html>").unwrap_err().number, 2);
        assert!(Metrics::parse("a{b=\"c} 1").is_err());
    }
}
