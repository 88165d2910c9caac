//! The table: what was measured, what came out, what is the bar, and whether it is kept.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    measured: String,
    bar: String,
    verdict: &'static str,
}

impl Row {
    /// A figure that may be `bar` at most.
    pub(crate) fn most(what: impl Into<String>, measured: impl Into<String>, bar: &str, is_kept: bool) -> Self {
        Self::new(what, measured, format!("≤ {bar}"), if is_kept { "ok" } else { "over" })
    }

    /// A figure that must be `bar` at least.
    pub(crate) fn least(what: impl Into<String>, measured: impl Into<String>, bar: &str, is_kept: bool) -> Self {
        Self::new(what, measured, format!("≥ {bar}"), if is_kept { "ok" } else { "under" })
    }

    /// A figure without a bar, which others are read beside.
    pub(crate) fn beside(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self::new(what, measured, String::new(), "")
    }

    fn new(what: impl Into<String>, measured: impl Into<String>, bar: String, verdict: &'static str) -> Self {
        Self { what: what.into(), measured: measured.into(), bar, verdict }
    }
}

pub(crate) fn print_head() {
    println!("| what | measured | bar | |\n| --- | --- | --- | --- |");
}

/// Prints lines as soon as they are known: a figure that fails later takes none of them along.
pub(crate) fn print(rows: &[Row]) {
    for Row { what, measured, bar, verdict } in rows {
        println!("| {what} | {measured} | {bar} | {verdict} |");
    }
}

/// So many millions.
#[expect(clippy::cast_precision_loss, reason = "bytes and events of one measurement are far below 2^52")]
pub(crate) fn millions(number: u64) -> f64 {
    number as f64 / 1e6
}

/// A number of events a second, with its thousands apart.
pub(crate) fn rate(per_second: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is positive and far below 2^52"
    )]
    let thousands = (per_second / 1e3).round() as u64;
    format!("{} events/s", grouped(thousands * 1000))
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The value below which so many hundredths of these are; they are sorted by it.
pub(crate) fn percentile(values: &mut [f64], hundredths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * hundredths / 100).min(values.len() - 1)]
}
