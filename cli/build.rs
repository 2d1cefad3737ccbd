//! Puts the commit into the binary, for `twinlog --version` and the build-info metric.

use std::process::Command;

fn main() {
    let git = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = git.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!("cargo::rustc-env=TWINLOG_COMMIT={}", commit.unwrap_or_else(|| "unknown".to_owned()));
    let profile = std::env::var("PROFILE").unwrap_or_default();
    println!("cargo::rustc-env=TWINLOG_PROFILE={profile}");
    println!("cargo::rerun-if-changed=../.git/logs/HEAD");
    println!("cargo::rerun-if-changed=build.rs");
}
