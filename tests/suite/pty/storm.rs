//! Promises "nothing lost" and "the terminal is always given back", in a storm: sizes, signals, pastes, parts of escape
//! sequences, focus and keys at random, while events stream in.
//!
//! `RELAY_CONSOLE_STORM_SEED` makes another storm, `RELAY_CONSOLE_STORM_STEPS` a longer one.

use std::time::{Duration, Instant};

use super::WIDE;
use super::endings::is_given_back;
use super::session::Session;
use super::simulate::Simulate;

const SIZES: [(u16, u16); 9] =
    [(120, 36), (80, 24), (60, 16), (59, 15), (1, 1), (2, 1), (500, 200), (1, 200), (300, 2)];

/// What reaches the program at any moment. No q: behind a part of a sequence it is a key, and the program leaves by it.
const NOISE: [&str; 18] = [
    "\x1b[",
    "\x1b[I",
    "\x1b[O",
    "\x1bO",
    "\x1b[1;5",
    "\x1b[200~zz\rzz\x1b[201~",
    "\x1b]0;x\x07",
    "\x1b[<0;1;1M",
    "\x1b[?1u",
    "\x1b[>c",
    "\t",
    "j",
    "k",
    "l",
    "\x1b[B",
    "\x1b[5~",
    "w",
    "\x0c",
];

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % bound
    }
}

/// The text of the one draft on the disk.
fn draft(home: &std::path::Path) -> String {
    let found = std::process::Command::new("find")
        .arg(home)
        .args(["-path", "*/drafts/*.json", "-exec", "cat", "{}", "+"])
        .output();
    String::from_utf8(found.unwrap().stdout).unwrap()
}

#[test]
fn a_storm_of_sizes_signals_and_broken_sequences_leaves_the_console_alive_the_draft_whole_and_the_terminal_as_it_was() {
    let mut dice = Dice(variable("RELAY_CONSOLE_STORM_SEED", 7).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let simulate = Simulate::start("3");
    let home = tempfile::tempdir().unwrap();
    let mut session = Session::start_with(&[simulate.run_of("incident")], home.path(), WIDE, &simulate.environment());
    session.wait_for("Waiting for you");
    session.open_answer();
    session.send("typed before the storm");
    session.wait_for("· saved");
    session.leave_answer();
    for _ in 0..variable("RELAY_CONSOLE_STORM_STEPS", 300) {
        match dice.below(8) {
            0 | 1 => {
                let (columns, rows) = SIZES[dice.below(SIZES.len())];
                session.resize(columns, rows);
            }
            2 => session.signal(["WINCH", "USR1", "USR2", "CONT", "ALRM", "PIPE"][dice.below(6)]),
            3 => {
                session.signal(["TSTP", "STOP"][dice.below(2)]);
                session.signal("CONT");
            }
            // A terminal of no size, as some report while they open.
            4 if dice.below(4) == 0 => session.resize_to_nothing(),
            _ => session.send(NOISE[dice.below(NOISE.len())]),
        }
        assert!(session.is_running(), "it ended in the storm:\n{}", session.text());
    }
    session.resize(WIDE.0, WIDE.1);
    let calm = Instant::now();
    // Closes what the noise may have opened: a page, a filter, an answer, a broken sequence.
    while !session.text().contains("Nodes") || session.text().contains("Ctrl-S") {
        assert!(calm.elapsed() < Duration::from_secs(20), "it does not come to rest:\n{}", session.text());
        // A stop that was handled just as its end came is ended by whoever looks, as a shell does.
        session.signal("CONT");
        session.send("\x1b");
        // Two of them at once would be another key.
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(draft(home.path()).contains("typed before the storm"), "{}", draft(home.path()));
    session.send("\x0c");
    session.send("q");
    let (code, output) = session.wait_for_end();
    assert_eq!(code, 0, "{}", output.chars().rev().take(2000).collect::<Vec<_>>().iter().rev().collect::<String>());
    is_given_back(&session, "a storm");
    let summary = output.rsplit("\x1b[?1049l").next().unwrap();
    // The noise may have begun another.
    assert!(summary.contains("unsent    ") && !summary.contains("unsent    nothing"), "{summary}");
}
