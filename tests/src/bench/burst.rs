//! A burst of small objects from many clients: how many a second are written, and how many arrive.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_s3::primitives::ByteStream;

use super::small;
use crate::{compare::Bucket, lab_error::LabError, refused::Refused};

const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks at the target.
const LOOK: Duration = Duration::from_millis(100);

/// What is written, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    /// The folder in the bucket, a name of its own for each burst.
    pub(super) folder: &'static str,
    /// Objects in all.
    pub(super) objects: usize,
    /// Clients that write them beside each other.
    pub(super) clients: usize,
}

impl Burst {
    fn key(self, number: usize) -> String {
        format!("{}/{number:08}", self.folder)
    }
}

/// Writes the objects and returns how many were written per second.
pub(super) async fn write(bucket: &Bucket, burst: Burst) -> Result<f64, LabError> {
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let client = || {
        let (bucket, next) = (bucket.clone(), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= burst.objects {
                    return Ok::<(), Refused>(());
                }
                let put = bucket.client.put_object().bucket(&bucket.name).key(burst.key(number));
                put.body(ByteStream::from(small(number))).send().await.map_err(Refused::doing("PUT of a burst"))?;
            }
        })
    };
    let writing: Vec<_> = (0..burst.clients).map(|_| client()).collect();
    for client in writing {
        let gone =
            |error: tokio::task::JoinError| LabError::Page { url: "a client".to_owned(), why: error.to_string() };
        client.await.map_err(gone)??;
    }
    Ok(burst.objects as f64 / began.elapsed().as_secs_f64())
}

/// Writes the objects; returns how many were written per second, and how many arrived per second until the last did.
pub(super) async fn measure(between: &[Bucket; 2], burst: Burst) -> Result<(f64, Option<f64>), LabError> {
    let [source, target] = between;
    let began = Instant::now();
    let (written, ()) = futures::try_join!(write(source, burst), all_arrived(target, burst))?;
    Ok((written, Some(burst.objects as f64 / began.elapsed().as_secs_f64())))
}

/// Waits until so many objects of a burst are there. They arrive nearly in order, and a listing is much work for a
/// store that is busy: so the last one is waited for, and only then is listed what may be missing before it.
async fn all_arrived(target: &Bucket, burst: Burst) -> Result<(), LabError> {
    let until = Instant::now() + PATIENCE;
    let objects = burst.objects;
    let last = burst.key(objects.saturating_sub(1));
    while !target.has(&last).await? && Instant::now() < until {
        tokio::time::sleep(LOOK).await;
    }
    let mut complete = 0_usize;
    loop {
        let after = complete.checked_sub(1).map(|last| burst.key(last));
        let list = target
            .client
            .list_objects_v2()
            .bucket(&target.name)
            .prefix(format!("{}/", burst.folder))
            .set_start_after(after);
        let page = list.send().await.map_err(Refused::doing("listing a burst"))?;
        let before = complete;
        for object in page.contents() {
            if object.key() != Some(&burst.key(complete)) {
                break;
            }
            complete += 1;
        }
        if complete == objects {
            return Ok(());
        }
        if Instant::now() > until {
            let last = format!("{complete} of {objects} without a gap");
            return Err(LabError::NotInTime { what: "a burst did not arrive".to_owned(), within: PATIENCE, last });
        }
        // A full page means that more is there already.
        if complete - before < 1000 {
            tokio::time::sleep(LOOK).await;
        }
    }
}
