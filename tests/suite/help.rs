//! `--help` of every subcommand as a golden file, `snapshots/help_<name>.snap`: what the real binary prints without a
//! terminal, 100 columns wide. A new subcommand is found by itself; a snapshot without one is a failure.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use clap::CommandFactory;
use relay_console::cli::CommandLine;

/// The words that lead to each command that people see, the program itself first.
pub(crate) fn commands() -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
        found.push(words.to_vec());
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            walk(below, &[words, &[below.get_name().to_owned()]].concat(), found);
        }
    }
    let mut found = Vec::new();
    walk(&CommandLine::command(), &[], &mut found);
    found
}

fn snapshot_name(words: &[String]) -> String {
    let name = if words.is_empty() { "relay-console".to_owned() } else { words.join("_") };
    format!("help_{name}")
}

fn page(words: &[String], flag: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_relay-console"))
        .args(words)
        .arg(flag)
        .env_clear()
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{words:?} {flag}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_help_of_every_subcommand_is_what_was_agreed_on() {
    let commands = commands();
    assert!(commands.len() > 5, "{commands:?}");
    crate::snapshots().bind(|| {
        for words in &commands {
            let (long, short) = (page(words, "--help"), page(words, "-h"));
            assert!(!long.contains('\u{1b}') && long.lines().all(|line| line.chars().count() <= 100), "{words:?}");
            let both = if long == short { long } else { format!("{long}\n---- -h ----\n{short}") };
            insta::assert_snapshot!(snapshot_name(words), both);
        }
    });
}

#[test]
fn no_help_is_kept_of_a_subcommand_that_is_gone() {
    let known: BTreeSet<String> = commands().iter().map(|words| format!("{}.snap", snapshot_name(words))).collect();
    let stale: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        // The console's own help, as it is drawn in a window of 120×36, is not a subcommand's.
        .filter(|name| name.starts_with("help_") && !name["help_".len()..].starts_with(|c: char| c.is_ascii_digit()))
        .filter(|name| !known.contains(name))
        .collect();
    assert_eq!(stale, Vec::<String>::new(), "remove these from snapshots/");
}
