//! The faults that there are: their names, what each does, where it can happen, and what can be said of it.
//!
//! Rule: this table is the one place that lists them; the language, its errors and `simulate --help` are made from it.

use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

/// A call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Route {
    Create,
    Snapshot,
    Events,
    PendingTools,
    ToolResults,
    Steps,
    ToolCall,
    Tasks,
    Compile,
    Lint,
}

/// Every call by the word that faults are asked for with.
pub(super) const ROUTES: &[(&str, Route)] = &[
    ("events", Route::Events),
    ("snapshot", Route::Snapshot),
    ("pending-tools", Route::PendingTools),
    ("tool-results", Route::ToolResults),
    ("create", Route::Create),
    ("steps", Route::Steps),
    ("tool-call", Route::ToolCall),
    ("tasks", Route::Tasks),
    ("compile", Route::Compile),
    ("lint", Route::Lint),
];

impl Route {
    pub(crate) fn name(self) -> &'static str {
        ROUTES.iter().find(|(_, route)| *route == self).map_or("any", |(name, _)| name)
    }
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    Cut,
    EarlyEnd,
    Stall,
    Trickle,
    Status {
        code: u16,
        /// `Retry-After` is a date in place of seconds.
        dated: bool,
    },
    FalseStatus {
        code: u16,
    },
    LostRequest,
    LostAnswer,
    NoAnswer,
    Restart,
    Redirect,
    ContentType,
    ContentEncoding,
    Skip,
    Gap,
    Duplicate,
    Reorder,
    FromStart,
    Garbage,
    InvalidUtf8,
    LongLine,
    Crlf,
    BlankLines,
    Keepalives,
    Partial,
    Rival,
    StalePending,
    HostileText,
    HostileError,
    HostileHeaders,
}

/// When in the life of a request a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In place of doing what was asked for; of several the first happens.
    Before,
    /// While it is done.
    During,
    /// To some of the events that are sent.
    Event,
    /// To the answer as a whole.
    After,
}

/// Where a fault can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    /// In the answer to this call only.
    Only(Route),
    /// In any, and unless it is said, in this.
    Unless(Route),
    /// In any, and unless it is said, in all.
    Any,
}

/// What can be said of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Nothing,
    /// A time; in milliseconds unless it is said.
    Time(Option<u64>),
    /// A size in bytes unless it is said.
    Bytes(Option<u64>),
}

impl ValueKind {
    pub(super) fn default_duration(self) -> Option<Duration> {
        match self {
            Self::Time(default) => default.map(Duration::from_millis),
            _ => None,
        }
    }

