//! Completions and man pages from the real binary, tried in the real shells and by the real formatter where this
//! machine has them; a test without its tool says so and checks what it can.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_relay-console")).args(arguments).env_clear().stdin(Stdio::null()).output().unwrap()
}

fn answer(arguments: &[&str]) -> String {
    let output = program(arguments);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the tool is on this machine; says so where it is not.
#[expect(clippy::print_stdout, reason = "a test that leaves something out says so")]
fn is_there(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        println!("skipped: this machine has no {tool}");
    }
    there
}

/// What a shell of this kind prints for a script.
fn shell(shell: &str, arguments: &[&str], script: &str) -> Vec<String> {
    let output = Command::new(shell).args(arguments).arg(script).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn file(dir: &TempDir, name: &str, shell: &str) -> String {
    let path = dir.path().join(name);
    fs::write(&path, answer(&["completions", shell])).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What bash offers when the last of `words` is being typed.
fn bash_offers(script: &str, words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let last = words.len() - 1;
    let commands = format!(
        "source '{script}'; COMP_WORDS=({}); COMP_CWORD={last}; COMP_LINE='{}'; COMP_POINT=${{#COMP_LINE}}; \
         name=$(complete -p relay-console | sed 's/.* -F \\([^ ]*\\) .*/\\1/'); \
         compopt() {{ :; }}; $name relay-console '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words.join(" "),
        words[last],
        words[last - 1],
    );
    shell("bash", &["--norc", "-c"], &commands)
}

#[test]
fn bash_completes_subcommands_options_and_values() {
    if !is_there("bash") {
        return;
    }
    let home = TempDir::new().unwrap();
    let script = file(&home, "relay-console.bash", "bash");
    assert_eq!(bash_offers(&script, &["relay-console", "dem"]), ["demo"]);
    let subcommands = bash_offers(&script, &["relay-console", ""]);
    for words in crate::help::commands().iter().filter(|words| words.len() == 1) {
        assert!(subcommands.contains(&words[0]), "{words:?} is not in {subcommands:?}");
    }
    assert_eq!(bash_offers(&script, &["relay-console", "simulate", "--li"]), ["--listen"]);
    assert_eq!(bash_offers(&script, &["relay-console", "completions", ""]).len(), 3 + options("completions"));
    let key_file = home.path().join("key-of-lab");
    fs::write(&key_file, "").unwrap();
    let started = home.path().join("key-").to_str().unwrap().to_owned();
    assert_eq!(
        bash_offers(&script, &["relay-console", "follow", "--api-key-file", &started]),
        [key_file.to_str().unwrap()]
    );
}

/// How many spellings of options a subcommand has: bash offers them beside its values.
fn options(subcommand: &str) -> usize {
    use clap::CommandFactory;
    let mut program = relay_console::cli::CommandLine::command();
    program.build();
    let command = program.find_subcommand(subcommand).unwrap();
    command
        .get_arguments()
        .filter(|argument| !argument.is_positional())
        .map(|argument| usize::from(argument.get_short().is_some()) + usize::from(argument.get_long().is_some()))
        .sum()
}

#[test]
fn zsh_and_fish_take_their_scripts() {
    let home = TempDir::new().unwrap();
    let zsh = file(&home, "_relay-console", "zsh");
    assert!(fs::read_to_string(&zsh).unwrap().starts_with("#compdef relay-console"));
    if is_there("zsh") {
        let commands = format!("autoload -U compinit; compinit -u -D; source '{zsh}'; whence -w _relay-console");
        assert_eq!(shell("zsh", &["-f", "-c"], &commands), ["_relay-console: function"]);
    }
    let fish = file(&home, "relay-console.fish", "fish");
    assert!(fs::read_to_string(&fish).unwrap().contains("complete -c relay-console"));
    if is_there("fish") {
        let offers =
            shell("fish", &["--no-config", "-c"], &format!("source '{fish}'; complete -C 'relay-console dem'"));
        assert!(offers.iter().any(|offer| offer.starts_with("demo\t")), "{offers:?}");
    }
}

#[test]
fn a_shell_that_is_not_known_is_refused_with_those_that_are() {
    let output = program(&["completions", "tcsh"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(error.contains("bash, zsh, fish"), "{error}");
}

#[test]
fn man_prints_the_main_page_and_writes_one_for_each_subcommand() {
    let home = TempDir::new().unwrap();
    let dir = home.path().join("man1");
    let printed = answer(&["man", "--dir", dir.to_str().unwrap()]);
    let paths: Vec<&str> = printed.lines().collect();
    // What a subcommand has below it stands on its own page.
    let subcommands = crate::help::commands().into_iter().filter(|words| words.len() < 2);
    assert_eq!(paths.len(), subcommands.count());
    assert_eq!(fs::read_to_string(paths[0]).unwrap(), answer(&["man"]));
    if is_there("groff") {
        for path in paths {
            format_page(Path::new(path));
        }
    }
}

/// Formats a page; every warning is a failure.
fn format_page(path: &Path) {
    let output = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-rLL=100n"]).arg(path).output().unwrap();
    let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && warnings.is_empty(), "{}: {warnings}", path.display());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("MODELRELAY") || text.contains("M\u{8}M"), "{}", path.display());
}

#[test]
fn man_pages_that_cannot_be_written_are_refused_with_the_place() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"not a directory").unwrap();
    let output = program(&["man", "--dir", file.path().to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(error.contains(&format!("cannot write {}", file.path().display())), "{error}");
}
