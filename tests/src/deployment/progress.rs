//! How far Twinlog's topics are: what was written, and what was done of it, from offsets alone.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::OwnedMessage,
};
use twinlog_schemas::{
    ChangeEvent, Fact, Receipt,
    codec::{Codec, DecodeError},
};

use super::{letters::Letter, records};
use crate::{lab_error::LabError, site::Site};

const PATIENCE: Duration = Duration::from_secs(10);

/// Records that are not committed as done, by group and topic. Done ones above the lowest pending count as waiting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog(pub BTreeMap<(String, String), i64>);

impl Backlog {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.0.values().sum()
    }

    /// What waits of topics whose names end so.
    #[must_use]
    pub fn of(&self, ending: &str) -> i64 {
        self.0.iter().filter(|((_, topic), _)| topic.ends_with(ending)).map(|(_, waiting)| waiting).sum()
    }

    /// What waits on the way from a site to the other: its notices and its change events.
    #[must_use]
    pub fn from(&self, source: Site) -> i64 {
        let ours = |topic: &str| {
            topic.ends_with(&format!(".notices.{source}")) || topic.contains(&format!(".changes.{source}."))
        };
        self.0.iter().filter(|((_, topic), _)| ours(topic)).map(|(_, waiting)| waiting).sum()
    }
}

impl fmt::Display for Backlog {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} records wait", self.total())?;
        for ((group, topic), waiting) in self.0.iter().filter(|(_, waiting)| **waiting > 0) {
            write!(to, "; {waiting} of {topic} for {group}")?;
        }
        Ok(())
    }
}

/// Asks a broker about the topics under one prefix. Cheap to clone.
#[derive(Clone)]
pub struct Progress {
    brokers: String,
    prefix: String,
    /// One client per group, kept: making one costs a connection.
    clients: Arc<Mutex<HashMap<String, Arc<BaseConsumer>>>>,
}

impl Progress {
    /// Connects at the first question.
    #[must_use]
    pub fn new(brokers: &str, prefix: &str) -> Self {
        Self { brokers: brokers.to_owned(), prefix: prefix.to_owned(), clients: Arc::default() }
    }

    /// Where each topic ends: the number of records that were ever written, by topic.
    ///
    /// # Errors
    /// Where the broker does not answer.
    pub async fn written(&self) -> Result<BTreeMap<String, i64>, LabError> {
        let this = self.clone();
        elsewhere("where topics end", move || {
            let client = this.client("look")?;
            let ends = this.ends(&client, |_| true)?;
            Ok(ends.into_iter().map(|(topic, ends)| (topic, ends.iter().map(|(_, next)| next).sum())).collect())
        })
        .await
    }

    /// How many records were ever written to the topics of this name, e.g. `dead.west`.
    ///
    /// # Errors
    /// Where the broker does not answer.
    pub async fn written_to(&self, name: &str) -> Result<i64, LabError> {
        let topic = format!("{}.{name}", self.prefix);
        Ok(self.written().await?.get(&topic).copied().unwrap_or(0))
    }

    /// The dead letters of a site.
    ///
    /// # Errors
    /// Where the broker does not answer.
    pub async fn letters(&self, site: Site) -> Result<Vec<Letter>, LabError> {
        Ok(self.records(&format!("dead.{site}")).await?.iter().map(Letter::of).collect())
    }

    /// The change events of a bucket that were captured at a site, in the order of each key.
    ///
    /// # Errors
    /// Where the broker does not answer, or a record is no change event.
    pub async fn changes(&self, site: Site, bucket: &str) -> Result<Vec<ChangeEvent>, LabError> {
        self.decoded(format!("changes.{site}.{bucket}"), |codec, bytes| codec.decode_change(bytes)).await
    }

    /// The facts that a site has said, in the order of each key.
    ///
    /// # Errors
    /// Where the broker does not answer, or a record is no fact.
    pub async fn facts(&self, site: Site) -> Result<Vec<Fact>, LabError> {
        self.decoded(format!("facts.{site}"), |codec, bytes| codec.decode_fact(bytes)).await
    }

    /// The receipts of the writes into a site, in the order of each key.
    ///
    /// # Errors
    /// Where the broker does not answer, or a record is no receipt.
    pub async fn receipts(&self, site: Site) -> Result<Vec<Receipt>, LabError> {
        self.decoded(format!("receipts.{site}"), |codec, bytes| codec.decode_receipt(bytes)).await
    }

