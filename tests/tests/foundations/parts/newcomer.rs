//! What README.md shows a newcomer, done as it stands there.

use std::{fs, process::Command};

const README: &str = include_str!("../../../../README.md");

/// The lines of README's block that starts a pair to play with.
fn shown() -> String {
    let block = README.split("```sh\n").skip(1).find(|block| block.contains("./justw up"));
    block.and_then(|block| block.split("```").next()).expect("README shows how to start a pair").to_owned()
}

/// Scenario: `up`, a write at one site, both buckets compared, the object read at the other, `doctor`, metrics, `down`.
/// Guarantees: every command of the block succeeds, the object arrives, and nothing is left behind.
#[test]
fn what_the_readme_shows_works() {
    let home = tempfile::tempdir().expect("a folder");
    // The block is run where README.md is, and by the programs of this build.
    fs::write(home.path().join("README.md"), README).expect("a copy of README.md");
    let (up, down) = (env!("CARGO_BIN_EXE_up"), env!("CARGO_BIN_EXE_down"));
    let block = shown().replace("./justw up ", &format!("'{up}' ")).replace("./justw down", &format!("'{down}'"));
    // Whatever fails in between, the pair ends.
    let script = format!("set -euo pipefail\ntrap \"'{down}'\" EXIT\n{block}\ntrap - EXIT\n");
    let output = Command::new("bash").args(["-c", &script]).current_dir(home.path()).output().expect("bash");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}\n{script}", output.status);
    let last = README.lines().last().expect("a line");
    assert!(out.contains(last), "the object was not read at the other site:\n{out}");
    assert!(out.contains("twinlog_replication_lag_seconds"), "no metrics:\n{out}");
    assert!(out.contains("ended 5 processes"), "{out}");
    assert!(!home.path().join(".twinlog").exists());
}
