//! Understanding dead letters: by their headers, without decoding what they carry.

use twinlog_dead::header::{BUCKET, MESSAGE, OFFSET, PARTITION, REASON, SOURCE, TOPIC};
use twinlog_log::{Fetched, TopicName, Topics};
use twinlog_schemas::{ExampleTold, SiteName};

use crate::s3_reason;
use crate::signal::{Change, Said, Signal};
use crate::subject::{Kind, Subject};

/// What a dead letter says. `sources` are the sites whose changes are applied `here`.
pub(crate) fn signal(letter: &Fetched, here: &SiteName, topics: &Topics, sources: &[SiteName]) -> Signal {
    let header = |name: &str| String::from_utf8_lossy(letter.headers.last(name).unwrap_or_default()).into_owned();
    let (mut source, mut bucket) = (header(SOURCE), header(BUCKET));
    if source.is_empty() {
        // One that could not be decoded: its topic's name says whose it is.
        let of = |site: &SiteName| Some((site.to_string(), topics.bucket_of_changes(site, &topic(&header(TOPIC))?)?));
        if let Some((site, named)) = sources.iter().find_map(of) {
            (source, bucket) = (site, named.to_string());
        }
    }
    let (reason, message) = (header(REASON), header(MESSAGE));
    let failure_reason = s3_reason::of_letter(&reason, &message, here);
    let example = ExampleTold {
        at: format!("{}/{}/{}", header(TOPIC), header(PARTITION), header(OFFSET)),
        key: key(letter, &bucket),
        message: Some(message),
    };
    Signal {
        subject: Subject { kind: Kind::DeadLetters, source, bucket, reason },
        change: Change::Begun,
        at_ms: letter.timestamp_ms.unwrap_or(0),
        count: 1,
        said: Said { failure_reason, example: Some(example), ..Said::default() },
    }
}

fn topic(name: &str) -> Option<TopicName> {
    TopicName::new(name).ok()
}

/// The object key: a change event's record key is `bucket/key`, a fact's `bucket`, `key` and more, separated by NUL.
fn key(letter: &Fetched, bucket: &str) -> Option<String> {
    let record = String::from_utf8_lossy(letter.key.as_deref()?).into_owned();
    let rest = record.strip_prefix(bucket).filter(|_| !bucket.is_empty())?;
    let of_event = rest.strip_prefix('/').map(str::to_owned);
    let of_fact = || rest.strip_prefix('\0').and_then(|rest| rest.split('\0').next()).map(str::to_owned);
    of_event.or_else(of_fact)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;
    use twinlog_log::{Headers, Position, TopicPartition};

    use super::*;

    fn letter(headers: &[(&str, &str)], key: &[u8]) -> Fetched {
        let headers = headers.iter().fold(Headers::default(), |all, (name, value)| all.with(*name, value.to_string()));
        let partition = TopicPartition { topic: TopicName::new("twinlog.dead.west").unwrap(), partition: 1 };
        Fetched {
            position: Position { partition, offset: 4 },
            key: Some(key.to_vec().into()),
            value: None,
            headers,
            timestamp_ms: Some(77),
        }
    }

    fn read(letter: &Fetched) -> Signal {
        let site = |name: &str| SiteName::new(name).unwrap();
        signal(letter, &site("west"), &Topics::new("twinlog").unwrap(), &[site("north"), site("east")])
    }

    #[test]
    fn a_letter_is_grouped_by_its_headers() {
        let at = [(TOPIC, "twinlog.changes.east.photos"), (PARTITION, "3"), (OFFSET, "41")];
        let told = [(SOURCE, "east"), (BUCKET, "photos"), (REASON, "digest"), (MESSAGE, "broken")];
        let signal = read(&letter(&[at.as_slice(), &told].concat(), b"photos/a/b.jpg"));
        assert_eq!((signal.subject.source.as_str(), signal.subject.bucket.as_str()), ("east", "photos"));
        assert_eq!((signal.subject.reason.as_str(), signal.at_ms), ("digest", 77));
        let example = signal.said.example.unwrap();
        assert_eq!(example.at, "twinlog.changes.east.photos/3/41");
        assert_eq!((example.key.as_deref(), example.message.as_deref()), (Some("a/b.jpg"), Some("broken")));
    }

    #[test]
    fn a_facts_key_and_one_that_says_nothing_are_read_too() {
        let fact = letter(&[(SOURCE, "east"), (BUCKET, "photos"), (REASON, "digest")], b"photos\0a/b\0v1\0stamp");
        assert_eq!(read(&fact).said.example.unwrap().key.as_deref(), Some("a/b"));
        let nonsense = letter(&[(REASON, "not-avro"), (TOPIC, "twinlog.changes.east.photos")], b"k");
        let signal = read(&nonsense);
        assert_eq!((signal.subject.source.as_str(), signal.subject.bucket.as_str()), ("east", "photos"));
        assert_eq!(signal.said.example.unwrap().key, None);
    }

    proptest! {
        #[test]
        fn no_letter_makes_it_panic(key in proptest::collection::vec(any::<u8>(), 0..40), bucket in ".*", topic in ".*") {
            read(&letter(&[(BUCKET, &bucket), (TOPIC, &topic)], &key));
        }
    }
}
