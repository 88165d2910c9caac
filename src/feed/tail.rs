//! Whether a journal's last line is still the server's: it is asked for again, and compared.
//!
//! Pure. Until the line has come, nothing behind it is applied: it is kept, bounded, and given out when the history is
//! proved to be the same. What breaks on the way proves nothing; a line that is missing is asked for again, as a gap is.

use bytes::Bytes;

use super::journal_format::{rejected_line, tell_the_same};
use super::sequence::REREADS;
use crate::api::client::StreamItem;
use crate::api::error::StreamError;
use crate::api::ids::RunId;

/// How much may come before the line that is waited for, where a server sends out of order.
const EARLY_ITEMS: usize = 1024;
const EARLY_BYTES: usize = 4 * 1024 * 1024;

type Item = Result<StreamItem, StreamError>;

/// The last line of a journal, until the server has shown it again.
#[derive(Debug)]
pub(super) struct Tail {
    run_id: RunId,
    seq: u64,
    line: Bytes,
    /// Answers without it.
    missed: u8,
    early: Vec<Item>,
    early_bytes: usize,
}

/// What an item is to an unproved tail.
#[derive(Debug, PartialEq)]
pub(super) enum Screened {
    /// Nothing: it goes its way.
    Pass(Item),
    /// It is kept, or is part of what the journal has.
    Kept,
    /// It is the journal's last line: these items come behind it.
    Proved(Vec<Item>),
    /// The server has something else in its place.
    Differs,
    /// Too much has come that stands behind it.
    Full,
}

impl Tail {
    pub(super) fn new(run_id: RunId, seq: u64, line: Bytes) -> Self {
        Self { run_id, seq, line, missed: 0, early: Vec::new(), early_bytes: 0 }
    }

    /// Events after this seq are to be asked for.
    pub(super) fn ask_after(&self) -> u64 {
        self.seq - 1
    }

    /// Another connection brings everything again.
    pub(super) fn forget(&mut self) {
        self.early.clear();
        self.early_bytes = 0;
    }

    /// An answer has ended without it. Says which try this was, or that there were enough.
    pub(super) fn missed(&mut self) -> Result<String, String> {
        self.forget();
        self.missed += 1;
        let (seq, missed) = (self.seq, self.missed);
        if missed <= REREADS {
            Ok(format!("event {seq}, which the journal ends with, did not come; reading it again ({missed})"))
        } else {
            Err(format!("the server has no event {seq}, which the journal on disk ends with"))
        }
    }

    pub(super) fn screen(&mut self, item: Item) -> Screened {
        let (seq, bytes) = match &item {
            Ok(StreamItem::Event { event, line }) if event.run_id == self.run_id => (Some(event.seq), line.len()),
            // Without a place it stands before the line, and the journal has it.
            Err(StreamError::Protocol(error)) => (error.seq, error.line.len()),
            Ok(_) | Err(StreamError::Transport(_)) => return Screened::Pass(item),
        };
        match seq {
            None => Screened::Kept,
            Some(seq) if seq < self.seq => Screened::Pass(item),
            Some(seq) if seq == self.seq => match &item {
                Ok(StreamItem::Event { line, .. }) if !tell_the_same(&self.line, line) => Screened::Differs,
                // What cannot be read may have been spoilt on the way.
                Err(StreamError::Protocol(error)) if rejected_line(error)[..] != self.line[..] => Screened::Kept,
                _ => Screened::Proved(std::mem::take(&mut self.early)),
            },
            Some(_) => {
                self.early.push(item);
                self.early_bytes += bytes;
                let full = self.early.len() >= EARLY_ITEMS || self.early_bytes >= EARLY_BYTES;
                if full { Screened::Full } else { Screened::Kept }
            }
        }
    }
}

impl Screened {
    /// Why a history is not the journal's.
    pub(super) fn differs(seq: u64) -> String {
        format!("event {seq} on the server is another than the one that the journal on disk ends with")
    }
}
