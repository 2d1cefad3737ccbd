//! One Alertmanager that tells nobody: what it was told can be read from its API.

use std::{path::Path, process::Command, time::Duration};

use super::{Life, Port, Process, ServerError, cache, ready::ready};

const START: Duration = Duration::from_secs(60);

/// A running Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    port: Port,
    _process: Process,
}

impl Alertmanager {
    /// Starts one with its data, configuration and log in `folder`; returns when it answers.
    ///
    /// # Errors
    /// [`ServerError`] where it is missing or does not come up.
    pub async fn start(folder: &Path, life: Life) -> Result<Self, ServerError> {
        let program = cache::alertmanager()?;
        std::fs::create_dir_all(folder).map_err(ServerError::io(format!("making {}", folder.display())))?;
        let config = folder.join("alertmanager.yml");
        std::fs::write(&config, "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n")
            .map_err(ServerError::io(format!("writing {}", config.display())))?;
        let port = Port::free()?;
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={}", port.address()))
            // Alone: no others to agree with.
            .arg("--cluster.listen-address=");
        let mut process = Process::spawn("alertmanager", command, &folder.join("alertmanager.log"), life)?;
        let url = format!("http://{}/-/ready", port.address());
        ready(&mut process, START, async || answers(&url).await).await?;
        Ok(Self { port, _process: process })
    }

    /// `http://host:port`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// The alerts that are firing, as its API has them.
    ///
    /// # Errors
    /// In words, where it does not answer with JSON.
    pub async fn firing(&self) -> Result<Vec<serde_json::Value>, String> {
        let url = format!("{}/api/v2/alerts?active=true", self.origin());
        let body = get(&url).await?;
        serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))
    }
}

async fn answers(url: &str) -> Result<(), String> {
    get(url).await.map(drop)
}

async fn get(url: &str) -> Result<String, String> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build();
    let answer = client.map_err(|error| error.to_string())?.get(url).send().await;
    let answer = answer.and_then(reqwest::Response::error_for_status).map_err(|error| error.to_string())?;
    answer.text().await.map_err(|error| error.to_string())
}
