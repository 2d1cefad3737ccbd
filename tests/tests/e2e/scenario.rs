//! How a scenario runs on every store.

use std::future::Future;

use twinlog_tests::{
    lab::{Stage, StageOptions},
    lab_error::LabError,
    server::StoreKind,
};

/// What a scenario may fail with; the message is what a person reads.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// How a scenario ends.
pub type Outcome = Result<(), Failure>;

/// Declares scenarios, each an `async fn(&mut Stage) -> Outcome` of the enclosing module, as tests on every store.
macro_rules! scenarios {
    ($($name:ident $(($options:expr))?),* $(,)?) => {
        mod rustfs {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let options = ($($options,)? twinlog_tests::lab::StageOptions::default()).0;
                crate::scenario::run(twinlog_tests::server::StoreKind::RustFs, stringify!($name), options, async |stage| super::$name(stage).await).await;
            })*
        }
        mod minio {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let options = ($($options,)? twinlog_tests::lab::StageOptions::default()).0;
                crate::scenario::run(twinlog_tests::server::StoreKind::MinIo, stringify!($name), options, async |stage| super::$name(stage).await).await;
            })*
        }
    };
}
pub(crate) use scenarios;

/// Runs one scenario with Twinlog at both sites; a failure is told with what both logged last.
pub async fn run<F>(kind: StoreKind, name: &str, options: StageOptions, scenario: F)
where
    F: AsyncFnOnce(&mut Stage) -> Outcome,
{
    on(kind, Stage::start(kind, name, options), scenario).await;
}

/// As [`run`], but nothing is enabled and Twinlog does not run yet.
pub async fn run_prepared<F>(kind: StoreKind, name: &str, options: StageOptions, scenario: F)
where
    F: AsyncFnOnce(&mut Stage) -> Outcome,
{
    on(kind, Stage::prepare(kind, name, options), scenario).await;
}

async fn on<F>(kind: StoreKind, stage: impl Future<Output = Result<Stage, LabError>>, scenario: F)
where
    F: AsyncFnOnce(&mut Stage) -> Outcome,
{
    if let Err(missing) = kind.found() {
        println!("not run: {missing}");
        return;
    }
    let mut stage = match stage.await {
        Ok(stage) => stage,
        Err(error) => panic!("the stage was not set: {error}"),
    };
    if let Err(failure) = scenario(&mut stage).await {
        panic!("{failure}\n{}", stage.logs());
    }
}
