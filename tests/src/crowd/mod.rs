//! A crowd of clients at both sites that share their keys and do everything a client can do, drawn from a seed.
//!
//! The same seed draws the same acts on the same keys in the same order for each client; what comes of them depends on
//! the stores, on the other clients and on what Twinlog has carried over by then. Acts choose among all versions that
//! their site has, so that they change, copy and remove replicas as well as originals.

mod act;
mod births;
mod changes;
mod client;
mod keys;
mod removals;
mod settle;
mod tally;

pub use act::Act;
pub use client::Client;
pub use settle::{LOCKED, Settled, settle};
pub use tally::Tally;

use crate::{compare::Bucket, refused::Refused, rest::Rest, server::StoreKind};

/// Clients at each site.
pub const CLIENTS: u64 = 3;

/// How a crowd acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// What the stores are.
    pub kind: StoreKind,
    /// The seed.
    pub seed: u64,
    /// The acts of all clients together; a multiple of the clients at both sites.
    pub acts: u64,
    /// Whether requests may stay without an answer, because servers are stopped meanwhile.
    pub foul: bool,
}

impl Crowd {
    /// The clients at one of the sites.
    #[must_use]
    pub fn clients(&self, site: usize, at: &Bucket) -> Vec<Client> {
        let seed = |client: u64| self.seed * 100 + site as u64 * CLIENTS + client;
        (0..CLIENTS).map(|client| Client::new(at.clone(), self.kind, seed(client), self.foul)).collect()
    }

    /// Lets all clients act at once, each its share, to the end.
    ///
    /// # Errors
    /// A refusal for which there is no reason.
    pub async fn act(&self, sites: &[Bucket; 2], rest: &Rest) -> Result<Tally, Refused> {
        let each = self.acts / (2 * CLIENTS);
        let mut running = tokio::task::JoinSet::new();
        for (site, at) in sites.iter().enumerate() {
            for mut client in self.clients(site, at) {
                let rest = rest.clone();
                running.spawn(async move {
                    for _ in 0..each {
                        let _acting = rest.turn(site).await;
                        client.step().await?;
                    }
                    Ok::<_, Refused>(client.tally().clone())
                });
            }
        }
        let mut tally = Tally::default();
        while let Some(ended) = running.join_next().await {
            match ended {
                Ok(client) => tally.absorb(client?),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        Ok(tally)
    }
}
