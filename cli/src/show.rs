//! How results are printed: tables for people, JSON for machines.

use serde::Serialize;

use crate::config::{Config, show_duration};
use crate::exit::Failure;

/// Prints a value as indented JSON.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::internal(error.to_string()))?;
    println!("{text}");
    Ok(())
}

/// Rows in columns as wide as their widest cell, the first row being the heading.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Keys and values are anybody's: no control character of theirs reaches the terminal.
pub fn shown(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// What a configuration says, in short.
pub fn config(config: &Config) -> String {
    let topics = &config.topics;
    let kept = format!("{} lanes, changes are kept {}", topics.lanes, show_duration(topics.changes.retention));
    let mut rows = vec![vec!["topics".to_owned(), String::new(), kept]];
    for (name, cluster) in &config.clusters {
        rows.push(vec!["cluster".to_owned(), name.clone(), cluster.brokers.clone()]);
    }
    for (name, site) in &config.sites {
        let what = format!("{} at {}, topics on {}", site.dialect, site.endpoint, site.cluster);
        rows.push(vec!["site".to_owned(), name.to_string(), what]);
    }
    for link in &config.links {
        let buckets: Vec<String> = link.buckets.iter().map(ToString::to_string).collect();
        rows.push(vec!["link".to_owned(), link.name(), format!("buckets {}", buckets.join(", "))]);
    }
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_without_trailing_space() {
        let rows = [["a", "long", "x"], ["bb", "s", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "a   long  x\nbb  s\n");
    }
}
