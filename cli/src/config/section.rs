//! Reads typed values out of one section, and keeps every fault instead of stopping at the first.
//!
//! Each key is asked for by name; [`Section::end`] then refuses the keys that nobody asked for, so that the known keys
//! are stated exactly once, where they are read.

use std::cell::RefCell;
use std::str::FromStr;
use std::time::Duration;

use super::duration::parse_duration;
use super::fault::Fault;
use super::secret::Secret;
use super::source::{Node, Origin, Table, Value};

/// Where faults are put while a configuration is read.
pub type Sink = RefCell<Vec<Fault>>;

/// One section while it is being read.
pub struct Section<'a> {
    /// Its path, e.g. `sites.east`; empty at the top level.
    pub path: String,
    /// Where it begins.
    pub origin: Origin,
    table: Table,
    known: Vec<String>,
    sink: &'a Sink,
}

impl<'a> Section<'a> {
    /// The top level.
    pub fn root(table: Table, sink: &'a Sink) -> Self {
        Self { path: String::new(), origin: Origin::Nowhere, table, known: Vec::new(), sink }
    }

    /// The path of one of this section's keys.
    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Where faults are put, for those that show only once the section was read.
    pub fn sink(&self) -> &'a Sink {
        self.sink
    }

    /// Puts down a fault of this section as a whole.
    pub fn fault(&self, message: impl Into<String>) {
        self.sink.borrow_mut().push(Fault::new(self.origin.clone(), self.path.clone(), message));
    }

    /// Puts down a fault of one key.
    pub fn fault_at(&self, origin: Origin, key: &str, message: impl Into<String>) {
        self.sink.borrow_mut().push(Fault::new(origin, self.path_of(key), message));
    }

    fn take(&mut self, key: &str) -> Option<Node> {
        self.known.push(key.to_owned());
        self.table.remove(key)
    }

    /// Whether `key` is written at all. To be asked before the key is taken.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Where `key` was written: its own line, else that of the section. To be asked before the key is taken.
    pub fn origin_of(&self, key: &str) -> Origin {
        self.table.get(key).map_or_else(|| self.origin.clone(), |node| node.origin.clone())
    }

    /// A value that `read` understands; what it does not is a fault.
    fn read<T>(&mut self, key: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        let node = self.take(key)?;
        match read(&node.value) {
            Ok(value) => Some(value),
            Err(message) => {
                self.fault_at(node.origin, key, message);
                None
            }
        }
    }

    /// A text.
    pub fn text(&mut self, key: &str) -> Option<String> {
        self.read(key, |value| text(value).map(str::to_owned))
    }

    /// A text that parses into `T`.
    pub fn parsed<T: FromStr>(&mut self, key: &str) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        self.read(key, |value| text(value)?.parse().map_err(|error: T::Err| error.to_string()))
    }

    /// As [`Section::parsed`], but its absence is a fault that says `what` to write.
    pub fn required<T: FromStr>(&mut self, key: &str, what: &str) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        if !self.table.contains_key(key) {
            self.known.push(key.to_owned());
            self.fault_at(self.origin.clone(), key, format!("missing: {what}"));
            return None;
        }
        self.parsed(key)
    }

    /// One of several words.
    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        self.read(key, |value| {
            let word = text(value)?;
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
            let found = choices.iter().find(|(known, _)| *known == word);
            found.map(|(_, value)| *value).ok_or_else(|| format!("{word:?} is not one of {}", words.join(", ")))
        })
    }

    /// A whole number between two bounds.
    pub fn number(&mut self, key: &str, min: i64, max: i64) -> Option<i64> {
        self.read(key, |value| {
            let number = match value {
                Value::Integer(number) => Ok(*number),
                Value::Text(text) => text.trim().parse().map_err(|_| format!("{text:?} is not a whole number")),
                other => Err(format!("a whole number is expected, not {}", kind(other))),
            }?;
            let within = (min..=max).contains(&number);
            if within { Ok(number) } else { Err(format!("{number} is not between {min} and {max}")) }
        })
    }

    /// A number that fits `T`, or its default. The bounds are within `T`.
    pub fn number_or<T: TryFrom<i64>>(&mut self, key: &str, min: i64, max: i64, default: T) -> T {
        self.number(key, min, max).and_then(|number| T::try_from(number).ok()).unwrap_or(default)
    }

    /// True or false, or its default.
    pub fn boolean_or(&mut self, key: &str, default: bool) -> bool {
        let read = self.read(key, |value| match value {
            Value::Boolean(boolean) => Ok(*boolean),
            Value::Text(text) => text.parse().map_err(|_| format!("{text:?} is not true or false")),
            other => Err(format!("true or false is expected, not {}", kind(other))),
        });
        read.unwrap_or(default)
    }

    /// A length of time such as `"20s"` or `"7d"`, or its default.
    pub fn duration_or(&mut self, key: &str, default: Duration) -> Duration {
        self.read(key, |value| parse_duration(text(value)?)).unwrap_or(default)
    }

    /// A list of texts with the place of each; from the environment separated by commas. `None` where there is none.
    pub fn texts(&mut self, key: &str) -> Option<Vec<(Origin, String)>> {
        let node = self.take(key)?;
        match &node.value {
            Value::Text(text) if matches!(node.origin, Origin::Environment(_)) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(items.map(|item| (node.origin.clone(), item.to_owned())).collect())
            }
            Value::List(items) => {
                let mut texts = Vec::new();
                for item in items {
                    match text(&item.value) {
                        Ok(text) => texts.push((item.origin.clone(), text.to_owned())),
                        Err(message) => self.fault_at(item.origin.clone(), key, message),
                    }
                }
                Some(texts)
            }
            other => {
                self.fault_at(node.origin.clone(), key, format!("a list of texts is expected, not {}", kind(other)));
                None
            }
        }
    }

    /// A secret, written as `key` or as the path of a file at `key_file`; both at once is a fault. The environment's
    /// value wins over the file of the other form.
    pub fn secret(&mut self, key: &str) -> Option<Secret> {
        let file_key = format!("{key}_file");
        let (plain, file) = (self.take(key), self.take(&file_key));
        let (plain, file) = match (plain, file) {
            (Some(plain), Some(file)) => match (from_environment(&plain), from_environment(&file)) {
                (true, false) => (Some(plain), None),
                (false, true) => (None, Some(file)),
                _ => {
                    let message = format!("both this and {} are given: keep one", self.path_of(key));
                    self.fault_at(file.origin.clone(), &file_key, message);
                    return None;
                }
            },
            one => one,
        };
        let read = match (&plain, &file) {
            (Some(node), _) => text(&node.value).map(Secret::new),
            (None, Some(node)) => text(&node.value).and_then(|path| {
                let read = std::fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"));
                read.map(|secret| Secret::new(&secret))
            }),
            (None, None) => return None,
        };
        let (node, key) = if plain.is_some() { (plain, key) } else { (file, file_key.as_str()) };
        let origin = node.map_or(Origin::Nowhere, |node| node.origin);
        match read {
            Ok(secret) if secret.reveal().is_empty() => {
                self.fault_at(origin, key, "it is empty");
                None
            }
            Ok(secret) => Some(secret),
            Err(message) => {
                self.fault_at(origin, key, message);
                None
            }
        }
    }

    /// As [`Section::secret`], but its absence is a fault that says how to give it.
    pub fn required_secret(&mut self, key: &str) -> Option<Secret> {
        let file_key = format!("{key}_file");
        if self.table.contains_key(key) || self.table.contains_key(&file_key) {
            return self.secret(key);
        }
        self.known.extend([key.to_owned(), file_key.clone()]);
        let variable = format!("TWINLOG_{}", self.path_of(key).replace('.', "__").replace('-', "_").to_uppercase());
        let message = format!(
            "missing secret: write it here, or the path of a file that holds it as {file_key}, or set {variable}"
        );
        self.fault_at(self.origin.clone(), key, message);
        None
    }

    /// A section inside this one; an empty one where it is not written.
    pub fn section(&mut self, key: &str) -> Section<'a> {
        let path = self.path_of(key);
        let origin = self.origin_of(key);
        let node = self.take(key);
        self.inner(node, path, origin)
    }

    /// The sections inside `key` by name, in the names' order.
    pub fn named(&mut self, key: &str) -> Vec<(String, Section<'a>)> {
        let mut section = self.section(key);
        let table = std::mem::take(&mut section.table);
        let sections = table.into_iter().map(|(name, node)| {
            let inner = section.inner(Some(node.clone()), section.path_of(&name), node.origin);
            (name, inner)
        });
        sections.collect()
    }

    /// A list of sections, `[[key]]`.
    pub fn list(&mut self, key: &str) -> Vec<Section<'a>> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let Value::List(items) = node.value else {
            self.fault_at(node.origin, key, format!("a list of sections is expected: write [[{}]]", self.path_of(key)));
            return Vec::new();
        };
        let sections = items.into_iter().enumerate().map(|(number, item)| {
            let path = format!("{}[{number}]", self.path_of(key));
            let origin = item.origin.clone();
            self.inner(Some(item), path, origin)
        });
        sections.collect()
    }

    /// All keys of a section that are free in their names, with texts as values.
    pub fn free_texts(mut self) -> Vec<(String, String)> {
        let keys: Vec<String> = self.table.keys().cloned().collect();
        let mut texts = Vec::new();
        for key in keys {
            let read = self.read(&key, |value| match value {
                Value::Text(text) => Ok(text.clone()),
                Value::Integer(number) => Ok(number.to_string()),
                Value::Boolean(boolean) => Ok(boolean.to_string()),
                other => Err(format!("a text is expected, not {}", kind(other))),
            });
            texts.extend(read.map(|text| (key, text)));
        }
        texts
    }

    fn inner(&self, node: Option<Node>, path: String, origin: Origin) -> Section<'a> {
        let table = match node.map(|node| node.value) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                let message = format!("a section is expected, not {}", kind(&other));
                self.sink.borrow_mut().push(Fault::new(origin.clone(), path.clone(), message));
                Table::new()
            }
        };
        Section { path, origin, table, known: Vec::new(), sink: self.sink }
    }

    /// Refuses the keys that were not asked for.
    pub fn end(self) {
        for (key, node) in &self.table {
            let known = self.known.join(", ");
            self.fault_at(node.origin.clone(), key, format!("unknown key; known here are {known}"));
        }
    }
}

fn from_environment(node: &Node) -> bool {
    matches!(node.origin, Origin::Environment(_))
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(format!("a text is expected, not {}", kind(other))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Boolean(_) => "true or false",
        Value::List(_) => "a list",
        Value::Table(_) => "a section",
        Value::Other(kind) => kind,
    }
}
