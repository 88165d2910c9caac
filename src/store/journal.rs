//! A run's journal on disk: `events.ndjson`, the lines that were applied, in seq order.
//!
//! Owns the file: reading it in bounded pieces and finding one event in it. What its events mean, and whether they are
//! still the server's, is the feed's to say.
//!
//! # The file
//! One line an event, byte for byte as the server sent it, in the order in which the lines were applied. Rejected lines
//! stand among them, of an over-long one its beginning. A line whose oddity is the server's ends in CR LF, every other
//! in LF: a rejected line, and an event behind a permanent gap. So a line that cannot be read, or a gap, without that
//! mark was not written so: the file is damaged there.
//!
//! The rule that must stay true: the journal is a cache. Without it, or with a part of it, nothing is lost, since the
//! server has every line.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`lines`] | the lines of a file, in bounded memory |
//! | [`search`] | one event's line, without reading what stands before it |

pub mod lines;
pub mod search;

pub use lines::{FileLine, Lines};
pub use search::event_line;

/// The name of the journal in a run's directory.
pub const FILE_NAME: &str = "events.ndjson";

/// A larger file is no journal: writing stops before. In bytes.
pub const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;
