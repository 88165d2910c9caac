//! What is about to be sent on an event stream, written in one of its forms.
//!
//! Owns the bytes of events, signs of life and what faults put between them. Rule: an event's line goes out as it is in
//! the log, and a line too long for memory is made while it is sent.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use super::super::faults::Item;
use super::accept::Form;

/// A line that is too long is sent in pieces of this.
const FILLER: &[u8] = &[b'x'; 64 * 1024];

/// What stands round a line that is too long: one text of JSON.
const LONG_HEAD: &[u8] = b"{\"type\":\"noise\",\"text\":\"";
const LONG_TAIL: &[u8] = b"\"}";

/// Pieces of a body that wait to be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    form: Form,
    /// Lines end with CR LF.
    crlf: bool,
    pieces: VecDeque<Piece>,
}

#[derive(Debug)]
enum Piece {
    Bytes(BytesMut),
    /// So many bytes of a line that is too long.
    Filler(u64),
}

/// What a server-sent event says of its event besides the data.
#[derive(Default, Deserialize)]
struct Head<'a> {
    seq: u64,
    #[serde(rename = "type", borrow)]
    event_type: Cow<'a, str>,
}

impl Outgoing {
    pub(super) fn new(form: Form, crlf: bool) -> Self {
        Self { form, crlf, pieces: VecDeque::new() }
    }

    /// Whether the lines of events leave as they are in the log, with nothing between them.
    pub(super) fn is_plain(&self) -> bool {
        self.form == Form::Ndjson && !self.crlf
    }

    /// The next piece, if any waits.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        match self.pieces.pop_front()? {
            Piece::Bytes(bytes) => Some(bytes.freeze()),
            Piece::Filler(left) => {
                let size = usize::try_from(left).unwrap_or(usize::MAX).min(FILLER.len());
                let rest = left - size as u64;
                if rest > 0 {
                    self.pieces.push_front(Piece::Filler(rest));
                }
                Some(Bytes::from_static(&FILLER[..size]))
            }
        }
    }

    /// An event, whose line ends with a newline.
    pub(super) fn event(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if self.form == Form::Events {
            let head: Head<'_> = serde_json::from_slice(line).unwrap_or_default();
            self.line(format!("event: {}", head.event_type).as_bytes());
            self.line(format!("id: {}", head.seq).as_bytes());
        }
        self.data(line);
    }

    pub(super) fn keepalive(&mut self) {
        match self.form {
            Form::Ndjson => self.line(b"{\"type\":\"keepalive\"}"),
            Form::Events => {
                self.line(b": keepalive");
                self.line(b"");
            }
        }
    }

    pub(super) fn item(&mut self, item: &Item) {
        match item {
            Item::Event(line) => self.event(line),
            Item::Foreign(line) => self.data(line),
            Item::Blank => self.line(b""),
            Item::Keepalive => self.keepalive(),
            Item::Long(size) => {
                if self.form == Form::Events {
                    self.write(b"data: ");
                }
                self.write(LONG_HEAD);
                let around = (LONG_HEAD.len() + LONG_TAIL.len()) as u64;
                self.pieces.push_back(Piece::Filler(size.saturating_sub(around).max(1)));
                self.line(LONG_TAIL);
                self.end_of_data();
            }
        }
    }

    fn data(&mut self, line: &[u8]) {
        if self.form == Form::Events {
            self.write(b"data: ");
        }
        self.line(line);
        self.end_of_data();
    }

    fn end_of_data(&mut self) {
        if self.form == Form::Events {
            self.line(b"");
        }
    }

    fn line(&mut self, line: &[u8]) {
        self.write(line);
        self.write(if self.crlf { b"\r\n" } else { b"\n" });
    }

    fn write(&mut self, bytes: &[u8]) {
        match self.pieces.back_mut() {
            Some(Piece::Bytes(piece)) => piece.extend_from_slice(bytes),
            _ => self.pieces.push_back(Piece::Bytes(BytesMut::from(bytes))),
        }
    }
}
