//! `./justw up`: a pair of sites for people to play with. Starts everything, leaves it running, and says where it is.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use twinlog_tests::{
    deployment::twinlog,
    lab_error::LabError,
    pair::{Pair, PairOptions, client},
    server::{Life, StoreKind},
    session::{Environment, make, recorded, sweep},
    site::Site,
    store_choice::StoreArgs,
};

/// Start a pair of active-active sites and leave it running.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// The bucket that is made at both sites, with versioning and object lock, and replicated.
    #[arg(long, default_value = "demo")]
    bucket: String,
    /// Where everything goes.
    #[arg(long, default_value = ".twinlog")]
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match up(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("up: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn up(args: Args) -> Result<(), LabError> {
    let folder = std::path::absolute(&args.folder).map_err(LabError::io("finding the folder"))?;
    let kind = args.store.chosen()?;
    vacant(&folder)?;
    make(&folder).map_err(LabError::io(format!("making {}", folder.display())))?;
    let options = PairOptions { kind, folder: folder.clone(), bucket: args.bucket, life: Life::Session, wired: false };
    let started = tokio::select! {
        started = Box::pin(Pair::start(options, |what| println!("{what}"))) => started,
        // What has been started so far is ended as it is let go.
        () = stopped() => {
            sweep(&folder).map_err(LabError::io(format!("removing {}", folder.display())))?;
            return Err(LabError::Page { url: folder.display().to_string(), why: "stopped; nothing is left of it".to_owned() });
        }
    };
    let environment = match started {
        Ok(pair) => leave(pair)?,
        Err(error) => {
            eprintln!("up: logs are in {}", folder.display());
            return Err(error);
        }
    };
    environment.write(&folder).map_err(LabError::io(format!("writing {}", folder.join("env").display())))?;
    tell(kind, &folder, &environment);
    Ok(())
}

/// Waits for Ctrl-C, or to be asked to end.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(error) => {
            eprintln!("up: SIGTERM will not be heard: {error}");
            std::future::pending().await
        }
    }
}

/// Refuses where a pair runs there already; what a dead one left is swept away.
fn vacant(folder: &std::path::Path) -> Result<(), LabError> {
    let refuse = |why: String| LabError::Page { url: folder.display().to_string(), why };
    let environment = Environment::read(folder).map_err(LabError::io(format!("reading {}", folder.display())))?;
    let running = environment.map(|environment| recorded(&environment, folder)).unwrap_or_default();
    if let Some(process) = running.first() {
        let (many, pid) = (running.len(), process.pid);
        return Err(refuse(format!(
            "a pair is up already ({many} processes run, e.g. {pid}): end it with ./justw down first"
        )));
    }
    sweep(folder).map_err(LabError::io(format!("removing {}", folder.display())))
}

/// Lets go of the processes and writes down where they are. If one died in between, none is left behind.
fn leave(mut pair: Pair) -> Result<Environment, LabError> {
    let client = client();
    let deployment = &pair.deployment;
    let [east, west] = Site::BOTH;
    let environment = Environment::default()
        .with("EAST", pair.stores[0].endpoint())
        .with("WEST", pair.stores[1].endpoint())
        .with("ACCESS_KEY", &client.access_key)
        .with("SECRET_KEY", &client.secret_key)
        .with("BUCKET", &pair.bucket)
        .with("KAFKA", pair.kafka.brokers())
        .with("TWINLOG", twinlog()?.display())
        .with("CONFIG", deployment.config().display())
        .with("METRICS_EAST", deployment.metrics_url(east))
        .with("METRICS_WEST", deployment.metrics_url(west))
        .with("KAFKA_PID", pair.kafka.process()?.pid());
    for store in &mut pair.stores {
        store.process()?;
    }
    let [twinlog_east, twinlog_west] = pair.deployment.detach()?;
    let [store_east, store_west] = pair.stores;
    pair.kafka.detach()?;
    Ok(environment
        .with("STORE_EAST_PID", store_east.detach()?)
        .with("STORE_WEST_PID", store_west.detach()?)
        .with("TWINLOG_EAST_PID", twinlog_east)
        .with("TWINLOG_WEST_PID", twinlog_west))
}

fn tell(kind: StoreKind, folder: &std::path::Path, environment: &Environment) {
    let value = |name: &str| environment.get(name).unwrap_or_default().to_owned();
    println!(
        "
Both sites are ready: two {kind} stores, Kafka, and Twinlog beside each store.
  east   {east}    west   {west}    bucket {bucket}, versioned, with object lock
  client ACCESS_KEY={access}  SECRET_KEY={secret}

Where everything is stands in {folder}/env. Try (curl 7.88 or newer):
  . {folder}/env
  s3() {{ curl -sS --user \"$ACCESS_KEY:$SECRET_KEY\" --aws-sigv4 aws:amz:us-east-1:s3 \\
    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \"$@\"; }}
  echo hello > hello.txt
  s3 -T hello.txt \"$EAST/$BUCKET/hello.txt\"        # write at one site
  s3 \"$WEST/$BUCKET/hello.txt\"                     # read at the other, a moment later
  s3 -X DELETE \"$WEST/$BUCKET/hello.txt\"           # delete there; it is gone here too
  s3 \"$EAST/$BUCKET?versions=\"                     # every version, at either site
or with the AWS command line:
  AWS_ACCESS_KEY_ID=$ACCESS_KEY AWS_SECRET_ACCESS_KEY=$SECRET_KEY aws --endpoint-url $EAST s3 ls $BUCKET
Twinlog itself:
  \"$TWINLOG\" doctor --config \"$CONFIG\"
  curl -s $METRICS_EAST | grep lag
  kill -9 $TWINLOG_EAST_PID                        # then: \"$TWINLOG\" run --at east --config \"$CONFIG\"
End it all with ./justw down",
        east = value("EAST"),
        west = value("WEST"),
        bucket = value("BUCKET"),
        access = value("ACCESS_KEY"),
        secret = value("SECRET_KEY"),
        folder = folder.display(),
    );
}
