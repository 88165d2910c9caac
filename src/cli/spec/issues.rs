//! What is wrong with a workflow spec, for people: a table, then each place in the file.
//!
//! The server names places as JSON paths; where one can be found in the text as it was written, the line is shown.

use anyhow::anyhow;

use crate::api::error::Error;
use crate::api::plan::Issue;
use crate::cli::exit::Failure;
use crate::cli::failure::said;
use crate::cli::output;
use crate::cli::output::PLAIN;
use crate::cli::output::table::{Align, Table};
use crate::cli::remote::{Remote, exit_of};
use crate::cli::spec::file::SpecFile;
use crate::cli::spec::locate::{Place, locate};
use crate::view::{format, text};

/// Issues with the words for who found them, which may be empty for all.
pub type Found<'a> = (&'static str, &'a [Issue]);

/// The issues as a table, then with their places in the file.
#[must_use]
pub fn render(found: &[Found<'_>], file: &SpecFile, columns: Option<usize>) -> String {
    let issues = || found.iter().flat_map(|(by, issues)| issues.iter().map(move |issue| (*by, issue)));
    let places: Vec<Option<Place>> = issues().map(|(_, issue)| locate(&file.file.text, &issue.path)).collect();
    let at = |place: &Option<Place>| place.as_ref().map_or_else(|| file.file.name.clone(), |place| file.file.at(place));
    let mut rendered = table(issues().zip(&places).map(|((by, issue), place)| (at(place), by, issue)), columns);
    for ((_, issue), place) in issues().zip(&places) {
        // A server may leave out the message, but it says something.
        let said = [&issue.message, &issue.code].into_iter().find(|words| !words.is_empty());
        let said = said.map_or("the server does not say what is wrong", String::as_str);
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        rendered.extend(["\n", &text::plain(&format!("{}: {words}", at(place)), PLAIN), "\n"]);
        if let Some(place) = place {
            rendered.push_str(&file.file.excerpt(place, columns));
        }
    }
    rendered
}

fn table<'a>(rows: impl Iterator<Item = (String, &'static str, &'a Issue)>, columns: Option<usize>) -> String {
    let named = [("place", Align::Left), ("code", Align::Left), ("path", Align::Left), ("message", Align::Left)];
    let rows: Vec<_> = rows.collect();
    if rows.iter().all(|(_, by, _)| by.is_empty()) {
        let mut table = Table::new(&named);
        for (place, _, Issue { code, path, message }) in &rows {
            table.row([place, code, path, message]);
        }
        return table.render(columns);
    }
    let [place, rest @ ..] = named;
    let mut table = Table::new(&[&[place, ("found by", Align::Left)], &rest[..]].concat());
    for (place, by, Issue { code, path, message }) in &rows {
        table.row([place, by, code, path, message]);
    }
    table.render(columns)
}

/// The failure of a call that carried a spec: with the issues where the server names some.
#[must_use]
pub fn failure(remote: &Remote, asked: &str, file: &SpecFile, error: &Error) -> Failure {
    let Error::Status(status) = error else { return remote.failure(asked, error) };
    if status.issues.is_empty() {
        return remote.failure(asked, error);
    }
    let mut bare = status.clone();
    let issues = std::mem::take(&mut bare.issues);
    let count = format::plural(issues.len() as u64, "issue");
    let report = render(&[("", &issues)], file, output::error_columns());
    let head = said(&format!("{} has {count}; {}: ", file.file.name, remote.label), &Error::Status(bare));
    Failure::new(exit_of(error.class()), anyhow!("{head}\n\n{}", report.trim_end()))
}
