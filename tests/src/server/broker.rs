//! One Kafka broker that is its own controller (KRaft), with topics made only when asked for.

use std::{
    ffi::OsString,
    fs::DirEntry,
    io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use tokio::sync::OnceCell;

use super::{Life, Port, Process, ServerError, cache, ready::ready};

const START: Duration = Duration::from_secs(240);
/// Where a broker keeps its data, in its folder.
const DATA: &str = "data";
const STOP: Duration = Duration::from_secs(20);
/// Any one will do: every test broker is a cluster of its own.
const CLUSTER: &str = "dHdpbmxvZy10ZXN0cy0wMQ";

/// A further listener, of which the broker tells its clients another address: that of a proxy in front of it.
#[derive(Debug)]
pub struct Way {
    /// Where the broker listens.
    pub listens: Port,
    /// The `host:port` that clients are told who come by it.
    pub told: String,
}

/// A broker, its data kept across [`Kafka::stop`] and [`Kafka::start_again`] on the same port.
#[derive(Debug)]
pub struct Kafka {
    folder: PathBuf,
    life: Life,
    client: Port,
    _controller: Port,
    _ways: Vec<Way>,
    process: Option<Process>,
}

impl Kafka {
    /// Makes a broker with its data, configuration and log in `folder` and starts it; returns when it answers.
    ///
    /// # Errors
    /// [`ServerError`] where Kafka or Java is missing or the broker does not come up.
    pub async fn start(folder: &Path, life: Life) -> Result<Self, ServerError> {
        Self::start_with(folder, life, Vec::new()).await
    }

    /// As [`Kafka::start`], reached by further ways too.
    ///
    /// # Errors
    /// As there.
    pub async fn start_with(folder: &Path, life: Life, ways: Vec<Way>) -> Result<Self, ServerError> {
        let (client, controller) = (Port::free()?, Port::free()?);
        std::fs::create_dir_all(folder).map_err(ServerError::io(format!("making {}", folder.display())))?;
        write(&folder.join("server.properties"), properties(folder, &client, &controller, &ways))?;
        write(&folder.join("log4j2.properties"), include_str!("../../../infra/kafka/log4j2.properties"))?;
        let mut kafka =
            Self { folder: folder.to_owned(), life, client, _controller: controller, _ways: ways, process: None };
        kafka.format().await?;
        kafka.start_again().await?;
        Ok(kafka)
    }

    /// `host:port`, as clients want it.
    #[must_use]
    pub fn brokers(&self) -> String {
        self.client.address()
    }

    /// The broker's process.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] between a stop and a start.
    pub fn process(&mut self) -> Result<&mut Process, ServerError> {
        self.process.as_mut().ok_or_else(|| ServerError::NotRunning { name: "kafka".to_owned() })
    }

    /// Starts the broker after [`Kafka::stop`] or a kill: same port, same data.
    ///
    /// # Errors
    /// [`ServerError`] where it does not come up.
    pub async fn start_again(&mut self) -> Result<(), ServerError> {
        // A young generation that seldom fills: collecting it stops the broker, for seconds where many tests run.
        let mut command = self.java("-Xmx1g")?;
        command.args(["-Xmn512m", "kafka.Kafka", "server.properties"]);
        let mut process = Process::spawn("kafka", command, &self.folder.join("kafka.log"), self.life)?;
        let brokers = self.brokers();
        let outcome = ready(&mut process, START, async || answers(&brokers).await).await;
        self.process = Some(process);
        outcome
    }

    /// Stops the broker in good order, or kills it where that takes too long.
    ///
    /// # Errors
    /// [`ServerError::Io`] where the system refuses.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        if let Some(mut process) = self.process.take() {
            process.stop(STOP).await?;
        }
        Ok(())
    }

    /// Leaves the broker running when this process ends, and returns its process id.
    ///
    /// # Errors
    /// [`ServerError::NotRunning`] between a stop and a start.
    pub fn detach(mut self) -> Result<u32, ServerError> {
        self.process()?;
        self.process.take().map(Process::detach).ok_or_else(|| ServerError::NotRunning { name: "kafka".to_owned() })
    }

    /// Makes the data folder as Kafka's own tool makes it. That starts a Java of its own, and what it makes is the same for
    /// every broker of tests: it is run once, and its files are copied.
    async fn format(&self) -> Result<(), ServerError> {
        static MADE: OnceCell<Vec<(OsString, Vec<u8>)>> = OnceCell::const_new();
        let files = MADE
            .get_or_try_init(async || {
                self.run_format().await?;
                files(&self.data()).map_err(ServerError::io("reading what Kafka's tool made"))
            })
            .await?;
        let data = self.data();
        std::fs::create_dir_all(&data).map_err(ServerError::io(format!("making {}", data.display())))?;
        files.iter().try_for_each(|(name, content)| write(&data.join(name), content))
    }

    async fn run_format(&self) -> Result<(), ServerError> {
        let mut command = self.java("-Xmx128m")?;
        command.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", "server.properties"]);
        let mut command = tokio::process::Command::from(command);
        let output = command.kill_on_drop(true).output().await.map_err(ServerError::io("running java"))?;
        if output.status.success() {
            return Ok(());
        }
        let answer = [output.stdout, output.stderr].concat();
        Err(ServerError::Refused {
            what: "formatting Kafka's storage".to_owned(),
            answer: String::from_utf8_lossy(&answer).into_owned(),
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.join(DATA)
    }

    fn java(&self, heap: &str) -> Result<Command, ServerError> {
        let mut command = Command::new("java");
        command.current_dir(&self.folder).args([heap, "-XX:+UseSerialGC", "-Xshare:auto"]);
        if cfg!(debug_assertions) {
            // The first-tier compiler only: a broker of tests, which lives for minutes, starts twice as fast and stays
            // small. What `up`, `demo` and `bench` show is Kafka as it runs elsewhere.
            command.arg("-XX:TieredStopAtLevel=1");
        }
        command.args(["-Dlog4j2.configurationFile=log4j2.properties", "-cp"]).arg(cache::kafka_class_path()?);
        Ok(command)
    }
}

/// Whether a metadata request is answered and names a broker.
async fn answers(brokers: &str) -> Result<(), String> {
    tokio::net::TcpStream::connect(brokers).await.map_err(|error| error.to_string())?;
    let brokers = brokers.to_owned();
    let asking = tokio::task::spawn_blocking(move || {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "100")
            .create()?;
        client.fetch_metadata(None, Duration::from_secs(5)).map(|metadata| metadata.brokers().len())
    });
    match asking.await {
        Ok(Ok(0)) => Err("no broker is registered yet".to_owned()),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn properties(folder: &Path, client: &Port, controller: &Port, ways: &[Way]) -> String {
    let of_ways = |line: fn(usize, &Way) -> String| -> String {
        ways.iter().enumerate().map(|(at, way)| line(at, way)).collect()
    };
    let listeners = of_ways(|at, way| format!(",WAY{at}://{}", way.listens.address()));
    let advertised = of_ways(|at, way| format!(",WAY{at}://{}", way.told));
    let protocols = of_ways(|at, _| format!(",WAY{at}:PLAINTEXT"));
    let (client, controller) = (client.address(), controller.address());
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=PLAINTEXT://{client},CONTROLLER://{controller}{listeners}
advertised.listeners=PLAINTEXT://{client}{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# Dozens of clients connect at once, beside whatever else keeps the machine busy.
socket.listen.backlog.size=1000
# By default 128 MB of the heap; there is little to clean.
log.cleaner.dedupe.buffer.size=16777216
",
        data = folder.join(DATA).display(),
    )
}

/// The files of a folder that has no others in it.
fn files(folder: &Path) -> io::Result<Vec<(OsString, Vec<u8>)>> {
    let read = |entry: io::Result<DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name(), std::fs::read(entry.path())?))
    };
    std::fs::read_dir(folder)?.map(read).collect()
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), ServerError> {
    std::fs::write(path, content).map_err(ServerError::io(format!("writing {}", path.display())))
}
