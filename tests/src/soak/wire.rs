//! What goes wrong at the wire during a round, drawn from its seed, beside what happens to processes and servers.

use std::{fmt, sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio_util::sync::CancellationToken;

use crate::{
    proxy::{Fault, Proxy, Wanted},
    site::Site,
    wire::Wire,
};

/// The longest time between two disturbances of one kind of way.
const BETWEEN_MS: u64 = 1_500;
/// The most requests that one disturbance is for. One of them at most is damaged: a record whose bytes are damaged five
/// times is a dead letter, as it should be, and no round expects one.
const REQUESTS: usize = 6;
/// How many bytes of a request or answer go by before it is cut or damaged, at most.
const BYTES: usize = 1_000;

/// Which way of Twinlog is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// That of both sites to one store.
    Store(Site),
    /// That of one site to Kafka.
    Kafka(Site),
}

/// What goes wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disturbed {
    /// Connections are closed, and new ones refused.
    Cut,
    /// Nothing comes through, and connections stay.
    BlackHoled,
    /// Requests act, and their answers are swallowed.
    Deaf,
    /// Each piece of an answer comes so much later.
    Slow(Duration),
    /// Single requests, each in its own way.
    Requests(Vec<(Wanted, Fault)>),
}

/// One disturbance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disturbance {
    /// Where.
    pub way: Way,
    /// What.
    pub what: Disturbed,
    /// For how long.
    pub lasting: Duration,
}

impl Disturbance {
    /// Draws one of the ways to the stores.
    pub fn of_a_store(rng: &mut SmallRng) -> Self {
        let way = Way::Store(Site::BOTH[rng.random_range(0..2)]);
        let what = if rng.random_ratio(2, 3) {
            let many = rng.random_range(1..=REQUESTS);
            let drawn = (0..many).map(|_| request(rng));
            let (damaged, mut requests): (Vec<_>, Vec<_>) = drawn.partition(|(_, fault)| damages(*fault));
            requests.extend(damaged.into_iter().take(1));
            Disturbed::Requests(requests)
        } else {
            whole(rng)
        };
        Self { way, what, lasting: lasting(rng) }
    }

    /// Draws one of the ways to Kafka. Its bytes are not damaged: beyond the records themselves, which have their own
    /// checksums, the protocol has none, and leaves that to TCP or TLS.
    pub fn of_kafka(rng: &mut SmallRng) -> Self {
        let way = Way::Kafka(Site::BOTH[rng.random_range(0..2)]);
        Self { way, what: whole(rng), lasting: lasting(rng) }
    }

    fn strike(&self, wire: &Wire) {
        let proxy = self.proxy(wire);
        match &self.what {
            Disturbed::Cut => proxy.cut(),
            Disturbed::BlackHoled => proxy.hold(),
            Disturbed::Deaf => proxy.deafen(),
            Disturbed::Slow(time) => proxy.latency(*time),
            Disturbed::Requests(requests) => {
                requests.iter().for_each(|(wanted, fault)| proxy.inject(wanted.clone(), *fault));
            }
        }
    }

    fn proxy<'a>(&self, wire: &'a Wire) -> &'a Proxy {
        match self.way {
            Way::Store(site) => &wire.stores[site.index()],
            Way::Kafka(site) => &wire.kafka[site.index()],
        }
    }
}

/// Disturbs one kind of way again and again until stopped; what was done is returned.
pub(super) async fn disturb(
    wire: Arc<Wire>,
    seed: u64,
    draw: fn(&mut SmallRng) -> Disturbance,
    stop: CancellationToken,
) -> Vec<Disturbance> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut done = Vec::new();
    loop {
        let between = Duration::from_millis(rng.random_range(0..BETWEEN_MS));
        let disturbance = draw(&mut rng);
        let acted = stop.run_until_cancelled(async {
            tokio::time::sleep(between).await;
            let turn = wire.calm.read().await;
            disturbance.strike(&wire);
            tokio::time::sleep(disturbance.lasting).await;
            turn
        });
        let Some(_turn) = acted.await else { return done };
        disturbance.proxy(&wire).withdraw();
        disturbance.proxy(&wire).mend();
        done.push(disturbance);
    }
}