    pub(super) fn default_size(self) -> Option<u64> {
        match self {
            Self::Bytes(default) => default,
            _ => None,
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) fault: Fault,
    pub(super) phase: Phase,
    pub(super) places: Places,
    pub(super) value: ValueKind,
    pub(super) doc: &'static str,
}

/// A line of the table, short enough to read it as one.
const fn entry(
    name: &'static str,
    fault: Fault,
    phase: Phase,
    places: Places,
    value: ValueKind,
    doc: &'static str,
) -> Entry {
    Entry { name, fault, phase, places, value, doc }
}

const MEBIBYTE: u64 = 1024 * 1024;
const EVENTS: Places = Places::Only(Route::Events);
const ANY: Places = Places::Any;
const MOSTLY_EVENTS: Places = Places::Unless(Route::Events);
const SUBMISSIONS: Places = Places::Only(Route::ToolResults);
const NOTHING: ValueKind = ValueKind::Nothing;
const STATUS: Fault = Fault::Status { code: 0, dated: false };
const DATED_STATUS: Fault = Fault::Status { code: 0, dated: true };
const FALSE_STATUS: Fault = Fault::FalseStatus { code: 0 };

/// Every fault; `N` in a name stands for a status from 400 to 599.
#[rustfmt::skip]
pub(super) const CATALOGUE: &[Entry] = &[
    entry("cut", Fault::Cut, Phase::After, MOSTLY_EVENTS, ValueKind::Bytes(None), "reset at any byte of the answer (VALUE: at this one)"),
    entry("early-end", Fault::EarlyEnd, Phase::After, MOSTLY_EVENTS, ValueKind::Bytes(None), "end the answer too early, and cleanly (VALUE: at this byte)"),
    entry("stall", Fault::Stall, Phase::After, MOSTLY_EVENTS, ValueKind::Time(Some(30_000)), "send nothing for a while, from any byte on (VALUE: 30s)"),
    entry("trickle", Fault::Trickle, Phase::After, MOSTLY_EVENTS, ValueKind::Bytes(Some(200)), "send slowly (VALUE: 200B, each second)"),
    entry("status-N", STATUS, Phase::Before, ANY, ValueKind::Time(None), "refuse with this status (VALUE: Retry-After, as seconds)"),
    entry("status-N-date", DATED_STATUS, Phase::Before, ANY, ValueKind::Time(Some(1000)), "the same with Retry-After as a date (VALUE: 1s)"),
    entry("false-N", FALSE_STATUS, Phase::After, ANY, NOTHING, "do what was asked for, yet answer with this status"),
    entry("lost-request", Fault::LostRequest, Phase::Before, ANY, NOTHING, "reset the connection before anything is done"),
    entry("lost-answer", Fault::LostAnswer, Phase::After, ANY, NOTHING, "do what was asked for, then reset before the answer"),
    entry("no-answer", Fault::NoAnswer, Phase::After, ANY, ValueKind::Time(None), "do what was asked for, never answer (VALUE: reset after it)"),
    entry("restart", Fault::Restart, Phase::Before, ANY, ValueKind::Time(Some(500)), "drop all connections and take none for a while (VALUE: 500ms)"),
    entry("redirect", Fault::Redirect, Phase::Before, ANY, NOTHING, "send the client to another host"),
    entry("content-type", Fault::ContentType, Phase::After, ANY, NOTHING, "call the answer text/html"),
    entry("content-encoding", Fault::ContentEncoding, Phase::After, ANY, NOTHING, "send the answer as gzip, which nobody asked for"),
    entry("skip", Fault::Skip, Phase::Event, EVENTS, NOTHING, "leave an event out, once"),
    entry("gap", Fault::Gap, Phase::Event, EVENTS, NOTHING, "leave an event out, always"),
    entry("duplicate", Fault::Duplicate, Phase::Event, EVENTS, NOTHING, "send an event twice"),
    entry("reorder", Fault::Reorder, Phase::Event, EVENTS, NOTHING, "send an event after the one that follows it"),
    entry("from-start", Fault::FromStart, Phase::During, EVENTS, NOTHING, "send from seq 1 on, whatever after_seq says"),
    entry("garbage", Fault::Garbage, Phase::Event, EVENTS, NOTHING, "a line before an event that is no event"),
    entry("invalid-utf8", Fault::InvalidUtf8, Phase::Event, EVENTS, NOTHING, "a line before an event that is no UTF-8"),
    entry("long-line", Fault::LongLine, Phase::Event, EVENTS, ValueKind::Bytes(Some(64 * MEBIBYTE)), "a very long line before an event (VALUE: 64MiB)"),
    entry("crlf", Fault::Crlf, Phase::During, EVENTS, NOTHING, "end lines with CR LF"),
    entry("blank-lines", Fault::BlankLines, Phase::Event, EVENTS, NOTHING, "blank lines before an event"),
    entry("keepalives", Fault::Keepalives, Phase::Event, EVENTS, NOTHING, "keepalives before an event"),
    entry("partial", Fault::Partial, Phase::During, SUBMISSIONS, NOTHING, "take only the first of the results, or none, and say so"),
    entry("rival", Fault::Rival, Phase::During, SUBMISSIONS, NOTHING, "another operator's results are taken first"),
    entry("stale-pending", Fault::StalePending, Phase::During, Places::Only(Route::PendingTools), NOTHING, "answer what waited before one of the last changes"),
    entry("hostile-text", Fault::HostileText, Phase::Event, EVENTS, NOTHING, "escapes, bidi, zero-width characters in an event's texts"),
    entry("hostile-error", Fault::HostileError, Phase::Before, ANY, NOTHING, "refuse with 500 and such characters in the body"),
    entry("hostile-headers", Fault::HostileHeaders, Phase::After, ANY, NOTHING, "such characters in the answer's headers"),
];

impl Fault {
    /// Its line of the table.
    pub(super) fn entry(self) -> &'static Entry {
        let same = match self {
            Self::Status { dated, .. } => Self::Status { code: 0, dated },
            Self::FalseStatus { .. } => FALSE_STATUS,
            other => other,
        };
        // A test finds every fault in the table.
        CATALOGUE.iter().find(|entry| entry.fault == same).unwrap_or(&CATALOGUE[0])
    }

    pub(crate) fn phase(self) -> Phase {
        self.entry().phase
    }

    /// The fault of this name.
    pub(super) fn find(name: &str) -> Option<Self> {
        let plain = CATALOGUE.iter().find(|entry| entry.name == name && !entry.name.contains('N'));
        plain.map(|entry| entry.fault).or_else(|| {
            let code = |text: &str| text.parse().ok().filter(|code| (400..=599).contains(code));
            let status = name.strip_prefix("status-");
            let dated = status.and_then(|rest| rest.strip_suffix("-date")).and_then(code);
            dated
                .map(|code| Self::Status { code, dated: true })
                .or_else(|| status.and_then(code).map(|code| Self::Status { code, dated: false }))
                .or_else(|| name.strip_prefix("false-").and_then(code).map(|code| Self::FalseStatus { code }))
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { code, .. } | Self::FalseStatus { code } => {
                f.write_str(&self.entry().name.replace('N', &code.to_string()))
            }
            _ => f.write_str(self.entry().name),
        }
    }
}

/// The names of all faults, for an error.
pub(super) fn names() -> String {
    CATALOGUE.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}

/// The names of all places, for an error.
pub(super) fn places() -> String {
    ROUTES.iter().map(|(name, _)| *name).chain(["any"]).collect::<Vec<_>>().join(", ")
}

/// A line for each fault: its name, where it happens unless it is said, and what it does.
pub(super) fn help() -> String {
    let mut text = String::new();
    for entry in CATALOGUE {
        let place = match entry.places {
            Places::Only(route) | Places::Unless(route) => route.name(),
            Places::Any => "any",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<16} {:<13} {}", entry.name, place, entry.doc);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_table_is_found_and_printed_as_it_was_asked_for() {
        for entry in CATALOGUE {
            let name = entry.name.replace('N', "503");
            let found = Fault::find(&name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!((found.to_string(), found.entry().name), (name, entry.name));
        }
        for wrong in ["status-N", "status-200", "false-600", "status-503-", "cuts", ""] {
            assert_eq!(Fault::find(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_help_has_a_line_for_each_fault_that_fits_a_terminal() {
        let help = help();
        assert_eq!(help.lines().count(), CATALOGUE.len());
        assert!(help.lines().all(|line| line.len() <= 100), "{help}");
    }
}
