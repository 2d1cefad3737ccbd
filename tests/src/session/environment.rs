//! The file `.twinlog/env`: shell assignments that say where everything is.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Names and values, in the order in which they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Where it is, inside the session's folder.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("env")
    }

    /// Adds an assignment.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// As a shell reads it. What is more than a plain word is quoted.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={}\n", quoted(value))).collect()
    }

    /// Reads what [`Environment::text`] wrote; lines that are no assignments are skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), unquoted(value))).collect())
    }

    /// Writes the file, whole or not at all; only its owner may read it, for the secret in it.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        use std::{io::Write, os::unix::fs::OpenOptionsExt};
        let (path, draft) = (Self::path(folder), folder.join("env.new"));
        let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(self.text().as_bytes())?;
        fs::rename(draft, path)
    }

    /// Reads the file; nothing where there is none.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        match fs::read_to_string(Self::path(folder)) {
            Ok(text) => Ok(Some(Self::parse(&text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "'\\''"))
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
        Some(inner) => inner.replace("'\\''", "'"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn awkward() -> Environment {
        Environment::default().with("EAST", "http://127.0.0.1:1").with("CONFIG", "/a b/it's $HOME/c").with("NONE", "")
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Environment::read(folder.path()).unwrap(), None);
        awkward().write(folder.path()).unwrap();
        assert_eq!(Environment::read(folder.path()).unwrap(), Some(awkward()));
    }

    /// Guarantees: a shell sees the same values.
    #[test]
    fn a_shell_understands_it() {
        let folder = tempfile::tempdir().unwrap();
        awkward().write(folder.path()).unwrap();
        let script = ". ./env; printf '%s|%s|%s' \"$EAST\" \"$CONFIG\" \"$NONE\"";
        let said = std::process::Command::new("sh").args(["-c", script]).current_dir(folder.path()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), "http://127.0.0.1:1|/a b/it's $HOME/c|");
    }
}
