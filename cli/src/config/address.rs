//! Addresses that one deployment must not give twice: two sites with one endpoint are one store, which would replicate
//! into itself; two servers of a machine cannot listen at one address.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::http::Uri;

use super::section::Section;
use super::source::Origin;

/// The addresses of the sites read so far, each with its place.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// By what they amount to, see [`normal`].
    endpoints: BTreeMap<String, Place>,
    listens: BTreeMap<SocketAddr, Place>,
}

/// Where an address was written.
#[derive(Debug)]
struct Place {
    origin: Origin,
    path: String,
}

impl Taken {
    /// Takes a site's endpoint; it is a fault if another site has it.
    pub fn endpoint(&mut self, section: &Section<'_>, origin: Origin, endpoint: &Uri) {
        let Some(normal) = normal(endpoint) else { return };
        if let Some(other) = self.endpoints.get(&normal) {
            let (path, place) = (&other.path, &other.origin);
            let message = format!("{endpoint} is {path} too ({place}): two sites are two stores, give each its own");
            section.fault_at(origin, "endpoint", message);
            return;
        }
        let path = section.path_of("endpoint");
        self.endpoints.insert(normal, Place { origin, path });
    }

    /// Takes an address that a server of a site listens at; it is a fault if one of another site has it. Wildcards and
    /// loopback are every machine's, and the sites' processes are as a rule on machines of their own.
    pub fn listen(&mut self, section: &Section<'_>, origin: Origin, listen: SocketAddr) {
        if listen.ip().is_unspecified() || listen.ip().is_loopback() {
            return;
        }
        if let Some(other) = self.listens.get(&listen) {
            let (path, place) = (&other.path, &other.origin);
            section.fault_at(origin, "listen", format!("{listen} is {path} too ({place}): give them one each"));
            return;
        }
        let path = section.path_of("listen");
        self.listens.insert(listen, Place { origin, path });
    }
}

/// Whether two servers of one machine could not both listen.
pub(super) fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// An endpoint without what makes no difference: case, the scheme's own port, the last slash, the root's dot.
fn normal(endpoint: &Uri) -> Option<String> {
    let scheme = endpoint.scheme_str()?.to_ascii_lowercase();
    let host = endpoint.host()?.trim_end_matches('.').to_ascii_lowercase();
    let port = endpoint.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some(format!("{scheme}://{host}:{port}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    #[test]
    fn what_makes_no_difference_is_left_out() {
        let normal = |endpoint: &str| super::normal(&endpoint.parse().unwrap()).unwrap();
        for same in ["https://s3.east", "HTTPS://S3.East/", "https://s3.east:443", "https://s3.east.:443/"] {
            assert_eq!(normal(same), "https://s3.east:443", "{same}");
        }
        for other in ["http://s3.east", "https://s3.east:9000", "https://s3.west"] {
            assert_ne!(normal(other), "https://s3.east:443", "{other}");
        }
        assert_eq!(normal("http://[::1]"), "http://[::1]:80");
    }

    #[test]
    fn a_wildcard_clashes_with_every_address_of_its_port() {
        let clash = |one: &str, other: &str| super::clash(one.parse().unwrap(), other.parse().unwrap());
        assert!(clash("0.0.0.0:80", "127.0.0.1:80") && clash("[::]:80", "10.0.0.1:80"));
        assert!(clash("10.0.0.1:80", "10.0.0.1:80"));
        assert!(!clash("0.0.0.0:80", "0.0.0.0:81") && !clash("10.0.0.1:80", "10.0.0.2:80"));
    }
}
