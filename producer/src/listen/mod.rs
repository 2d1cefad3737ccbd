//! Listen: keeps the fast door open by holding the site's listen stream, and says how long it was deaf.
//!
//! What happens while not connected, and what the log does not take at once, is lost to this door: the sure door
//! brings it. So nothing here retries a notice, and nothing waits for one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use twinlog_log::backoff::{Backoff, Delays};
use twinlog_log::clock::Ids;
use twinlog_schemas::BucketName;
use twinlog_site::{NoticeStream, Site};

use crate::inbox::Inbox;
use crate::notice::{self, Door};

/// Waits between attempts to connect: deafness costs seconds of lag, so the longest is short.
const RECONNECT: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// Lines appended and not yet acknowledged; beyond, the stream is held back.
const MAX_IN_FLIGHT: usize = 1_024;
/// Of several processes beside a site, the one that owns this lane listens.
const LISTENING_LANE: i32 = 0;

/// The task that listens.
pub struct Listen {
    pub(crate) site: Arc<dyn Site>,
    pub(crate) inbox: Inbox,
    pub(crate) ids: Ids,
    pub(crate) buckets: watch::Receiver<BTreeSet<BucketName>>,
    pub(crate) lanes: watch::Receiver<BTreeSet<i32>>,
}

/// Why a connection ended.
enum Ended {
    /// What is to be listened to has changed, or is to be asked again.
    Changed,
    /// The store ended it, or an error did.
    Lost,
    /// The store has no stream: its fast door is a webhook.
    NoStream,
}

impl Listen {
    /// Listens until `stop`, whenever this process owns the lane that listens and there are buckets. Returns early
    /// where the store has no stream.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut delays = RECONNECT.delays(self.ids.seed());
        let mut deaf_since = Instant::now();
        loop {
            let buckets: Vec<BucketName> = self.buckets.borrow_and_update().iter().cloned().collect();
            let mine = self.lanes.borrow_and_update().contains(&LISTENING_LANE);
            let waits = async {
                if buckets.is_empty() || !mine {
                    let changed = changed(&mut self.buckets, &mut self.lanes).await;
                    // Whoever owned the lane until now has heard what there was.
                    deaf_since = Instant::now();
                    return if changed { Ended::Changed } else { Ended::NoStream };
                }
                self.connection(&buckets, &mut deaf_since, &mut delays).await
            };
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                ended = waits => ended,
            };
            self.inbox.observer.listening(false);
            match ended {
                Ended::NoStream => return,
                Ended::Changed => {}
                Ended::Lost => tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = delays.wait() => {}
                },
            }
        }
    }

    /// One connection, from the request to its end.
    async fn connection(&mut self, buckets: &[BucketName], deaf_since: &mut Instant, delays: &mut Delays) -> Ended {
        let mut lines = match self.site.listen(buckets).await {
            Ok(Some(lines)) => lines,
            Ok(None) => return Ended::NoStream,
            Err(error) => {
                tracing::warn!(%error, "fast door not open: trying again");
                return Ended::Lost;
            }
        };
        let deaf = deaf_since.elapsed();
        tracing::info!(buckets = buckets.len(), deaf_ms = deaf.as_millis(), "fast door open");
        self.inbox.observer.deaf(deaf);
        self.inbox.observer.listening(true);
        *delays = RECONNECT.delays(self.ids.seed());
        let ended = tokio::select! {
            biased;
            changed = changed(&mut self.buckets, &mut self.lanes) => {
                if changed { Ended::Changed } else { Ended::NoStream }
            }
            () = hear(&self.inbox, &mut lines) => Ended::Lost,
        };
        *deaf_since = Instant::now();
        ended
    }
}

/// Waits until what is to be listened to has changed; `false` if it never will again.
async fn changed(
    buckets: &mut watch::Receiver<BTreeSet<BucketName>>,
    lanes: &mut watch::Receiver<BTreeSet<i32>>,
) -> bool {
    tokio::select! {
        biased;
        changed = buckets.changed() => changed.is_ok(),
        changed = lanes.changed() => changed.is_ok(),
    }
}

/// Appends every line until the stream ends. Appends run beside each other; each is polled before the next line is
/// read, so they stand in the log in the order of the lines.
async fn hear(inbox: &Inbox, lines: &mut NoticeStream) {
    // Looked up before the first line, so that no append waits for it behind which a later one could slip through.
    if let Err(error) = inbox.partitions.count(&inbox.topic).await {
        tracing::warn!(%error, "fast door closed: the notices topic cannot be written");
        return;
    }
    let mut appends = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = appends.next() => {}
            line = lines.next(), if appends.len() < MAX_IN_FLIGHT => match line {
                Some(Ok(line)) => {
                    let mut append = Box::pin(append(inbox, line));
                    if futures::poll!(append.as_mut()).is_pending() {
                        appends.push(append);
                    }
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "fast door lost");
                    break;
                }
                None => {
                    tracing::warn!("fast door closed by the store");
                    break;
                }
            },
        }
    }
    while appends.next().await.is_some() {}
}

async fn append(inbox: &Inbox, line: Bytes) {
    let pieces = match notice::split(&line, Some(Door::Listen)) {
        Ok(pieces) => pieces,
        Err(error) => {
            inbox.observer.malformed(Door::Listen);
            tracing::warn!(%error, "malformed line at the fast door; the sure door has to bring it");
            return;
        }
    };
    let wanted = inbox.wanted(pieces, Door::Listen).await;
    if let Err(error) = inbox.append(wanted, Door::Listen).await {
        inbox.observer.refused(Door::Listen);
        tracing::warn!(%error, "notice not taken at the fast door; the sure door has to bring it");
    }
}
