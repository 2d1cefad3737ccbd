//! Each part that Twinlog stands on, real and by itself: the servers that tests start, the log on a broker, a site on each
//! store, every failure at the wire, and what README.md shows a newcomer.

mod failures;
mod log_conformance;
mod log_dangers;
mod newcomer;
mod servers;
mod site_conformance;
