//! The matrix: everything that a version can be, born at each site, on each store, and everything that a client can do
//! to a version later, at the site of its birth and at the replica's. DESIGN.md calls it "a replica is the same version".
//!
//! Many rows share one bucket and one wait: all are written at once, at both sites, then both sites must become equal,
//! then each row is read at both sites through plain S3 and must show what its client wrote. A row is a [`case::Case`]
//! (a birth) or a [`story::Story`] (a birth and what is done to it); each module names its rows, and a failure names the
//! row. Where a store itself refuses a row, that is a row too, with the store's answer: SEMANTICS.md lists them.

mod births;
mod bodies;
mod case;
mod changes;
mod checksums;
mod copies;
mod deed;
mod defaults;
mod encryption;
mod headers;
mod keys;
mod legal_hold;
mod metadata;
mod nulls;
mod over_tls;
mod removals;
mod requests;
mod retention;
mod storage_class;
mod story;
mod tags;
mod told_by;
mod upload;
mod versions;