fn whole(rng: &mut SmallRng) -> Disturbed {
    match rng.random_range(0..4) {
        0 => Disturbed::Cut,
        1 => Disturbed::BlackHoled,
        2 => Disturbed::Deaf,
        _ => Disturbed::Slow(Duration::from_millis(rng.random_range(50..800))),
    }
}

/// Mostly short; now and then past every deadline.
fn lasting(rng: &mut SmallRng) -> Duration {
    let long = rng.random_ratio(1, 10);
    Duration::from_millis(if long { rng.random_range(8_000..14_000) } else { rng.random_range(200..4_000) })
}

/// Whether bytes arrive that were not sent.
fn damages(fault: Fault) -> bool {
    matches!(fault, Fault::CorruptRequest(_) | Fault::CorruptAnswer(_))
}

/// One request, and what happens to it.
fn request(rng: &mut SmallRng) -> (Wanted, Fault) {
    let bytes = rng.random_range(0..BYTES);
    let fault = match rng.random_range(0..9) {
        0 => Fault::Reject,
        1 => Fault::FailAfterWrite,
        2 => Fault::HoldResponse,
        3 => Fault::HoldRequest,
        4 => Fault::RespondSlowly(Duration::from_millis(rng.random_range(500..6_000))),
        5 => Fault::CutAnswer(bytes),
        6 => Fault::HalfClose(bytes),
        // Bodies only: what else a request or an answer says has no digest, and is left to TCP or TLS.
        7 => {
            return (
                Wanted::new("PUT", ["x-id=PutObject", "x-id=UploadPart"][rng.random_range(0..2)]),
                Fault::CorruptRequest(bytes),
            );
        }
        _ => return (Wanted::new("GET", "x-id=GetObject"), Fault::CorruptAnswer(bytes)),
    };
    let wanted = ["PUT", "DELETE", "POST", "HEAD", "GET", "PUT", "DELETE"][rng.random_range(0..7)];
    (Wanted::new(wanted, ""), fault)
}

impl fmt::Display for Disturbance {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.way {
            Way::Store(site) => write!(to, "way to store {site} ")?,
            Way::Kafka(site) => write!(to, "way of {site} to kafka ")?,
        }
        let seconds = self.lasting.as_secs_f64();
        match &self.what {
            Disturbed::Cut => write!(to, "cut for {seconds:.1} s"),
            Disturbed::BlackHoled => write!(to, "black-holed for {seconds:.1} s"),
            Disturbed::Deaf => write!(to, "deaf for {seconds:.1} s"),
            Disturbed::Slow(time) => write!(to, "slower by {} ms for {seconds:.1} s", time.as_millis()),
            Disturbed::Requests(requests) => {
                let faults: Vec<String> = requests.iter().map(|(_, fault)| format!("{fault:?}")).collect();
                write!(to, "{}", faults.join(" "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every fault of the vocabulary is drawn, and bytes are damaged only where a digest tells.
    #[test]
    fn every_fault_is_drawn_and_only_bodies_are_damaged() {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..2_000 {
            for disturbance in [Disturbance::of_a_store(&mut rng), Disturbance::of_kafka(&mut rng)] {
                seen.insert(format!("{:?}", disturbance.what).split(['(', '[']).next().unwrap_or_default().to_owned());
                let Disturbed::Requests(requests) = disturbance.what else { continue };
                assert!(matches!(disturbance.way, Way::Store(_)));
                assert!(requests.iter().filter(|(_, fault)| damages(*fault)).count() <= 1);
                for (wanted, fault) in requests {
                    assert_eq!(damages(fault), !wanted.path.is_empty());
                    seen.insert(format!("{fault:?}").split('(').next().unwrap_or_default().to_owned());
                }
            }
        }
        assert_eq!(seen.len(), 5 + 9, "{seen:?}");
    }
}
