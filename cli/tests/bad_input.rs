//! Bad input to the real binary: every message says what, where, and what to do; the exit codes are the documented ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;

use std::net::TcpListener;

use command::{Deployment, Said, binary, example};

const CONFIG: Option<i32> = Some(64);
const UNAVAILABLE: Option<i32> = Some(69);

/// Asserts that standard error holds all pieces.
fn tells(said: &Said, pieces: &[&str]) {
    for piece in pieces {
        assert!(said.err.contains(piece), "{piece:?} is not in:\n{}", said.err);
    }
}

/// The line on which `piece` stands, from 1.
fn line_of(text: &str, piece: &str) -> usize {
    text[..text.find(piece).unwrap()].matches('\n').count() + 1
}

/// A configuration whose broker and stores are ports on which nobody listens.
fn nobody_there() -> String {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    example()
        .replace("kafka-1:9092,kafka-2:9092,kafka-3:9092", &format!("127.0.0.1:{}", free()))
        .replace("security = \"sasl_tls\"", "security = \"plaintext\"")
        .replace("username = \"twinlog\"\npassword = \"change-me\"\n", "")
        .replace("https://s3.east.example:9000", &format!("http://127.0.0.1:{}", free()))
        .replace("https://s3.west.example:9000", &format!("http://127.0.0.1:{}", free()))
}

