//! What the operator wrote: the file's values with their lines, overlaid with the environment's.
//!
//! Nothing is interpreted here; [`super::section`] reads typed values out of it.

use std::collections::BTreeMap;
use std::fmt;

use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Faults};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In the file, on this line (from 1).
    Line(usize),
    /// In this environment variable.
    Environment(String),
    /// Nowhere: the file as a whole.
    Nowhere,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Line(line) => write!(f, "line {line}"),
            Origin::Environment(name) => write!(f, "environment variable {name}"),
            Origin::Nowhere => f.write_str("the file"),
        }
    }
}

/// A value with its origin.
#[derive(Clone)]
pub struct Node {
    /// Where it was written.
    pub origin: Origin,
    /// What was written.
    pub value: Value,
}

/// What can be written. A value from the environment is a [`Value::Text`]; the reader turns it into what it needs.
#[derive(Clone)]
pub enum Value {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// A list.
    List(Vec<Node>),
    /// A section.
    Table(Table),
    /// A float or a date: nothing in the configuration is one.
    Other(&'static str),
}

/// A section's values by key.
pub type Table = BTreeMap<String, Node>;

/// Keys of the top level that may be overridden although their variables have no `__`.
const TOP_LEVEL: [&str; 2] = ["state_dir", "drain_timeout"];
/// Sections of the top level.
const SECTIONS: [&str; 7] = ["buckets", "clusters", "links", "notifier", "sites", "telemetry", "topics"];
/// Names of sections that a variable cannot spell.
const HYPHENED: [&str; 1] = ["dead-state"];

/// Reads the file's text and overlays `environment`, whose names begin with `TWINLOG_`.
pub fn read(text: &str, environment: &BTreeMap<String, String>) -> Result<Table, Faults> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let faults = errors.iter().map(|error| {
            let origin = error.span().map_or(Origin::Nowhere, |span| Origin::Line(line_of(text, span.start)));
            Fault::new(origin, "", format!("not TOML: {}", error.message().replace('\n', "; ")))
        });
        return Err(Faults::new(faults.collect()));
    }
    let mut table = table(text, document.get_ref());
    for (name, value) in environment {
        overlay(&mut table, name, value);
    }
    Ok(table)
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

fn table(text: &str, table: &DeTable<'_>) -> Table {
    table
        .iter()
        .map(|(key, value)| {
            let origin = Origin::Line(line_of(text, key.span().start));
            (key.get_ref().to_string(), Node { origin, value: convert(text, value.get_ref()) })
        })
        .collect()
}

fn convert(text: &str, value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number that is too large"), Value::Integer),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|item| Node {
                    origin: Origin::Line(line_of(text, item.span().start)),
                    value: convert(text, item.get_ref()),
                })
                .collect(),
        ),
        DeValue::Table(inner) => Value::Table(self::table(text, inner)),
        DeValue::Float(_) => Value::Other("a float"),
        DeValue::Datetime(_) => Value::Other("a date"),
    }
}

/// Puts `TWINLOG_SITES__EAST__SECRET_KEY` at `sites.east.secret_key`. Variables without `__` are left to others unless
/// they name a key of the top level, or begin with a section: `TWINLOG_SITES_EAST_SECRET_KEY` is a mistake, and stands as
/// a key that nobody knows.
fn overlay(table: &mut Table, name: &str, value: &str) {
    let Some(path) = name.strip_prefix("TWINLOG_") else { return };
    let segments: Vec<&str> = path.split("__").collect();
    let top = path.to_lowercase();
    let of_a_section =
        || SECTIONS.iter().any(|section| top.strip_prefix(section).is_some_and(|of| of.starts_with('_')));
    if segments.len() == 1 && !TOP_LEVEL.contains(&top.as_str()) && !of_a_section() {
        return;
    }
    let origin = Origin::Environment(name.to_owned());
    put(table, &segments, &Node { origin, value: Value::Text(value.to_owned()) });
}

fn put(table: &mut Table, segments: &[&str], node: &Node) {
    let Some((first, rest)) = segments.split_first() else { return };
    let key = key_named(table, first);
    if rest.is_empty() {
        table.insert(key, node.clone());
        return;
    }
    let section =
        table.entry(key).or_insert_with(|| Node { origin: node.origin.clone(), value: Value::Table(Table::new()) });
    put_into(section, rest, node);
}

fn put_into(section: &mut Node, rest: &[&str], node: &Node) {
    let Some((first, deeper)) = rest.split_first() else { return };
    match &mut section.value {
        Value::Table(inner) => put(inner, rest, node),
        // `TWINLOG_LINKS__0__CONCURRENCY`: lists of sections go by position, from 0.
        Value::List(items) => match first.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
            Some(item) => put_into(item, deeper, node),
            None => items.push(node.clone()),
        },
        // A section is expected where the file has a plain value: let the variable stand, so that the fault names it.
        _ => *section = node.clone(),
    }
}

/// The key that a variable's segment means: names of sites may hold `-`, which variables cannot.
fn key_named(table: &Table, segment: &str) -> String {
    let wanted = segment.to_uppercase();
    let means = |key: &str| key.to_uppercase().replace(['-', '.'], "_") == wanted;
    let held = table.keys().map(String::as_str).find(|key| means(key));
    held.or_else(|| HYPHENED.into_iter().find(|key| means(key)))
        .map_or_else(|| segment.to_lowercase(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_environment_overrides_the_file_and_says_so() {
        let text = "[sites.far-east]\nregion = 'x'\n[[links]]\nconcurrency = 1\n";
        let environment = BTreeMap::from(
            [
                ("TWINLOG_SITES__FAR_EAST__REGION", "eu"),
                ("TWINLOG_LINKS__0__CONCURRENCY", "7"),
                ("TWINLOG_RUSTFS", "/somewhere"),
                ("TWINLOG_STATE_DIR", "/state"),
                ("TWINLOG_TOPICS__DEAD_STATE__PARTITIONS", "8"),
                ("TWINLOG_SITES_FAR_EAST_SECRET_KEY", "never"),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned())),
        );
        let table = read(text, &environment).ok().unwrap();
        let Value::Table(sites) = &table["sites"].value else { panic!("sites") };
        let Value::Table(site) = &sites["far-east"].value else { panic!("far-east") };
        assert_eq!(site["region"].origin, Origin::Environment("TWINLOG_SITES__FAR_EAST__REGION".to_owned()));
        let Value::List(links) = &table["links"].value else { panic!("links") };
        let Value::Table(link) = &links[0].value else { panic!("link") };
        assert!(matches!(&link["concurrency"].value, Value::Text(text) if text == "7"));
        assert!(table.contains_key("state_dir") && !table.contains_key("rustfs"));
        let Value::Table(topics) = &table["topics"].value else { panic!("topics") };
        assert!(topics.contains_key("dead-state"));
        let mistaken = &table["sites_far_east_secret_key"];
        assert_eq!(mistaken.origin, Origin::Environment("TWINLOG_SITES_FAR_EAST_SECRET_KEY".to_owned()));
    }
}
