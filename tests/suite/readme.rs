//! What the README says is held against the program.

use std::fs;
use std::path::Path;

use relay_console::app::keys;

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
        if !target.starts_with("http") {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists(), "{target} is not there");
        }
    }
}
