//! What was odd about a stream, told on standard error.
//!
//! Rule: a server gone wild cannot flood the terminal: after some notes only the sum is told.

use crate::api::event::ProtocolError;
use crate::cli::output::report;
use crate::cli::stream;
use crate::feed::events_named;
use crate::view::format::plural;

/// How many notes are made one by one.
const NOTES: u64 = 20;

/// Counts of what was odd.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Odd {
    notes: u64,
    gaps: u64,
    missing: u64,
    rejected: u64,
    /// Events that came again and were dropped.
    pub(super) duplicates: u64,
}

impl Odd {
    pub(super) fn gap(&mut self, first: u64, last: u64) {
        self.gaps += 1;
        self.missing = self.missing.saturating_add(last.saturating_sub(first).saturating_add(1));
        self.note(&format!("the server has no {}; going on", events_named(first, last)));
    }

    pub(super) fn rejected(&mut self, error: &ProtocolError) {
        self.rejected += 1;
        let line = stream::gist(&String::from_utf8_lossy(&error.line));
        self.note(&format!("{error}; the line: {line}"));
    }

    fn note(&mut self, words: &str) {
        self.notes += 1;
        match self.notes {
            ..NOTES => report(words),
            NOTES => report(&format!("{words}; what follows is only counted")),
            _ => {}
        }
    }

    /// Whether the output lacks events that the run has.
    pub(super) fn is_incomplete(&self) -> bool {
        self.gaps + self.rejected > 0
    }

    /// Says the sum, where there was anything.
    pub(super) fn sum_up(&self, reconnects: u64) {
        if let Some(words) = self.words(reconnects) {
            report(&words);
        }
    }

    fn words(&self, reconnects: u64) -> Option<String> {
        let mut parts = Vec::new();
        if self.gaps > 0 {
            parts.push(format!("{} ({} missing)", plural(self.gaps, "gap"), plural(self.missing, "event")));
        }
        let counted = [(self.rejected, "unreadable line"), (self.duplicates, "duplicate"), (reconnects, "reconnect")];
        parts.extend(counted.iter().filter(|(count, _)| *count > 0).map(|(count, noun)| plural(*count, noun)));
        let end = if self.is_incomplete() { ": these are not all events of the run" } else { "" };
        (!parts.is_empty()).then(|| format!("{}{end}", parts.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_names_what_there_was_and_whether_events_lack() {
        assert_eq!(Odd::default().words(0), None);
        let odd = Odd { duplicates: 1, ..Odd::default() };
        assert_eq!(odd.words(2).unwrap(), "1 duplicate, 2 reconnects");
        let odd = Odd { gaps: 1, missing: 3, rejected: 1, ..Odd::default() };
        assert_eq!(
            odd.words(0).unwrap(),
            "1 gap (3 events missing), 1 unreadable line: these are not all events of the run"
        );
    }
}
