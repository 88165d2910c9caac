//! What an operator gives: settings, scenarios, specs, inputs.

use relay_console::api::workflow::{SpecError, WorkflowSpec};
use relay_console::cli::spec::file::SourceFile;
use relay_console::cli::spec::locate::locate;
use relay_console::cli::start::inputs::{InputFile, InputWord};
use relay_console::settings::{self, Directories, Environment, Files, Flags, SettingsError, TextFile};
use relay_console::simulator::{Scenario, ScenarioError};

use super::fuzz;

/// A part of every key in the corpus: where it is shown, a secret is.
const CANARY: &str = "5ecr3tc4n4ry";

fn file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.into(), text: Ok(text.to_owned().into()), readable_by_others: false }
}

/// Whether what stands before each canary is still the beginning of a key, and what follows still its end.
fn holds_whole_key(text: &str) -> bool {
    text.split(CANARY)
        .collect::<Vec<_>>()
        .windows(2)
        .all(|parts| parts[0].ends_with("mr_sk_") && parts[1].starts_with('0'))
}

#[test]
fn a_wrong_setting_is_told_with_its_place_and_without_any_key() {
    let words: &[&[u8]] = &[
        b"[profiles.a]\n",
        b"api_key = ",
        b"base_url = ",
        b"current_profile = ",
        b"ca_file = ",
        b"[prices]\n",
        b"\"\"\"",
        b"'''",
        b"\"",
        b"= =",
        b"\n",
        b"#",
        b"{ ",
        b"1e999",
        b"nan",
        b"-1",
        b"\\u0000",
        b"\x1b[2J",
        b"mr_pk_1",
        "\u{202e}".as_bytes(),
        b"http://x?k=",
    ];
    fuzz("settings", words, |input| {
        let text = String::from_utf8_lossy(input);
        let files = Files { own: Some(file("/own", &text)), vendor: Some(file("/vendor", &text)), ..Files::default() };
        let directories = Directories { config_home: "/c".into(), state_home: "/s".into() };
        let (flags, environment) = (Flags::default(), Environment::default());
        let resolved = settings::resolve(&flags, &environment, &files, &directories);
        let survey = settings::survey(&flags, &environment, &files, &directories);
        assert_eq!(
            resolved.is_ok(),
            survey.credentials.as_ref().is_some_and(Result::is_ok)
                && survey.customer_id.as_ref().is_some_and(Result::is_ok)
                && survey.preferences.is_ok()
        );
        if holds_whole_key(&text) {
            let shown = format!("{resolved:?} {survey:?} {files:?}");
            assert!(!shown.contains(CANARY), "{shown}");
        }
        let Err(error) = resolved else { return };
        let message = error.to_string();
        assert!(!message.is_empty() && (!holds_whole_key(&text) || !message.contains(CANARY)), "{message}");
        if let SettingsError::Toml { line, column, .. } = error {
            assert!((1..=text.matches('\n').count() + 1).contains(&line) && column >= 1, "{message}");
        }
    });
}

#[test]
fn a_scenario_is_one_or_told_to_be_none_by_its_name() {
    let words: &[&[u8]] = &[
        b"[[spec.nodes]]\n",
        b"id = ",
        b"type = ",
        b"\"llm\"",
        b"\"map.fanout\"",
        b"depends_on = [",
        b"[script.",
        b"\"\"\"",
        b"\n",
        b"{{item}}",
        b"{{",
        b"}}",
        b"runs",
        b"= 18446744073709551615\n",
        b"= -1\n",
        b"= nan\n",
    ];
    fuzz("scenario", words, |input| {
        let text = String::from_utf8_lossy(input);
        match Scenario::parse("given.toml", &text) {
            Ok(scenario) => assert!(!scenario.name().is_empty(), "a scenario without a name cannot be started"),
            Err(error @ ScenarioError::Invalid { .. }) => assert!(error.to_string().contains("given.toml"), "{error}"),
            Err(error) => panic!("{error}"),
        }
    });
}

#[test]
fn a_spec_is_sent_as_it_is_or_told_to_be_wrong_at_a_place_in_it() {
    let words: &[&[u8]] = &[
        b"\"nodes\":",
        b"[",
        b"{",
        b"]",
        b"}",
        b",",
        b"\\u",
        b"1e400",
        b"\"\"",
        b"\n",
        b"\r\n",
        b"\t",
        b"\xe6\xbc\xa2",
        b"null",
    ];
    fuzz("given_json", words, |input| {
        let text = String::from_utf8_lossy(input).into_owned();
        let file = SourceFile { name: "spec.json".to_owned(), text: text.clone() };
        match WorkflowSpec::parse(&text) {
            Ok(_) => {
                for path in ["$.nodes[0].id", "$.nodes", "nodes[1]", "$", "$.a.b[9]", ""] {
                    if let Some(place) = locate(&text, path) {
                        let excerpt = file.excerpt(&place, Some(60));
                        assert!(text.get(place.bytes.clone()).is_some(), "{path}: {place:?}");
                        assert!(
                            excerpt
                                .lines()
                                .all(|line| !line.chars().any(|c| relay_console::app::inert::mark(c).is_some()))
                        );
                    }
                }
            }
            Err(SpecError::Json { line, column, .. }) => {
                let place = file.place(line, column);
                assert!(place.line >= 1 && text.get(place.bytes.clone()).is_some(), "{place:?}");
                assert!(file.excerpt(&place, None).contains(" | "));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        // The same bytes as words of the command line.
        let _ = InputFile::parse(&text);
        if let Ok(word) = InputWord::parse(&text) {
            assert_eq!(InputWord::parse(&text), Ok(word));
        }
    });
}
