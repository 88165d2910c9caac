//! What the operator gives: flags, files, standard input.
//!
//! Rule: it is read whole, and refused where it could not be sent as it is, before the server is asked anything.

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::AnswerArguments;
use super::GivenCall;
use super::What;
use crate::api::ids::CallId;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::report;
use crate::cli::spec::file::{STANDARD_INPUT, bounded};

/// One object of a file that `--all` names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    call: CallId,
    output: Option<Box<RawValue>>,
    error: Option<String>,
    choice: Option<String>,
    text: Option<String>,
}

/// Reads what is to be sent.
pub(super) fn read(arguments: &AnswerArguments) -> Result<Vec<GivenCall>, Failure> {
    if let Some(path) = &arguments.all {
        let text = text_of(path)?;
        // A byte order mark is what some editors put before UTF-8.
        return entries(text.strip_prefix('\u{feff}').unwrap_or(&text))
            .map_err(|problem| refused(&format!("{}: {problem}", name_of(path))));
    }
    let call = arguments.call.as_deref().unwrap_or_default();
    let call = CallId::parse(call).map_err(|error| refused(&error.to_string()))?;
    let AnswerArguments { output, output_file, error, choice, text, .. } = arguments;
    let what = if let Some(path) = output_file {
        What::Output(text_of(path)?)
    } else if let Some(error) = error {
        What::Error { error: error.clone(), output: String::new() }
    } else if let Some(label) = choice {
        What::Choice(label.clone())
    } else if let Some(text) = text {
        What::Text(text.clone())
    } else {
        What::Output(output.clone().unwrap_or_default())
    };
    check(&what).map_err(|problem| refused(&problem))?;
    Ok(vec![GivenCall { call, what }])
}

fn entries(text: &str) -> Result<Vec<GivenCall>, String> {
    let expected = "expected a JSON list of objects such as {\"call\": ID, \"output\": TEXT}";
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|error| format!("{error}; {expected}"))?;
    if entries.is_empty() {
        return Err(format!("the list is empty; {expected}"));
    }
    let mut given: Vec<GivenCall> = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let place = |problem: &str| format!("entry {}, call {}: {problem}", index + 1, entry.call);
        if given.iter().any(|other| other.call == entry.call) {
            return Err(place("this call stands in the list already"));
        }
        let what = entry.what().and_then(|what| check(&what).map(|()| what)).map_err(|problem| place(&problem))?;
        given.push(GivenCall { call: entry.call, what });
    }
    Ok(given)
}

impl Entry {
    fn what(&self) -> Result<What, String> {
        let output = self.output.as_deref().map(|output| {
            // A string is sent as its text; every other value as it stands in the file.
            serde_json::from_str::<String>(output.get()).unwrap_or_else(|_| output.get().to_owned())
        });
        match (output, &self.error, &self.choice, &self.text) {
            (output, Some(error), None, None) => {
                Ok(What::Error { error: error.clone(), output: output.unwrap_or_default() })
            }
            (Some(output), None, None, None) => Ok(What::Output(output)),
            (None, None, Some(label), None) => Ok(What::Choice(label.clone())),
            (None, None, None, Some(text)) => Ok(What::Text(text.clone())),
            (None, None, None, None) => Err("needs one of output, error, choice and text".to_owned()),
            _ => {
                Err("takes only one of output, error, choice and text (output and error may stand together)".to_owned())
            }
        }
    }
}

/// Nothing blank is sent, as in the console.
fn check(what: &What) -> Result<(), String> {
    let (name, text) = match what {
        What::Output(text) => ("result", text),
        What::Error { error, .. } => ("error", error),
        What::Choice(text) => ("choice", text),
        What::Text(text) => ("answer", text),
    };
    if text.trim().is_empty() { Err(format!("the {name} is empty: there is nothing to send")) } else { Ok(()) }
}

/// A file's text, or standard input's.
fn text_of(path: &Path) -> Result<String, Failure> {
    let bytes = if path.as_os_str() == STANDARD_INPUT {
        if io::stdin().is_terminal() {
            report("reading from the keyboard; Ctrl-D ends it");
        }
        bounded(io::stdin().lock())
    } else {
        std::fs::File::open(path).and_then(bounded)
    };
    let bytes = bytes.map_err(|error| refused(&format!("cannot read {}: {error}", name_of(path))))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        refused(&format!("{} is not UTF-8 (byte {at}): a result is text, and JSON carries no other", name_of(path)))
    })
}

fn name_of(path: &Path) -> String {
    if path.as_os_str() == STANDARD_INPUT { "standard input".to_owned() } else { path.display().to_string() }
}

fn refused(problem: &str) -> Failure {
    Failure::new(Exit::Refused, anyhow!("{problem}; nothing was sent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_sent_as_its_text_and_any_other_value_as_it_is_written() {
        let given = entries(
            r#"[{"call":"a","output":"x\n"},{"call":"b","output":{"n" : 1.0}},{"call":"c","error":"gone","output":"half"},
                {"call":"d","choice":"yes"},{"call":"e","text":"no"}]"#,
        )
        .unwrap();
        let what: Vec<What> = given.into_iter().map(|given| given.what).collect();
        let expected = [
            What::Output("x\n".into()),
            What::Output(r#"{"n" : 1.0}"#.into()),
            What::Error { error: "gone".into(), output: "half".into() },
            What::Choice("yes".into()),
            What::Text("no".into()),
        ];
        assert_eq!(what, expected);
    }

    #[test]
    fn what_cannot_be_sent_is_said_with_its_place() {
        let cases = [
            ("{}", "expected a JSON list"),
            ("[]", "the list is empty"),
            (r#"[{"call":"a"}]"#, "entry 1, call a: needs one of"),
            (r#"[{"call":"a","output":"x"},{"call":"a","output":"y"}]"#, "entry 2, call a: this call stands"),
            (r#"[{"call":"a","output":"x","choice":"y"}]"#, "takes only one of"),
            (r#"[{"call":"a","output":" \n"}]"#, "the result is empty"),
            (r#"[{"call":"a","ouput":"x"}]"#, "unknown field `ouput`"),
            (r#"[{"call":"","output":"x"}]"#, "tool call id is empty"),
        ];
        for (text, phrase) in cases {
            let problem = entries(text).unwrap_err();
            assert!(problem.contains(phrase), "{phrase:?} is not in {problem:?}");
        }
    }
}
