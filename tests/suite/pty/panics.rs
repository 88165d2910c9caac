//! Promise "the terminal is always given back": when a thread panics.
//!
//! The program has no way to panic on request, and gets none. The helpers here are this same test binary, started again
//! in a pseudo-terminal on one ignored test: the program's own session and ending, with a part that panics put in.

use std::time::Duration;

use portable_pty::CommandBuilder;
use relay_console::api::client::ClientSource;
use relay_console::api::ids::RunId;
use relay_console::app::Identity;
use relay_console::cli::runtime::block_on;
use relay_console::cli::session::Session as ConsoleSession;
use relay_console::cli::{Failure, outcome};
use relay_console::console::terminal::Terminal;
use relay_console::run::Prices;
use relay_console::settings::Preferences;

use super::WIDE;
use super::endings::is_given_back;
use super::session::Session;

/// Text of a server in a panic's message.
const FOREIGN: &str = "cut \u{1b}[31m\u{202e}red";

fn start(helper: &str) -> Session {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("pty::panics::{helper}"), "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("TERM", "xterm-256color");
    Session::spawn(command, WIDE)
}

fn is_an_internal_error(helper: &str) {
    let mut session = start(helper);
    let (code, output) = session.wait_for_end();
    assert!(output.contains("\x1b[?1049h"), "it never took the terminal: {output}");
    assert_eq!(code, 70, "{output}");
    is_given_back(&session, helper);
    let afterwards = output.rsplit("\x1b[?1049l").next().unwrap();
    assert!(afterwards.contains("internal error") && afterwards.contains("cut \\u{1b}[31m\\u{202e}red"), "{output}");
    assert!(!afterwards.contains('\x1b'), "the message must be inert: {afterwards:?}");
}

#[test]
fn a_panic_of_another_thread_gives_the_terminal_back_and_is_an_internal_error() {
    is_an_internal_error("helper_whose_client_panics");
}

#[test]
fn a_panic_while_drawing_gives_the_terminal_back_and_is_an_internal_error() {
    is_an_internal_error("helper_whose_drawing_panics");
}

#[test]
#[ignore = "started by the tests above, in a pseudo-terminal"]
fn helper_whose_client_panics() {
    let session = ConsoleSession {
        identity: Identity {
            server: "test".into(),
            run_id: RunId::random(),
            prices: Prices::new(),
            instance: uuid::Uuid::new_v4(),
        },
        clients: ClientSource::new(|| panic!("{FOREIGN}")),
        state: Err("a test keeps nothing".into()),
        problems: Vec::new(),
        is_demo: false,
        preferences: Preferences {
            journal: false,
            include_output: true,
            ascii: false,
            color: true,
            mouse: true,
            idle_timeout: Duration::from_secs(15),
            prices: indexmap::IndexMap::new(),
        },
        command: vec!["relay-console".into()],
    };
    std::process::exit(outcome(|| block_on(session.run())).code().into());
}

#[test]
#[ignore = "started by the tests above, in a pseudo-terminal"]
fn helper_whose_drawing_panics() {
    let work = || {
        let mut terminal = Terminal::enter(true).map_err(Failure::internal)?;
        terminal.draw(|_| panic!("{FOREIGN}")).map_err(Failure::internal)?;
        Ok(relay_console::cli::Exit::Done)
    };
    std::process::exit(outcome(work).code().into());
}
