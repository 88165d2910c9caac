//! What the README says is held against the program.

use std::fs;
use std::path::Path;

use relay_console::app::keys;
use relay_console::cli::{CommandLine, exit};

const BEGIN: &str = "<!-- keys: made from src/app/keys.rs and held equal by a test -->\n\n";
const END: &str = "\n<!-- /keys -->";

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_table_of_keys_is_the_programs_own() {
    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the README has a table of keys");
    let (table, after) = rest.split_once(END).expect("the table of keys has an end");
    let wanted = keys::markdown();
    if std::env::var_os("UPDATE_README").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        fs::write(path, format!("{before}{BEGIN}{}{END}{after}", wanted.trim_end_matches('\n').to_owned() + "\n"))
            .unwrap();
        return;
    }
    assert_eq!(
        table.trim(),
        wanted.trim(),
        "the keys have changed: UPDATE_README=1 cargo test the_table_of_keys writes the table anew"
    );
}

#[test]
fn the_check_runs_the_test_command_of_the_readme() {
    let command = "cargo test --locked";
    assert!(read("README.md").contains(&format!("\n    {command}\n")));
    assert!(read(".ci/run").lines().any(|line| line == command));
}

#[test]
fn every_file_that_the_readme_links_to_is_there() {
    let readme = read("README.md");
    for link in readme.split("](").skip(1) {
        let target = link.split(')').next().unwrap();
        if !target.starts_with("http") && !target.starts_with('#') {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists(), "{target} is not there");
        }
    }
}

#[test]
fn the_table_of_exit_codes_is_the_programs_own() {
    let readme = read("README.md");
    let (_, table) = readme.split_once("| exit code | meaning |\n| --- | --- |\n").expect("there is a table");
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let wanted: Vec<String> = exit::MEANINGS.iter().map(|(code, meaning)| format!("| {code} | {meaning} |")).collect();
    assert_eq!(rows, wanted);
}

#[test]
fn every_subcommand_stands_in_the_readme() {
    use clap::CommandFactory as _;
    let readme = read("README.md");
    let (_, shell) = readme.split_once("## From the shell").expect("there is a chapter on the shell");
    for command in CommandLine::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        assert!(shell.contains(&format!("`{name}")), "{name} is in no row of the table of commands");
    }
}
