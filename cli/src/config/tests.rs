#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn none() -> BTreeMap<String, String> {
    BTreeMap::new()
}

fn faults(text: &str) -> String {
    Config::parse(text, &none()).unwrap_err().to_string()
}

/// The example with one piece replaced.
fn with(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    EXAMPLE.replacen(from, to, 1)
}

fn line_of(text: &str, piece: &str) -> usize {
    text[..text.find(piece).unwrap()].lines().count() + 1
}

#[test]
fn the_example_is_valid_and_shows_the_defaults() {
    let config = Config::parse(EXAMPLE, &none()).unwrap();
    // With every commented key put in, it must mean the same: what the comments call defaults are the defaults.
    let uncommented: String = EXAMPLE
        .lines()
        .filter(|line| !line.contains("fast = ") && !line.contains("ca_file") && !line.contains("keepalive"))
        .filter(|line| !line.starts_with("# [buckets") && !line.contains("partitions = 16"))
        .filter(|line| *line != "# inline_max_bytes = 0")
        .map(|line| match line.strip_prefix("# ") {
            Some(code) if code.starts_with("[topics.") => code,
            Some(code) if code.split(' ').nth(1) == Some("=") => code,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    assert!(uncommented.contains("\nlag_threshold = \"15m\"") && uncommented.contains("\nlanes = 4"));
    // `prefix = …` and its like stand above the tables of their own section.
    assert_eq!(Config::parse(&uncommented, &none()).unwrap(), config);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_what_is_known() {
    let text = with("# drain_timeout = \"20s\"", "drain_timout = \"20s\"");
    let told = faults(&text);
    assert!(told.contains(&format!("line {}: drain_timout: unknown key", line_of(&text, "drain_timout"))), "{told}");
    assert!(told.contains("drain_timeout"), "{told}");
    let text = with("# concurrency = 32", "concurency = 32");
    assert!(faults(&text).contains("links[0].concurency: unknown key"), "{}", faults(&text));
}

#[test]
fn every_fault_is_told_at_once() {
    let text = with("secret_key = \"change-me\"", "")
        .replacen("source = \"west\"", "source = \"south\"", 1)
        .replacen("# lanes = 4", "lanes = \"many\"", 1)
        .replacen("# buckets = [\"*\"]", "buckets = [\"Photos\"]", 1);
    let told = faults(&text);
    for expected in [
        "sites.east.secret_key: missing secret",
        "TWINLOG_SITES__EAST__SECRET_KEY",
        "there is no [sites.south]",
        "\"many\" is not a whole number",
        "bucket name \"Photos\" is not allowed",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn links_between_dialects_and_doubled_links_are_refused() {
    let told = faults(&with("dialect = \"rustfs\"\ncluster", "dialect = \"minio\"\ncluster"));
    assert!(told.contains("links between different dialects are not supported yet"), "{told}");
    let told = faults(&with("source = \"west\"\ntarget = \"east\"", "source = \"east\"\ntarget = \"west\""));
    assert!(told.contains("there is a link east>west already"), "{told}");
}

#[test]
fn two_sites_with_one_endpoint_are_refused_with_both_lines() {
    let text = with("https://s3.west.example:9000", "HTTPS://S3.East.example:9000/");
    let (east, west) = (line_of(&text, "endpoint = \"https://s3.east"), line_of(&text, "endpoint = \"HTTPS://S3.East"));
    let told = faults(&text);
    let expected =
        format!("line {west}: sites.west.endpoint: HTTPS://S3.East.example:9000/ is sites.east.endpoint too");
    assert!(told.contains(&expected.replace("HTTPS", "https")), "{told}");
    assert!(told.contains(&format!("(line {east}): two sites are two stores")), "{told}");
}

#[test]
fn addresses_and_targets_given_twice_are_refused() {
    let text = with("# listen = \"0.0.0.0:8081\"", "listen = \"10.0.0.5:8081\"").replacen(
        "[sites.west.intake]",
        "[sites.west.intake]\nlisten = \"10.0.0.5:8081\"",
        1,
    );
    let told = faults(&text);
    assert!(told.contains("sites.west.intake.listen: 10.0.0.5:8081 is sites.east.intake.listen too (line "), "{told}");
    let told = faults(&with("# listen = \"0.0.0.0:8081\"", "listen = \"127.0.0.1:9464\""));
    assert!(told.contains("127.0.0.1:9464 and the metrics' 0.0.0.0:9464 are one address"), "{told}");
    let told = faults(&EXAMPLE.replace("dialect = \"rustfs\"", "dialect = \"minio\"").replacen(
        "# sure = \"TWINLOG\"",
        "sure = \"twinlogfast\"",
        1,
    ));
    assert!(told.contains("sites.east.targets.fast: twinlogfast is the sure target too"), "{told}");
}

#[test]
fn a_link_to_itself_and_a_password_in_an_endpoint_are_refused() {
    let told = faults(&with("target = \"west\"", "target = \"east\""));
    assert!(told.contains("links[0]: source and target are the same site"), "{told}");
    let told = faults(&with("https://s3.west.example:9000", "https://me:hunter2@s3.west.example"));
    assert!(told.contains("\"…@s3.west.example\" is not an endpoint") && !told.contains("hunter2"), "{told}");
}

#[test]
fn partitions_must_be_multiples_of_the_lanes() {
    let told = faults(&with("# [topics.changes]\n# partitions = 4", "[topics.changes]\npartitions = 6"));
    assert!(told.contains("topics.changes.partitions: 6 is not a multiple of the 4 lanes"), "{told}");
    let config = Config::parse(&with("# lanes = 4", "lanes = 8"), &none()).unwrap();
    assert_eq!((config.topics.changes.partitions, config.topics.notices.partitions), (8, 16));
}

#[test]
fn the_states_of_letters_are_kept_as_long_as_the_letters() {
    let longer = with("# [topics.dead]         # 4, \"30d\"", "[topics.dead]\nretention = \"90d\"");
    let config = Config::parse(&longer, &none()).unwrap();
    assert_eq!(config.topics.dead_state.retention, config.topics.dead.retention);
    let text =
        with("# [topics.dead-state]   # 4, as long as dead, compacted", "[topics.dead-state]\nretention = \"7d\"");
    let told = faults(&text);
    let place = format!(
        "line {}: topics.dead-state.retention: 7d is shorter",
        line_of(&text, "retention = \"7d\"\n# [topics.events")
    );
    assert!(told.contains(&place) && told.contains("than topics.dead.retention, 30d"), "{told}");
}

#[test]
fn when_dead_letters_stop_a_bucket_is_set_per_link() {
    let key = "# too_many_dead_letters = { window = \"10m\", letters = 100, share = 50 }";
    let of = |text: &str| Config::parse(text, &none()).unwrap().links[0].too_many_dead_letters;
    assert_eq!(of(EXAMPLE), of(&with(key, &key[2..])), "the example shows the default");
    let set = of(&with(key, "too_many_dead_letters = { letters = 7, share = 10 }"));
    assert_eq!((set.letters, set.share, set.window), (7, 0.1, of(EXAMPLE).window));
    let told = faults(&with(key, "too_many_dead_letters = { letter = 7, share = 0 }"));
    assert!(told.contains("links[0].too_many_dead_letters.letter: unknown key"), "{told}");
    assert!(told.contains("share: 0 is not between 1 and 100"), "{told}");
}

#[test]
fn settings_that_guarantees_rest_on_are_not_the_operators() {
    let told = faults(&with("# \"socket.keepalive.enable\" = \"true\"", "acks = 1"));
    assert!(told.contains("clusters.main.properties.acks: it cannot be set"), "{told}");
}

#[test]
fn how_long_silence_and_writes_last_is_bounded() {
    let text = with("# session_timeout = \"10s\"", "session_timeout = \"3s\"").replacen(
        "# write_expiry = \"10s\"",
        "write_expiry = \"2s\"",
        1,
    );
    let config = Config::parse(&text, &none()).unwrap();
    let (cluster, site) = (&config.clusters["main"], &config.sites[&SiteName::new("east").unwrap()]);
    assert_eq!([cluster.session_timeout, site.write_expiry].map(|time| time.as_secs()), [3, 2]);
    for expiry in ["1500ms", "2h"] {
        let told = faults(&with("# write_expiry = \"10s\"", &format!("write_expiry = \"{expiry}\"")));
        assert!(told.contains("sites.east.write_expiry: it must be whole seconds"), "{told}");
    }
    let told = faults(&with("# session_timeout = \"10s\"", "session_timeout = \"500ms\""));
    assert!(told.contains("clusters.main.session_timeout: it must be between 1s and 30m"), "{told}");
}

#[test]
fn a_secret_is_never_told() {
    let config = Config::parse(&EXAMPLE.replace("change-me", "hunter2"), &none()).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn the_environment_gives_secrets_and_its_faults_are_told_by_name() {
    let environment = BTreeMap::from([
        ("TWINLOG_SITES__EAST__SECRET_KEY".to_owned(), "from-env".to_owned()),
        ("TWINLOG_TOPICS__LANES".to_owned(), "2".to_owned()),
    ]);
    let config = Config::parse(&with("secret_key = \"change-me\"", ""), &environment).unwrap();
    assert_eq!(config.sites[&SiteName::new("east").unwrap()].secret_key.reveal(), "from-env");
    assert_eq!(config.topics.lanes, 2);
    let environment = BTreeMap::from([("TWINLOG_TOPICS__LANE".to_owned(), "2".to_owned())]);
    let told = Config::parse(EXAMPLE, &environment).unwrap_err().to_string();
    assert!(told.contains("environment variable TWINLOG_TOPICS__LANE: topics.lane: unknown key"), "{told}");
}

#[test]
fn not_toml_is_told_with_its_line() {
    assert!(faults("state_dir = \n[topics\n").contains("line 1: not TOML"));
}

/// The receivers of the example, written out.
fn receivers() -> String {
    EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(code) if code.starts_with("[notifier.") || code.starts_with("  ") => code.trim(),
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_receivers_of_the_example_are_valid_and_their_secrets_are_not_shown() {
    let config = Config::parse(&receivers(), &none()).unwrap();
    let pager = &config.notifier.webhooks["pager"];
    assert_eq!(pager.give_up_after, Duration::from_secs(86_400));
    assert_eq!(config.notifier.alertmanagers["main"].repeat, Duration::from_secs(60));
    let shown = format!("{config:?}");
    assert!(!shown.contains("change-me") && !shown.contains("pager.example"), "{shown}");
}

#[test]
fn receivers_that_cannot_be_reached_or_trusted_are_refused_without_showing_them() {
    let text = receivers()
        .replace("https://pager.example/twinlog", "https://me:hunter2@pager.example")
        .replace("change-me-change-me", "short")
        .replace("webhooks.pager", "webhooks.Pager")
        .replace("repeat = \"1m\"", "repeat = \"1ms\"");
    let told = faults(&text);
    for expected in [
        "notifier.webhooks.Pager.url: it is not an address",
        "notifier.webhooks.Pager.secret: it has fewer than 16 characters",
        "notifier.webhooks.Pager: ",
        "notifier.alertmanagers.main.repeat: it is shorter than a second",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert!(!told.contains("hunter2") && !told.contains("short\""), "{told}");
}

#[test]
fn buckets_choose_links_and_inline_limits() {
    let text = with("# buckets = [\"*\"]", "buckets = [\"photos-*\"]")
        .replace("# [buckets.photos]", "[buckets.photos-raw]")
        .replace("# inline_max_bytes = 0", "inline_max_bytes = 0");
    let config = Config::parse(&text, &none()).unwrap();
    let (east, west) = (SiteName::new("east").unwrap(), SiteName::new("west").unwrap());
    let bucket = |name: &str| BucketName::new(name).unwrap();
    assert_eq!(config.inline_max(&east, &bucket("photos-raw")), 0);
    assert_eq!(config.inline_max(&east, &bucket("photos-new")), 16_384);
    assert_eq!(config.inline_max(&east, &bucket("letters")), 0);
    assert_eq!(config.links_of(&bucket("letters")).map(LinkConfig::name).collect::<Vec<_>>(), ["west>east"]);
    assert_eq!(config.links_into(&west).count(), 1);
}
