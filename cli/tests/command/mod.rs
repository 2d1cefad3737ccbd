//! The real binary, run with a configuration of the test's own and nothing of `TWINLOG_…` from outside.

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A configuration in a folder of its own.
pub struct Deployment {
    folder: TempDir,
}

/// What a run of the binary said.
pub struct Said {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Deployment {
    /// With this configuration.
    pub fn with(config: &str) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("twinlog.toml"), config).unwrap();
        Self { folder }
    }

    /// The configuration's path.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("twinlog.toml")
    }

    /// The binary on this configuration.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = binary(args);
        command.arg("--config").arg(self.config());
        command
    }

    /// Runs the binary on this configuration.
    pub fn run(&self, args: &[&str]) -> Said {
        self.command(args).output().unwrap().into()
    }
}

/// The binary.
pub fn binary(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twinlog"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TWINLOG_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.args(args);
    command
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The example, which the binary prints.
pub fn example() -> String {
    Said::from(binary(&["config", "example"]).output().unwrap()).out
}