    async fn decoded<T>(
        &self,
        name: String,
        decode: impl Fn(&Codec, &[u8]) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, LabError> {
        let no_record = |why: String| LabError::Page { url: format!("a record of {name}"), why };
        let codec = Codec::new().map_err(|error| no_record(error.to_string()))?;
        let records = self.records(&name).await?;
        let decoded = records.iter().filter_map(Message::payload).map(|bytes| decode(&codec, bytes));
        decoded.collect::<Result<_, _>>().map_err(|error| no_record(error.to_string()))
    }

    /// All records of the topic of this name that stand in it now, e.g. of `receipts.west`; none where it is not there.
    /// Not for compacted topics.
    ///
    /// # Errors
    /// Where the broker does not answer.
    pub async fn records(&self, name: &str) -> Result<Vec<OwnedMessage>, LabError> {
        let (this, name) = (self.clone(), format!("{}.{name}", self.prefix));
        elsewhere("for all records of a topic", move || {
            let ends = this.ends(&*this.client("look")?, |topic| topic == name)?;
            ends.get(&name).map_or(Ok(Vec::new()), |ends| records::read(&this.brokers, &name, ends))
        })
        .await
    }

    /// What is not done of notices, change events and facts.
    ///
    /// # Errors
    /// Where the broker does not answer.
    pub async fn backlog(&self) -> Result<Backlog, LabError> {
        let this = self.clone();
        elsewhere("what groups have committed", move || {
            let mut backlog = Backlog::default();
            let read = |topic: &str| [".notices.", ".changes.", ".facts."].iter().any(|kind| topic.contains(kind));
            let ends = this.ends(&*this.client("look")?, read)?;
            for site in Site::BOTH {
                let (capture, apply) =
                    (format!("{}.{site}.capture", this.prefix), format!("{}.{site}.apply", this.prefix));
                let notices = format!("{}.notices.{site}", this.prefix);
                let changes = format!("{}.changes.{}.", this.prefix, site.other());
                let facts = format!("{}.facts.", this.prefix);
                let captured = |topic: &str| topic == notices;
                let applied = |topic: &str| topic.starts_with(&changes) || topic.starts_with(&facts);
                this.waiting(&mut backlog, &capture, &ends, captured)?;
                this.waiting(&mut backlog, &apply, &ends, applied)?;
            }
            Ok(backlog)
        })
        .await
    }

    /// Deletes every topic under the prefix.
    ///
    /// # Errors
    /// Where the broker does not answer, or refuses.
    pub async fn delete_all(&self) -> Result<(), LabError> {
        let written = self.written().await?;
        let names: Vec<&str> = written.keys().map(String::as_str).collect();
        if names.is_empty() {
            return Ok(());
        }
        let failed = |error| LabError::Kafka { what: "to delete topics".to_owned(), error };
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &self.brokers).create().map_err(failed)?;
        let results = admin.delete_topics(&names, &AdminOptions::new()).await.map_err(failed)?;
        results.into_iter().try_for_each(|result| match result {
            Ok(_) => Ok(()),
            Err((_, code)) => Err(failed(KafkaError::AdminOp(code))),
        })
    }

    fn client(&self, group: &str) -> Result<Arc<BaseConsumer>, KafkaError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(group) {
            return Ok(Arc::clone(client));
        }
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "500")
            .create()?;
        let client = Arc::new(client);
        clients.insert(group.to_owned(), Arc::clone(&client));
        Ok(client)
    }

    /// First and next offset of every partition of those of our topics that are wanted.
    fn ends(
        &self,
        client: &BaseConsumer,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<BTreeMap<String, Vec<(i64, i64)>>, KafkaError> {
        let metadata = client.fetch_metadata(None, PATIENCE)?;
        let ours = format!("{}.", self.prefix);
        let topics = metadata.topics().iter().filter(|topic| topic.name().starts_with(&ours) && wanted(topic.name()));
        let all: Vec<(&str, i32)> = topics
            .flat_map(|topic| topic.partitions().iter().map(|partition| (topic.name(), partition.id())))
            .collect();
        let (first, next) = (offsets(client, &all, Offset::Beginning)?, offsets(client, &all, Offset::End)?);
        let mut ends: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
        for (at, marks) in all.into_iter().zip(first.into_iter().zip(next)) {
            ends.entry(at.0.to_owned()).or_default().push(marks);
        }
        Ok(ends)
    }

    /// Adds what a group has not done of the topics that it reads.
    fn waiting(
        &self,
        backlog: &mut Backlog,
        group: &str,
        ends: &BTreeMap<String, Vec<(i64, i64)>>,
        reads: impl Fn(&str) -> bool,
    ) -> Result<(), KafkaError> {
        let ends: Vec<_> = ends.iter().filter(|(topic, _)| reads(topic)).collect();
        if ends.is_empty() {
            return Ok(());
        }
        let mut asked = TopicPartitionList::new();
        for (topic, ends) in &ends {
            for (at, _) in (0..).zip(ends.iter()) {
                asked.add_partition(topic, at);
            }
        }
        let committed = self.client(group)?.committed_offsets(asked, PATIENCE)?;
        for (topic, ends) in ends {
            let waiting = (0..).zip(ends).map(|(at, (first, next))| {
                let done = match committed.find_partition(topic, at).map(|found| found.offset()) {
                    Some(Offset::Offset(offset)) => offset.max(*first),
                    _ => *first,
                };
                (next - done).max(0)
            });
            backlog.0.insert((group.to_owned(), topic.clone()), waiting.sum());
        }
        Ok(())
    }
}

/// The first or next offsets of partitions, asked for all at once: what stands for an end is a time to Kafka (ListOffsets:
/// -2 is the earliest, -1 the latest).
fn offsets(client: &BaseConsumer, all: &[(&str, i32)], end: Offset) -> Result<Vec<i64>, KafkaError> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut asked = TopicPartitionList::new();
    for (topic, partition) in all {
        asked.add_partition_offset(topic, *partition, end)?;
    }
    let told = client.offsets_for_times(asked, PATIENCE)?;
    let of = |(topic, partition): &(&str, i32)| {
        let told = told.find_partition(topic, *partition);
        told.ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownPartition)).and_then(|told| {
            told.error()?;
            told.offset().to_raw().ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::Fail))
        })
    };
    all.iter().map(of).collect()
}

/// librdkafka's questions block.
async fn elsewhere<T: Send + 'static>(
    what: &str,
    ask: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, LabError> {
    let what = what.to_owned();
    match tokio::task::spawn_blocking(ask).await {
        Ok(answer) => answer.map_err(|error| LabError::Kafka { what, error }),
        Err(error) => Err(LabError::Page { url: what, why: error.to_string() }),
    }
}
