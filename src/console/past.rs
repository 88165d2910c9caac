//! The model at an earlier event: from the checkpoint before it and the journal.
//!
//! Owns that the two are put together. Rule: what comes out has the facts that the console had when that event was the
//! last; contents of before the checkpoint are counted as dropped. Blocks: not for the loop.

use std::io;
use std::path::Path;

use crate::feed::{FeedItem, past};
use crate::run::history::Entry;
use crate::run::{Base, Run};

/// The model at the event `seq`, or as near before it as the file goes. `journal` says whether the file is one of ours,
/// which ends where it is damaged.
///
/// # Errors
/// When the file cannot be read.
pub fn model_at(base: &Base, path: &Path, journal: bool, seq: u64) -> io::Result<Run> {
    let mut run = base.run();
    if run.last_seq < seq {
        past::read_again(path, run.run_id, run.last_seq, journal, |item| match item {
            FeedItem::Event(event) => run.take_up_to(seq, Entry::Event(event)),
            FeedItem::Rejected(error) => run.take_up_to(seq, Entry::Rejected(error)),
            FeedItem::Gap { first, last } => run.take_up_to(seq, Entry::Gap { first, last }),
            FeedItem::Duplicates(count) => {
                run.counts.duplicates += count;
                true
            }
            FeedItem::Line(_) => true,
        })?;
    }
    Ok(run)
}
