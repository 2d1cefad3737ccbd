//! A short chaos on each store: everything at once, and 0 differences. `./justw chaos` for as long as wanted.

use std::time::Duration;

use twinlog_tests::{
    server::StoreKind,
    soak::{Soak, Sort, run},
};

/// Enough for a few troubles and a dozen disturbances.
const ACTS: u64 = 160;

/// Scenario: one round of one seed. Guarantees: the sites are equal after it, by two comparers, and no change is dead but
/// for a lock.
async fn one_round(kind: StoreKind) {
    if let Err(missing) = kind.found() {
        println!("not run: {missing}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let soak = Soak {
        sort: Sort::Chaos,
        kind,
        folder: folder.path().to_owned(),
        seed: 1,
        acts: ACTS,
        lasting: Duration::ZERO,
    };
    if let Err(failed) = Box::pin(run(&soak, |line| println!("{line}"))).await {
        panic!("logs are kept in {}: {failed}", folder.keep().display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rustfs() {
    one_round(StoreKind::RustFs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn minio() {
    one_round(StoreKind::MinIo).await;
}
