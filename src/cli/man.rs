//! `relay-console man`: the manual, one page for the program and one for each subcommand.
//!
//! Owns the pages' form; what stands in them besides clap's own words is in `text`. The rule that must stay true:
//! a page is made from the same command tree that reads the command line.

mod text;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::command_line::CommandLine;
use crate::cli::exit::{Exit, Failure, MEANINGS};
use crate::cli::output;

/// `man`
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = "Read it with: relay-console man | man -l -\n\
                        Install all:  relay-console man --dir ~/.local/share/man/man1")]
pub struct ManArguments {
    /// Write a page for the program and for each subcommand into this directory, and print their paths
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

/// A page of the manual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The name of its file, such as `relay-console-doctor.1`.
    pub file: String,
    /// The page in roff.
    pub roff: String,
}

/// Prints the main page, or writes all.
///
/// # Errors
/// When a page cannot be written.
pub fn run(arguments: &ManArguments) -> Result<Exit, Failure> {
    let pages = pages();
    match &arguments.dir {
        None => output::text(pages.first().map_or("", |page| &page.roff))?,
        Some(dir) => {
            let paths = write(&pages, dir).map_err(|(path, error)| {
                let message = format!("cannot write {}: {error}; name a directory of yours", path.display());
                Failure::new(Exit::Refused, anyhow::Error::msg(message))
            })?;
            let lines: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            output::text(&(lines.join("\n") + "\n"))?;
        }
    }
    Ok(Exit::Done)
}

fn write(pages: &[Page], dir: &Path) -> Result<Vec<PathBuf>, (PathBuf, std::io::Error)> {
    fs::create_dir_all(dir).map_err(|error| (dir.to_path_buf(), error))?;
    let mut paths = Vec::new();
    for page in pages {
        let path = dir.join(&page.file);
        fs::write(&path, &page.roff).map_err(|error| (path.clone(), error))?;
        paths.push(path);
    }
    Ok(paths)
}

/// Every page, the program's own first.
#[must_use]
pub fn pages() -> Vec<Page> {
    let mut program = CommandLine::command();
    program.build();
    let below: Vec<clap::Command> =
        program.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let names: Vec<String> = below.iter().map(|command| command.get_name().to_owned()).collect();
    let mut pages = vec![page(program, "relay-console", None, &names)];
    for command in below {
        let name = command.get_name().to_owned();
        let title = format!("relay-console-{name}");
        pages.push(page(command, &title, Some(&name), &names));
    }
    pages
}

fn page(command: clap::Command, title: &str, subcommand: Option<&str>, others: &[String]) -> Page {
    let usage = command.clone().render_usage().to_string();
    let has_subcommands = subcommand.is_none();
    let after: Option<String> = command.get_after_help().map(ToString::to_string);
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let file = format!("{title}.1");
    let man = Man::new(command)
        .title(title)
        .section("1")
        .source(concat!("relay-console ", env!("CARGO_PKG_VERSION")))
        .manual("relay-console");
    let mut bytes = Vec::new();
    // Writing into memory cannot fail.
    let _ = man.render_title(&mut bytes);
    let mut head = Roff::new();
    head.control("SH", ["NAME"]).text([roman(format!("{title} - {about}"))]);
    head.control("SH", ["SYNOPSIS"]);
    for (line, words) in usage.trim_start_matches("Usage:").lines().enumerate() {
        if line > 0 {
            head.control("br", []);
        }
        head.text([bold(words.trim())]);
    }
    head.control("SH", ["DESCRIPTION"]).text([roman(format!("{about}."))]);
    for paragraph in after.iter().flat_map(|after| after.lines()) {
        head.control("PP", []).text([roman(paragraph.trim())]);
    }
    bytes.extend(head.render().into_bytes());
    let _ = man.render_options_section(&mut bytes);
    if has_subcommands {
        bytes.extend(subcommands(others).into_bytes());
    }
    bytes.extend(ending(subcommand, others).into_bytes());
    Page { file, roff: ascii(&String::from_utf8_lossy(&bytes)) }
}

