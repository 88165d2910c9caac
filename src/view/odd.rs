//! What was odd about a stream, in words: for the console's page and for `check`.
//!
//! Rule: the words hold foreign text that is not inert yet; whoever shows them makes it so.

use super::format;
use crate::run::{Odd, Oddity};

/// The kind of an odd thing, in one or two words.
#[must_use]
pub fn kind(odd: &Odd) -> &'static str {
    match odd {
        Odd::Gap { .. } => "gap",
        Odd::Rejected { .. } => "rejected line",
        Odd::Unknown { .. } => "unknown event",
        Odd::Duplicates { .. } => "duplicates",
        Odd::Reconnect { .. } => "reconnect",
    }
}

/// Where it was: a seq, a range of them, or after which; with the number of the line in a file.
#[must_use]
pub fn place(oddity: &Oddity) -> String {
    let range = |first: u64, last: u64| {
        if first == last { format::count(first) } else { format!("{}–{}", format::count(first), format::count(last)) }
    };
    match &oddity.what {
        Odd::Gap { first, last } => range(*first, *last),
        Odd::Unknown { seq, .. } => format::count(*seq),
        Odd::Rejected { seq, line_number, .. } => {
            let seq = seq.map_or_else(|| format!("after {}", format::count(oddity.behind)), format::count);
            match line_number {
                Some(number) => format!("{seq}, line {}", format::count(*number)),
                None => seq,
            }
        }
        Odd::Duplicates { until, .. } => format!("after {}", range(oddity.behind, *until)),
        Odd::Reconnect { .. } => format!("after {}", format::count(oddity.behind)),
    }
}

/// What it was, in one line; of a rejected line only why.
#[must_use]
pub fn words(odd: &Odd) -> String {
    match odd {
        Odd::Gap { first, last } => {
            format!("{} missing for good", format::plural(last.saturating_sub(*first).saturating_add(1), "event"))
        }
        Odd::Rejected { reason, .. } => reason.clone(),
        Odd::Unknown { type_name, .. } => type_name.clone(),
        Odd::Duplicates { count, .. } => format!("{} came again, dropped", format::plural(*count, "event")),
        Odd::Reconnect { cause } => cause.clone(),
    }
}

/// A rejected line as far as it is kept, and how long all of it is where that is more.
#[must_use]
pub fn line(odd: &Odd) -> Option<(&str, Option<String>)> {
    match odd {
        Odd::Rejected { line, bytes, .. } if !line.is_empty() => {
            Some((line, (*bytes > line.len() as u64).then(|| format::bytes(*bytes))))
        }
        _ => None,
    }
}
