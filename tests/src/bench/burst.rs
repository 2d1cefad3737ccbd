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
/// Between two looks at the target: each lists what arrived since, which is work for it too.
const LOOK: Duration = Duration::from_millis(200);

/// Writes the objects and returns how many were written per second.
pub(super) async fn write(bucket: &Bucket, objects: usize, clients: usize) -> Result<f64, LabError> {
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let client = || {
        let (bucket, next) = (bucket.clone(), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= objects {
                    return Ok::<(), Refused>(());
                }
                let put = bucket.client.put_object().bucket(&bucket.name).key(format!("burst/{number:08}"));
                put.body(ByteStream::from(small(number))).send().await.map_err(Refused::doing("PUT of a burst"))?;
            }
        })
    };
    let writing: Vec<_> = (0..clients).map(|_| client()).collect();
    for client in writing {
        let gone =
            |error: tokio::task::JoinError| LabError::Page { url: "a client".to_owned(), why: error.to_string() };
        client.await.map_err(gone)??;
    }
    Ok(objects as f64 / began.elapsed().as_secs_f64())
}

/// Writes the objects; returns how many were written per second, and how many arrived per second until the last did.
pub(super) async fn measure(between: &[Bucket; 2], objects: usize, clients: usize) -> Result<(f64, f64), LabError> {
    let [source, target] = between;
    let began = Instant::now();
    let (written, ()) = futures::try_join!(write(source, objects, clients), all_arrived(target, objects))?;
    Ok((written, objects as f64 / began.elapsed().as_secs_f64()))
}

/// Waits until so many objects of a burst are there. They arrive nearly in order, so each look begins where the ones
/// before it end.
async fn all_arrived(target: &Bucket, objects: usize) -> Result<(), LabError> {
    let until = Instant::now() + PATIENCE;
    let mut complete = 0_usize;
    loop {
        let after = complete.checked_sub(1).map(|last| format!("burst/{last:08}"));
        let list = target.client.list_objects_v2().bucket(&target.name).prefix("burst/").set_start_after(after);
        let page = list.send().await.map_err(Refused::doing("listing a burst"))?;
        let before = complete;
        for object in page.contents() {
            if object.key() != Some(&format!("burst/{complete:08}")) {
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