/// Roff with every other character by its code point: what reads a page need not know its encoding.
fn ascii(roff: &str) -> String {
    let escaped = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\[u{:04X}]", u32::from(c)) };
    roff.chars().map(escaped).collect()
}

/// The subcommands with their pages.
fn subcommands(names: &[String]) -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["SUBCOMMANDS"]);
    let program = CommandLine::command();
    for name in names {
        let about = program.find_subcommand(name).and_then(|command| command.get_about()).map(ToString::to_string);
        roff.control("TP", [])
            .text([bold(format!("relay-console-{name}(1)"))])
            .text([roman(about.unwrap_or_default())]);
    }
    roff.render()
}

/// What every page ends with: exit codes, environment, files, examples, and where to read on.
fn ending(subcommand: Option<&str>, names: &[String]) -> String {
    let mut roff = Roff::new();
    let mut list = |title: &str, rows: &[(&str, &str)]| {
        roff.control("SH", [title]);
        for (term, meaning) in rows {
            roff.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
        }
    };
    list("EXIT STATUS", &MEANINGS);
    list("ENVIRONMENT", &text::ENVIRONMENT);
    list("FILES", &text::FILES);
    let examples = text::examples(subcommand, names);
    list("EXAMPLES", &examples);
    let mut others: Vec<String> =
        names.iter().filter(|name| subcommand != Some(name)).map(|name| format!("relay-console-{name}(1)")).collect();
    if subcommand.is_some() {
        others = vec!["relay-console(1)".to_owned()];
    }
    roff.control("SH", ["SEE ALSO"]).text([roman(others.join(", "))]);
    roff.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_holds_exit_codes_environment_files_and_examples() {
        let pages = pages();
        assert_eq!(pages[0].file, "relay-console.1");
        assert!(pages.iter().any(|page| page.file == "relay-console-man.1"));
        for Page { file, roff } in &pages {
            let mut rest = roff.as_str();
            let sections =
                ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"];
            for section in sections {
                let quoted = format!("\n.SH \"{section}\"\n");
                let bare = format!("\n.SH {section}\n");
                let at = rest.find(&quoted).or_else(|| rest.find(&bare));
                let Some(at) = at else { panic!("{section} is not in its place in {file}:\n{roff}") };
                rest = &rest[at + 1..];
            }
            assert!(roff.contains("MODELRELAY\\_API\\_KEY") || roff.contains("MODELRELAY_API_KEY"), "{file}");
            assert!(roff.is_ascii(), "{file}");
            assert!(rest.matches("\n.TP\n").count() > 0, "{file} has no example");
        }
    }

    #[test]
    fn every_example_can_be_typed() {
        use clap::Parser;
        let names: Vec<String> =
            CommandLine::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        let mut seen = 0;
        for subcommand in names.iter().map(|name| Some(name.as_str())).chain([None]) {
            for (line, _) in text::examples(subcommand, &names) {
                for part in line.split(" | ").filter(|part| part.starts_with("relay-console ")) {
                    let words = part.split(" > ").next().unwrap_or_default().split_whitespace();
                    CommandLine::try_parse_from(words.map(|word| word.trim_matches('\'')))
                        .and_then(CommandLine::into_command)
                        .unwrap_or_else(|error| panic!("{part}: {error}"));
                    seen += 1;
                }
            }
        }
        assert!(seen >= names.len(), "every subcommand has an example");
    }

    #[test]
    fn pages_are_written_for_the_program_and_every_subcommand() {
        let home = tempfile::TempDir::new().unwrap();
        let dir = home.path().join("share/man1");
        let paths = write(&pages(), &dir).unwrap();
        assert_eq!(paths.len(), CommandLine::command().get_subcommands().count() + 1);
        assert!(fs::read_to_string(dir.join("relay-console.1")).unwrap().contains(".TH"));
        fs::write(home.path().join("file"), "").unwrap();
        assert_eq!(write(&pages(), &home.path().join("file")).unwrap_err().0, home.path().join("file"));
    }
}
