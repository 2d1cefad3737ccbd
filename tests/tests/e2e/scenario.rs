//! How a scenario runs on every store.

use std::{future::Future, time::Instant};

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
/// `running` ones find Twinlog at work at both sites, `prepared` ones nothing but the buckets, and `over_tls` ones the
/// same on stores that are served over TLS. Where a scenario wants other stage options than the default, they follow in
/// brackets.
macro_rules! scenarios {
    ($how:ident: $($name:ident $(($options:expr))?),* $(,)?) => {
        mod rustfs {
            crate::scenario::scenarios!(@on RustFs, $how: $($name $(($options))?),*);
        }
        mod minio {
            crate::scenario::scenarios!(@on MinIo, $how: $($name $(($options))?),*);
        }
    };
    (@on $kind:ident, $how:ident: $($name:ident $(($options:expr))?),*) => {
        #[allow(unused_imports, reason = "only some modules have options of their own")]
        use super::*;

        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (options, ..) = ($($options,)? twinlog_tests::lab::StageOptions::default(), ());
            let kind = twinlog_tests::server::StoreKind::$kind;
            crate::scenario::$how(kind, stringify!($name), options, async |stage| super::$name(stage).await).await;
        })*
    };
}
pub(crate) use scenarios;

/// Runs one scenario with Twinlog at both sites; a failure is told with what both logged last.
pub async fn running<F>(kind: StoreKind, name: &str, options: StageOptions, scenario: F)
where
    F: AsyncFnOnce(&mut Stage) -> Outcome,
{
    on(kind, Stage::start(kind, name, options), scenario).await;
}

/// As [`running`], but nothing is enabled and Twinlog does not run yet.
pub async fn prepared<F>(kind: StoreKind, name: &str, options: StageOptions, scenario: F)
where
    F: AsyncFnOnce(&mut Stage) -> Outcome,
{
    on(kind, Stage::prepare(kind, name, options), scenario).await;
}

/// As [`prepared`], on stores that are served over TLS.
pub async fn over_tls<F>(kind: StoreKind, name: &str, options: StageOptions, scenario: F)
where
    F: AsyncFnOnce(&mut Stage) -> Outcome,
{
    on(kind, Stage::prepare_over_tls(kind, name, options), scenario).await;
}

async fn on<F>(kind: StoreKind, stage: impl Future<Output = Result<Stage, LabError>>, scenario: F)
where
    F: AsyncFnOnce(&mut Stage) -> Outcome,
{
    if let Err(missing) = kind.found() {
        println!("not run: {missing}");
        return;
    }
    // On the heap: what the SDK builds is deep.
    let mut stage = match Box::pin(stage).await {
        Ok(stage) => stage,
        Err(error) => panic!("the stage was not set: {error}"),
    };
    let began = Instant::now();
    let outcome = Box::pin(scenario(&mut stage)).await;
    println!("{} took {:.1} s", stage.bucket, began.elapsed().as_secs_f64());
    if let Err(failure) = outcome {
        panic!("{}\n{}", stage.logs(), whole(&*failure));
    }
    if let Err(error) = stage.clear().await {
        panic!("the stage was not cleared: {error}");
    }
}

/// An error and all that caused it: the S3 client's own words are "service error".
fn whole(failure: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(failure), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
