//! What `doctor` has found, and how it is said: in lines for people, in JSON for programs.
//!
//! The rules that must stay true: every text goes through one place, where no secret gets through; for people it is
//! made inert as well; glyph and word carry each state, so that no colour is needed.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::cli::exit::Exit;
use crate::settings::without_secrets;
use crate::view::{Theme, text};

/// How it stands with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Fine,
    /// Good to know; nothing fails for it.
    Note,
    /// Commands fail for it; the exit code says how.
    Problem(Exit),
}

impl State {
    /// The word that people and programs read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Problem(_) => "problem",
        }
    }

    fn glyph(self, ascii: bool) -> &'static str {
        match (self, ascii) {
            (Self::Fine, false) => "✓",
            (Self::Note, false) => "•",
            (Self::Problem(_), false) => "✗",
            (Self::Fine, true) => "+",
            (Self::Note, true) => "-",
            (Self::Problem(_), true) => "x",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What was looked at.
    pub item: &'static str,
    /// How it stands with it.
    pub state: State,
    /// What was found.
    pub text: String,
    /// Where the value comes from, in words.
    pub source: Option<String>,
    /// What to do about it.
    pub advice: Option<String>,
    /// The same for programs: names with their units, and values.
    pub facts: Map<String, Value>,
}

impl Finding {
    fn new(item: &'static str, state: State, text: impl Into<String>) -> Self {
        Self { item, state, text: text.into(), source: None, advice: None, facts: Map::new() }
    }

    /// Something that is as it should be.
    pub fn fine(item: &'static str, text: impl Into<String>) -> Self {
        Self::new(item, State::Fine, text)
    }

    /// Something that is good to know.
    pub fn note(item: &'static str, text: impl Into<String>) -> Self {
        Self::new(item, State::Note, text)
    }

    /// Something that commands fail for, with the exit code that they end with.
    pub fn problem(item: &'static str, exit: Exit, text: impl Into<String>) -> Self {
        Self::new(item, State::Problem(exit), text)
    }

    /// With where the value comes from.
    #[must_use]
    pub fn from(mut self, source: &(impl ToString + ?Sized)) -> Self {
        self.source = Some(source.to_string());
        self
    }

    /// With what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// With a value for programs.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

/// Findings about one matter.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What was found, in the order in which it should be read.
    pub findings: Vec<Finding>,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// In the order in which it should be read: what comes first is often the cause of what comes later.
    pub sections: Vec<Section>,
    /// The secrets that this program was given: none of them may appear, whoever repeats it.
    pub secrets: Vec<String>,
}

impl Report {
    fn findings(&self) -> impl Iterator<Item = (&'static str, &Finding)> {
        self.sections.iter().flat_map(|section| section.findings.iter().map(|finding| (section.name, finding)))
    }

    fn count(&self, word: &str) -> usize {
        self.findings().filter(|(_, finding)| finding.state.word() == word).count()
    }

