//! Replica writes are silent; a client's write on the same key is not. Seen at the fast door, where the store has one.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;

use crate::memory::ClientPut;

use super::bench::{Bench, Failure, Outcome, SAMPLE_NS, bare, ensure, tags};

pub(super) async fn replica_writes_raise_no_notice(bench: &Bench) -> Outcome {
    let bucket = bench.bucket()?;
    bench.site.subscribe(&bucket).await?;
    let Some(mut notices) = bench.site.listen(std::slice::from_ref(&bucket)).await? else { return Ok(()) };
    let version = bench.fresh("silence/replica")?;
    bench.put_absent(&bare(&version, b"x"), b"x").await?;
    bench.site.put_tags(&version, &tags(&[("a", "1")])).await?;
    bench.site.remove_version(&version, false, None).await?;
    bench.site.put_marker(&version, SAMPLE_NS).await?;
    let null = bench.null("silence/null")?;
    bench.put_absent(&bare(&null, b"x"), b"x").await?;
    bench.site.remove_version(&null, false, None).await?;
    let heard = bench.fresh("silence/client")?;
    let put = ClientPut { body: Bytes::from_static(b"heard"), ..ClientPut::default() };
    bench.client.put(&heard.bucket, &heard.key, &put).await?;
    let first = tokio::time::timeout(Duration::from_secs(20), notices.next())
        .await
        .map_err(|_| Failure("the client's write was not heard within 20 s".to_owned()))?
        .ok_or_else(|| Failure("the stream of notices ended".to_owned()))??;
    let said = String::from_utf8_lossy(&first);
    ensure!(said.contains("silence%2Fclient"), "the first notice should be the client's, but is {said}");
    Ok(())
}
