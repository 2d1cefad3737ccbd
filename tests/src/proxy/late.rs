//! A request that reaches the store long after it was sent, on a connection of its own: its sender may be gone by then,
//! and the store would have closed a connection on which nothing came.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedReadHalf},
};

use super::fault::Faults;

/// Takes the rest of a request that began with `begun` until its sender gives up, waits until the proxy is mended,
/// and delivers it. The answer goes nowhere.
pub(super) async fn deliver(begun: Vec<u8>, mut from: OwnedReadHalf, upstream: String, faults: Arc<Faults>) {
    let _holding = faults.hold_one();
    let mut state = faults.watch();
    state.mark_unchanged();
    let mut request = begun;
    let mended = async { state.changed().await.is_ok() };
    // What was read before an error of the connection is the request; a broken one the store refuses.
    let (_read, mended) = tokio::join!(from.read_to_end(&mut request), mended);
    if !mended {
        return;
    }
    let Ok(mut store) = TcpStream::connect(&upstream).await else { return };
    if store.write_all(&request).await.is_ok() {
        let mut answer = [0; 1024];
        let _answered = store.read(&mut answer).await;
    }
}
