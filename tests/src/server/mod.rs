//! Real servers for tests, the demonstration and the benchmark: a Kafka broker, RustFS and MinIO.
//!
//! Every server listens on 127.0.0.1 only, on ports of its own, keeps all it writes in a folder that its starter names,
//! and dies with the process that started it, however that one ends (see [`process`]); `up`, whose servers outlive it,
//! says so with [`Life::Session`] and [`Process::detach`]. Starting returns when the server answers; a start that fails
//! says why, with the end of the server's log. Nothing here builds or fetches a program: [`cache`] says where they are,
//! `infra/tools/` brings them.

pub mod alertmanager;
pub mod broker;
pub mod cache;
pub mod client;
pub mod error;
pub mod mc;
pub mod minio;
pub mod port;
pub mod principal;
pub mod process;
pub mod ready;
pub mod rustfs;
pub mod store;
pub mod tls;

pub use alertmanager::Alertmanager;
pub use broker::{Kafka, Way};
pub use error::ServerError;
pub use port::Port;
pub use process::{Life, Process};
pub use store::{Credentials, Intake, Store, StoreKind, StoreOptions};
pub use tls::{Authority, Certified, Trust};
