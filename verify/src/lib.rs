//! Compares a bucket at two sites version by version, with bounded memory: two version listings are merged as they are
//! paged, and every version that both have is read whole at both.
//!
//! What is compared: which versions there are, their kind, time to the millisecond, size, ETag, their order and which is
//! the latest; and of objects headers, user metadata, tags, retention, legal hold, checksums, storage class, encryption,
//! part layout and, where wished, the digest of the body. Nothing is written anywhere. Exempt is the order of versions
//! whose times tie across sites: it is told and is no difference.
//!
//! Who reads is a [`Side`]: the operator's command reads through a [`twinlog_site::Site`] ([`AtSite`]), the end-to-end
//! tests through an S3 client of their own, so that what the one overlooks the other sees.

mod at_site;
mod check;
mod compare;
mod difference;
mod lines;
mod merge;
mod report;
mod side;
#[cfg(test)]
mod tests;
mod tie;
mod until;

pub use at_site::{AtSite, Looked};
pub use compare::{Scope, compare};
pub use difference::Difference;
pub use lines::Lines;
pub use merge::{End, Merge, Order, Step};
pub use report::Report;
pub use side::{Depth, Described, Description, Side, VerifyError};
pub use tie::Tie;
pub use until::until_equal;
