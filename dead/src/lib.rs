//! Dead letters: the records that could not be applied, in their topic; what became of each, in the topic of their
//! states; and the ways to read both.
//!
//! - [`death`] makes a letter, [`mod@letter`] reads one; the letter's form is [`header`]'s names around the causing record,
//!   byte for byte.
//! - A letter goes by its [`cause`]: where the record stood that it is about. A record handled twice, because a process
//!   died between the letter and the commit, has two letters of one cause, and counts as one.
//! - [`state`] is what was said of a letter; one of which nothing is on record is open. [`states`] reads all of them.
//! - [`scan`] reads the letters for commands, from the first to where the topic ended when it began; [`open`] is the
//!   bounded memory of those that are not closed, for whoever follows the topic.

pub mod cause;
pub mod death;
pub mod header;
pub mod letter;
pub mod open;
pub mod scan;
pub mod state;
pub mod states;

pub use cause::Cause;
pub use death::{Death, letter};
pub use header::{BUCKET, REASON, SOURCE};
pub use letter::{Content, Letter};
pub use open::Open;
pub use scan::Scan;
pub use state::{Change, History, State};
pub use states::States;
