//! A TCP port of 127.0.0.1 that nobody else takes while it is held.
//!
//! Asking the system for port 0 and closing the socket again leaves the number free for anybody, most of all for an
//! outgoing connection. So ports come from below the range that systems use for those, and a locked file per port tells
//! other test processes that it is spoken for. That matters all the more as RustFS shares a port with whoever listens
//! there already, without an error, and each then gets some of the other's requests. The reservation survives a stop and start of the server that uses it.

use std::{
    fs::{File, OpenOptions},
    net::{Ipv4Addr, TcpListener},
};

use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::ServerError;

const FIRST: u16 = 20_000;
const LAST: u16 = 30_000;

/// A reserved port; free for others when dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Locked for as long as it is open; the system unlocks it when the process ends, however it ends.
    _reservation: File,
}

impl Port {
    /// Reserves a port that nothing listens on.
    ///
    /// # Errors
    /// [`ServerError::Io`] where the folder of reservations cannot be written, or no port is free.
    pub fn free() -> Result<Self, ServerError> {
        let folder = std::env::temp_dir().join("twinlog-test-ports");
        std::fs::create_dir_all(&folder).map_err(ServerError::io(format!("making {}", folder.display())))?;
        let count = LAST - FIRST;
        let start: u16 = SmallRng::from_os_rng().random_range(0..count);
        for step in 0..count {
            let number = FIRST + (start + step) % count;
            let path = folder.join(number.to_string());
            let reservation = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(ServerError::io(format!("opening {}", path.display())))?;
            if reservation.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _reservation: reservation });
            }
        }
        Err(ServerError::Io {
            what: format!("reserving a port between {FIRST} and {LAST}"),
            source: std::io::ErrorKind::AddrNotAvailable.into(),
        })
    }

    /// The port's number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:` and the number.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.number)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeSet;

    use super::*;

    /// Scenario: many ports are picked at the same time. Guarantees: no number is given twice while it is held.
    #[test]
    fn parallel_picks_do_not_collide() {
        let held: Vec<Port> = std::thread::scope(|scope| {
            let picks: Vec<_> =
                (0..8).map(|_| scope.spawn(|| (0..20).map(|_| Port::free().unwrap()).collect::<Vec<_>>())).collect();
            picks.into_iter().flat_map(|pick| pick.join().unwrap()).collect()
        });
        let numbers: BTreeSet<u16> = held.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 160);
    }
}
