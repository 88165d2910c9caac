//! What a check has found: as one JSON object, and for people.
//!
//! Rules: the object has exactly the fields that are published; foreign text reaches people only inert and on one line.

use std::fmt::Write as _;

use serde::Serialize;

use super::reading::Reading;
use crate::cli::exit::Failure;
use crate::cli::output::facts::Facts;
use crate::cli::output::table::{Align, Table};
use crate::cli::output::{self, PLAIN};
use crate::cli::stream::gist;
use crate::run::Agreement;
use crate::run::agreement::Differences;
use crate::view::format::{self, plural};
use crate::view::odd;

/// What was found.
pub(super) struct Report {
    /// The server, or the file.
    source: String,
    reading: Reading,
    agreement: Agreement,
}

/// The figures, as `--json` prints them.
#[derive(Serialize)]
struct Figures {
    events: u64,
    last_seq: u64,
    gaps: u64,
    duplicates: u64,
    unknown: u64,
    rejected: u64,
    reconnects: u64,
    status: Option<String>,
    input_tokens: u64,
    output_tokens: u64,
    snapshot: &'static str,
    bytes: u64,
    seconds: f64,
    events_per_second: u64,
}

impl Report {
    pub(super) fn new(source: String, reading: Reading, agreement: Agreement) -> Self {
        Self { source, reading, agreement }
    }

    /// Whether every event was read, and nothing differs from the snapshot.
    pub(super) fn is_sound(&self) -> bool {
        self.is_whole() && !matches!(self.agreement, Agreement::Differs(_))
    }

    /// Whether every event was read.
    pub(super) fn is_whole(&self) -> bool {
        let run = &self.reading.run;
        run.counts.gaps == 0 && run.unread_places() == 0
    }

    /// Prints it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::json(&serde_json::to_vec(&self.figures()).map_err(Failure::internal)?);
        }
        output::text(&self.render(output::columns()))
    }

    fn figures(&self) -> Figures {
        let Reading { run, took, .. } = &self.reading;
        let tokens = run.ledger.tokens();
        Figures {
            events: run.counts.events,
            last_seq: run.last_seq,
            gaps: run.counts.gaps,
            duplicates: run.counts.duplicates,
            unknown: run.counts.unknown,
            rejected: run.counts.rejected,
            reconnects: self.reading.reconnects(),
            status: run.folded_status().map(|status| status.to_string()),
            input_tokens: tokens.input,
            output_tokens: tokens.output,
            snapshot: self.agreement.word(),
            bytes: self.reading.bytes,
            seconds: (took.as_secs_f64() * 1000.0).round() / 1000.0,
            events_per_second: self.rate(),
        }
    }

    /// Events a second.
    fn rate(&self) -> u64 {
        let rate = u128::from(self.reading.run.counts.events) * 1_000_000 / self.reading.took.as_micros().max(1);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }

    fn render(&self, columns: Option<usize>) -> String {
        let mut text = self.facts().render();
        let odd = self.odd();
        if !odd.is_empty() {
            let _ = write!(text, "\n{}", odd.render(columns));
        }
        let dropped = self.reading.odd.dropped();
        if dropped > 0 {
            let _ = writeln!(text, "and {} more", format::count(dropped));
        }
        if let Agreement::Differs(differences) = &self.agreement {
            let _ = write!(text, "\n{}", differing(differences, columns));
        }
        text
    }

    fn facts(&self) -> Facts {
        let run = &self.reading.run;
        let (counts, tokens) = (&run.counts, run.ledger.tokens());
        let status = run.folded_status();
        let status = status.map_or_else(|| "not told".to_owned(), |status| PLAIN.run_words(&status));
        let missing = format!("{}, {} missing", plural(counts.gaps, "gap"), plural(counts.missing, "event"));
        let unread = run.unread_places();
        let rejected = match unread {
            0 => format!("{}, none in an event's place", plural(counts.rejected, "line")),
            _ => format!("{}, {} in an event's place", plural(counts.rejected, "line"), format::count(unread)),
        };
        let unknown = format!("{} of a type unknown here", plural(counts.unknown, "event"));
        let reconnects = self.reading.reconnects();
        Facts::default()
            .with("run", &format!("{} ({})", run.run_id, self.source))
            .with("events", &self.events())
            .with("gaps", &unless_none(counts.gaps, "✗", &missing))
            .with("rejected", &unless_none(counts.rejected, if unread > 0 { "✗" } else { "·" }, &rejected))
            .with("unknown", &unless_none(counts.unknown, "·", &unknown))
            .with(
                "duplicates",
                &unless_none(counts.duplicates, "·", &format!("{} dropped", format::count(counts.duplicates))),
            )
            .with("reconnects", &unless_none(reconnects, "·", &format::count(reconnects)))
            .with("status", &status)
            .with("tokens", &format!("{} in, {} out", format::count(tokens.input), format::count(tokens.output)))
            .with("snapshot", &self.verdict())
            .with("took", &self.speed())
    }

    fn speed(&self) -> String {
        let Reading { took, bytes, .. } = &self.reading;
        format!("{:.3} s for {}, {} events/s", took.as_secs_f64(), format::bytes(*bytes), format::count(self.rate()))
    }

    fn events(&self) -> String {
        let run = &self.reading.run;
        let (events, last) = (format::count(run.counts.events), format::count(run.last_seq));
        match (run.last_seq, self.is_whole()) {
            (0, _) => "· none".to_owned(),
            (_, true) => format!("✓ {events}, seq 1 to {last}, each once and in order"),
            (_, false) => format!("✗ {events} of {last}, in order"),
        }
    }

    fn verdict(&self) -> String {
        match &self.agreement {
            Agreement::Agrees => "✓ agrees".to_owned(),
            Agreement::Absent => "· absent, nothing was compared".to_owned(),
            Agreement::Differs(differences) => {
                let lack = if differences.events_lack { "; what could not be read may be the reason" } else { "" };
                format!("✗ differs in {}{lack}", plural(differences.count as u64, "point"))
            }
        }
    }

    /// What was odd, one by one.
    fn odd(&self) -> Table {
        let mut table = Table::new(&[("odd", Align::Left), ("seq", Align::Left), ("what", Align::Left)]);
        for oddity in self.reading.odd.entries() {
            let mut words = odd::words(&oddity.what);
            if let Some((line, all)) = odd::line(&oddity.what) {
                let all = all.map(|all| format!(" ({all} in all)")).unwrap_or_default();
                let _ = write!(words, "; the line{all}: {}", gist(line));
            }
            table.row([odd::kind(&oddity.what), &odd::place(oddity), &words]);
        }
        table
    }
}

fn differing(differences: &Differences, columns: Option<usize>) -> String {
    let mut table = Table::new(&[("what differs", Align::Left), ("events", Align::Left), ("snapshot", Align::Left)]);
    for difference in &differences.kept {
        table.row([difference.what.as_str(), &difference.folded, &difference.snapshot]);
    }
    let mut text = table.render(columns);
    let more = differences.count - differences.kept.len();
    if more > 0 {
        let _ = writeln!(text, "and {} more", format::count(more as u64));
    }
    text
}

fn unless_none(count: u64, sign: &str, words: &str) -> String {
    if count == 0 { "✓ none".to_owned() } else { format!("{sign} {words}") }
}