    /// The exit code of the first problem.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.findings()
            .find_map(|(_, finding)| if let State::Problem(exit) = finding.state { Some(exit) } else { None })
            .unwrap_or(Exit::Done)
    }

    /// `text` without a secret in it.
    fn clean(&self, text: &str) -> String {
        let known = |text: String, secret: &String| text.replace(secret.as_str(), "[credentials]");
        without_secrets(&self.secrets.iter().fold(text.to_owned(), known))
    }

    fn clean_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.clean(text)),
            Value::Array(values) => values.iter().map(|value| self.clean_value(value)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (self.clean(name), self.clean_value(value))).collect()
            }
            other => other.clone(),
        }
    }

    /// The report in lines for people.
    #[must_use]
    pub fn lines(&self, theme: Theme) -> String {
        let inert = |text: &str| {
            let clean = self.clean(text);
            text::plain(&clean.split_whitespace().collect::<Vec<_>>().join(" "), theme)
        };
        let width = self.findings().map(|(_, finding)| finding.item.len()).max().unwrap_or_default();
        let mut lines = String::new();
        for section in &self.sections {
            let _ = writeln!(lines, "{}", section.name);
            for finding in &section.findings {
                let (glyph, word) = (finding.state.glyph(theme.ascii), finding.state.word());
                let _ = write!(lines, "  {glyph} {word:<7}  {:<width$}  {}", finding.item, inert(&finding.text));
                if let Some(source) = &finding.source {
                    let _ = write!(lines, "  (from {})", inert(source));
                }
                lines.push('\n');
                if let Some(advice) = &finding.advice {
                    let arrow = if theme.ascii { "->" } else { "→" };
                    let _ = writeln!(lines, "{:indent$}{arrow} {}", "", inert(advice), indent = width + 15);
                }
            }
            lines.push('\n');
        }
        lines + &self.verdict() + "\n"
    }

    fn verdict(&self) -> String {
        let named = |count: usize, word: &str| match count {
            1 => format!("1 {word}"),
            count => format!("{count} {word}s"),
        };
        let notes = match self.count("note") {
            0 => String::new(),
            count => format!(", {}", named(count, "note")),
        };
        match self.count("problem") {
            0 => format!("no problem{notes}"),
            count => format!("{}{notes}; exit code {}", named(count, "problem"), self.exit().code()),
        }
    }

    /// The report for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings()
            .map(|(section, finding)| {
                let Finding { item, state, text, source, advice, facts } = finding;
                json!({
                    "section": section, "item": item, "state": state.word(),
                    "text": text, "source": source, "advice": advice, "facts": facts,
                })
            })
            .collect();
        self.clean_value(&json!({
            "version": env!("CARGO_PKG_VERSION"),
            "exit_code": self.exit().code(),
            "problems": self.count("problem"),
            "notes": self.count("note"),
            "findings": findings,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let server = vec![
            Finding::fine("name", "two\u{1b}[2J\naddresses").fact("addresses", vec!["::1", "hunter2-hunter2"]),
            Finding::problem("answer", Exit::NotAuthorised, "401 for hunter2-hunter2 and mr_sk_0123456789")
                .from("MODELRELAY_API_KEY")
                .advise("check the key"),
        ];
        let clock = vec![Finding::problem("clock", Exit::Unreachable, "late"), Finding::note("date", "none")];
        Report {
            sections: vec![Section { name: "server", findings: server }, Section { name: "clock", findings: clock }],
            secrets: vec!["hunter2-hunter2".into()],
        }
    }

    #[test]
    fn the_exit_code_is_the_first_problems_and_0_without_one() {
        assert_eq!(report().exit(), Exit::NotAuthorised);
        assert_eq!(Report { sections: vec![], secrets: vec![] }.exit(), Exit::Done);
        assert_eq!(Report { sections: vec![], secrets: vec![] }.lines(Theme::default()), "no problem\n");
    }

    #[test]
    fn lines_are_inert_hold_no_secret_and_say_state_source_and_advice() {
        let expected = "server\n\
            \x20 ✓ ok       name    two␛[2J addresses\n\
            \x20 ✗ problem  answer  401 for [credentials] and mr_sk_…  (from MODELRELAY_API_KEY)\n\
            \x20                    → check the key\n\
            \n\
            clock\n\
            \x20 ✗ problem  clock   late\n\
            \x20 • note     date    none\n\
            \n\
            2 problems, 1 note; exit code 4\n";
        assert_eq!(report().lines(Theme { color: false, ascii: false }), expected);
        let ascii = report().lines(Theme { color: false, ascii: true });
        assert!(ascii.contains("x problem") && ascii.contains("-> check"), "{ascii}");
    }

    #[test]
    fn json_holds_the_same_and_no_secret_either() {
        let json = report().json();
        assert_eq!((&json["exit_code"], &json["problems"], &json["notes"]), (&json!(4), &json!(2), &json!(1)));
        assert_eq!(json["findings"][0]["facts"]["addresses"], json!(["::1", "[credentials]"]));
        assert!(!json.to_string().contains("hunter2") && !json.to_string().contains("0123"), "{json}");
    }
}