#[test]
fn the_example_is_valid() {
    let said = Deployment::with(&example()).run(&["config", "check"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("is valid") && said.out.contains("east>west"), "{}", said.out);
    assert!(!said.out.contains("change-me"));
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let config = example().replace("# lanes = 4", "laness = 4");
    let said = Deployment::with(&config).run(&["config", "check"]);
    assert_eq!(said.code, CONFIG);
    let place = format!("line {}: topics.laness: unknown key", line_of(&config, "laness"));
    tells(&said, &["twinlog.toml is not valid", &place, "known here are", "lanes"]);
}

#[test]
fn a_missing_secret_names_all_three_ways_to_give_it() {
    let config = example().replacen("secret_key = \"change-me\"", "", 1);
    let said = Deployment::with(&config).run(&["run", "--at", "east"]);
    assert_eq!(said.code, CONFIG);
    tells(&said, &["sites.east.secret_key: missing secret", "secret_key_file", "TWINLOG_SITES__EAST__SECRET_KEY"]);
}

#[test]
fn a_secret_comes_from_a_file_or_the_environment_and_is_never_told() {
    let config = example().replacen("secret_key = \"change-me\"", "secret_key_file = \"/nowhere/secret\"", 1);
    let deployment = Deployment::with(&config);
    let said = deployment.run(&["config", "check"]);
    assert_eq!(said.code, CONFIG);
    tells(&said, &["sites.east.secret_key_file: /nowhere/secret cannot be read"]);
    let mut command = deployment.command(&["config", "check"]);
    let said = Said::from(command.env("TWINLOG_SITES__EAST__SECRET_KEY", "hunter2").output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(!said.out.contains("hunter2"));
}

#[test]
fn a_bad_bucket_name_is_refused_in_the_configuration_and_on_the_command_line() {
    let config = example().replacen("# buckets = [\"*\"]", "buckets = [\"My_Photos\"]", 1);
    let said = Deployment::with(&config).run(&["config", "check"]);
    assert_eq!(said.code, CONFIG);
    tells(&said, &["links[0].buckets", "bucket name \"My_Photos\" is not allowed", "S3 bucket naming rules"]);
    let said = Deployment::with(&example()).run(&["bucket", "enable", "My_Photos"]);
    assert_eq!(said.code, Some(2));
    tells(&said, &["bucket name \"My_Photos\" is not allowed"]);
}

#[test]
fn every_fault_is_told_at_once() {
    let config = example().replace("endpoint = \"https://s3.east.example:9000\"", "endpoint = \"s3.east\"");
    let config =
        config.replace("target = \"east\"", "target = \"norht\"").replace("# prefix = \"twinlog\"", "prefix = \"a b\"");
    let said = Deployment::with(&config).run(&["config", "check"]);
    assert_eq!(said.code, CONFIG);
    tells(
        &said,
        &["sites.east.endpoint: \"s3.east\"", "there is no [sites.norht]", "topics.prefix: topic name \"a b\""],
    );
}

#[test]
fn an_unreachable_broker_is_named_with_where_it_is_set() {
    let said = Deployment::with(&nobody_there()).run(&["topics"]);
    assert_eq!(said.code, UNAVAILABLE, "{}", said.err);
    tells(&said, &["Kafka cluster main (127.0.0.1:", "[clusters.main]", "check that the brokers run"]);
}

#[test]
fn an_unreachable_store_is_named_with_where_it_is_set() {
    let said = Deployment::with(&nobody_there()).run(&["bucket", "enable", "photos"]);
    assert_eq!(said.code, UNAVAILABLE, "{}", said.err);
    tells(&said, &["at site east", "http://127.0.0.1:", "[sites.east]", "check that the store runs"]);
}

#[test]
fn doctor_tells_all_that_is_unreachable_at_once() {
    let said = Deployment::with(&nobody_there()).run(&["doctor"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    for piece in
        ["FAIL cluster main: cannot be used", "FAIL site east: cannot be used", "FAIL site west: cannot be used"]
    {
        assert!(said.out.contains(piece), "{piece}: {}", said.out);
    }
}

#[test]
fn a_site_that_is_not_there_is_told_with_those_that_are() {
    let said = Deployment::with(&example()).run(&["run", "--at", "north"]);
    assert_eq!(said.code, CONFIG);
    tells(&said, &["there is no [sites.north]", "east, west"]);
}

#[test]
fn a_bucket_that_no_link_carries_is_told() {
    let config = example().replace("target = \"east\"", "target = \"east\"\nbuckets = [\"letters\"]");
    let config = config.replacen("# buckets = [\"*\"]", "buckets = [\"letters\"]", 1);
    let said = Deployment::with(&config).run(&["bucket", "enable", "photos"]);
    assert_eq!(said.code, CONFIG);
    tells(&said, &["bucket photos is carried by no link", "east>west carries letters"]);
}

#[test]
fn no_configuration_says_how_to_name_one() {
    let said = Said::from(binary(&["config", "check", "--config", "/nowhere/twinlog.toml"]).output().unwrap());
    assert_eq!(said.code, CONFIG);
    tells(&said, &["/nowhere/twinlog.toml cannot be read", "--config", "TWINLOG_CONFIG", "twinlog config example"]);
}

#[test]
fn needed_topics_are_printed_without_a_cluster() {
    let said = Deployment::with(&example()).run(&["bucket", "enable", "photos", "--print-topics"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.out.lines().count(), 18);
    assert!(said.out.contains("--create --topic twinlog.changes.east.photos --partitions 4"), "{}", said.out);
}

#[test]
fn the_version_tells_the_build() {
    let said = Said::from(binary(&["--version"]).output().unwrap());
    assert!(said.out.starts_with(concat!("twinlog ", env!("CARGO_PKG_VERSION"), " (")), "{}", said.out);
}

#[test]
fn whoever_means_all_dead_letters_has_to_say_so() {
    let deployment = Deployment::with(&nobody_there());
    let said = deployment.run(&["dlq", "replay"]);
    assert_eq!(said.code, Some(2));
    tells(&said, &["no letter is chosen", "--all"]);
    let said = deployment.run(&["dlq", "discard", "--all", "--by", "ann"]);
    assert_eq!(said.code, Some(2));
    tells(&said, &["--why"]);
    let said = deployment.run(&["dlq", "show", "photos/key"]);
    assert_eq!(said.code, Some(2));
    tells(&said, &["names no dead letter", "<topic>/<partition>/<offset>"]);
    let said = deployment.run(&["dlq", "list", "--since", "yesterday"]);
    assert_eq!(said.code, Some(2));
    tells(&said, &["is no time", "2h"]);
}

#[test]
fn an_unreachable_broker_is_named_by_dlq_too() {
    let said = Deployment::with(&nobody_there()).run(&["dlq", "list"]);
    assert_eq!(said.code, UNAVAILABLE);
    tells(&said, &["Kafka cluster main", "[clusters.main]"]);
}
