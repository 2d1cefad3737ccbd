//! The file that says which process runs beside a site: `<state_dir>/<site>/twinlog.pid`, or `twinlog-producer.pid` and
//! `twinlog-consumer.pid` where they are split.

use std::path::PathBuf;

use crate::args::{Half, RunOptions};
use crate::config::Config;
use crate::exit::Failure;

/// The file while the process runs; removed when it ends in order.
pub(super) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    pub(super) fn write(config: &Config, options: &RunOptions) -> Result<Self, Failure> {
        let folder = config.state_dir.join(options.at.as_str());
        let name = match options.only {
            None => "twinlog.pid",
            Some(Half::Producer) => "twinlog-producer.pid",
            Some(Half::Consumer) => "twinlog-consumer.pid",
        };
        let path = folder.join(name);
        let failed = |error: std::io::Error| {
            let path = path.display();
            Failure::config(format!("{path} cannot be written: {error}; check state_dir and its owner"))
        };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        std::fs::write(&path, format!("{}\n", std::process::id())).map_err(failed)?;
        Ok(Self { path })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let ours = std::fs::read_to_string(&self.path).is_ok_and(|pid| pid.trim() == std::process::id().to_string());
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the pid file could not be removed");
        }
    }
}
