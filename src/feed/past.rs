//! The events of a file behind some place, once more: for the model of an earlier moment.
//!
//! Owns that they come as they came when the file was opened: the same events, gaps and rejected lines. Does not own what
//! is made of them. Blocks.

use std::io;
use std::path::Path;

use super::FeedItem;
use super::file::{self, Stop, Trust};
use super::sequence::Sequence;
use crate::api::ids::RunId;
use crate::store::journal::lines_behind;

/// Gives what stands behind the event `after` of `run_id` in the file at `path`, until `take` returns false or the file
/// ends. `journal` says whether it is one of ours, which ends where it is damaged.
///
/// # Errors
/// When the file cannot be read.
pub fn read_again(
    path: &Path,
    run_id: RunId,
    after: u64,
    journal: bool,
    mut take: impl FnMut(FeedItem) -> bool,
) -> io::Result<()> {
    let lines = lines_behind(path, run_id, after)?;
    let trust = if journal { Trust::Journal } else { Trust::Nothing };
    let read = file::read(lines, Sequence::new(run_id, after), trust, |items| items.into_iter().all(&mut take));
    match read.stop {
        Stop::Unreadable(why) => Err(io::Error::other(why)),
        Stop::End | Stop::Torn | Stop::Damaged { .. } | Stop::Closed => Ok(()),
    }
}
