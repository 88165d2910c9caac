//! Names and values for people, one fact a line.
//!
//! Rules: a value is made inert and stands on one line; nothing is cut, since a terminal wraps what is long.

use crate::cli::output::PLAIN;
use crate::view::text;

/// Columns between the names and the values.
const GAP: usize = 2;

/// Facts in the order in which they are said.
#[derive(Debug, Clone, Default)]
pub struct Facts(Vec<(&'static str, String)>);

impl Facts {
    /// One fact more; what is foreign in the value is made inert here.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.push((name, text::plain(&value.split_whitespace().collect::<Vec<_>>().join(" "), PLAIN)));
        self
    }

    /// One fact more, where there is a value.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The lines.
    #[must_use]
    pub fn render(&self) -> String {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + GAP;
        self.0.iter().map(|(name, value)| format!("{name:<width$}{value}").trim_end().to_owned() + "\n").collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_below_each_other_and_nothing_in_them_acts() {
        let facts = Facts::default().with("run", "a\u{1b}[2J\nb").with_some("parent", None).with("status", "waiting");
        assert_eq!(facts.render(), "run     a␛[2J b\nstatus  waiting\n");
    }
}
