//! The whole program in the matrix: the real binary in a pseudo-terminal follows a run under faults, and its calls are
//! answered by keys as an operator answers them, until the first line says that the run has succeeded.
//!
//! What was applied is read from the journal on disk: every event of the server's log once, in order, byte for byte. In
//! some rows the console is killed with SIGKILL while one types and while it sends, and the next one goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use relay_console::api::event::{Decoded, decode};
use relay_console::api::ids::RunId;
use relay_console::api::tool::QuestionAnswer;
use relay_console::simulator::{Simulator, Submission};
use relay_console::store::survey::{self, KeptRun};
use relay_console::store::{Ending, journal};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{FAULTS, SCENARIOS, Tally, print, seeds, simulator};
use crate::pty::session::Session;

/// The faults that matter most to the whole program, by their names in [`FAULTS`].
const ROWS: &[&str] = &[
    "none",
    "cut",
    "cut answers",
    "stall",
    "lost request",
    "lost answer",
    "false 503",
    "restart",
    "skip",
    "gap",
    "duplicate",
    "reorder",
    "from start",
    "garbage",
    "partial",
    "rival",
    "stale pending",
    "all at once",
];

/// Those in which consoles are killed besides.
const KILLED_ROWS: &[&str] = &["cut", "all at once"];

/// So many consoles at a time: they wait more than they work.
const AT_A_TIME: usize = 10;

/// The longest that a run may take, faults and kills and all.
const BOUND: Duration = Duration::from_secs(90);

/// Keys may meet a screen that has just changed; then they are pressed again after so long.
const AGAIN: Duration = Duration::from_secs(3);

const SIZE: (u16, u16) = (120, 36);

/// When a console is killed while a call is answered; after the last one, none is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kill {
    /// A text stands in the editor, and is on disk.
    Typed,
    /// The submission has arrived, and the console may not know it.
    Sent,
}

/// The operator at the terminal.
struct Operator {
    session: Session,
    home: TempDir,
    simulator: Arc<Simulator>,
    run_id: RunId,
    /// The texts that were typed, each of which no other has.
    typed: Vec<String>,
    /// Whether an option was chosen where an answer of one's own would do.
    has_chosen: bool,
    /// The kills to come, the next one last.
    kills: Vec<Kill>,
    end: Instant,
}

fn start(simulator: &Simulator, home: &TempDir, run_id: RunId) -> Session {
    let environment = [("MODELRELAY_API_BASE_URL", simulator.base_url()), ("MODELRELAY_API_KEY", simulator.api_key())];
    Session::start_with(&[&run_id.to_string(), "--idle-timeout", "1s"], home.path(), SIZE, &environment)
}

/// Whether the first line says that the run is over, and that nothing more comes.
fn over(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.contains("ended") && ["succeeded", "failed", "canceled"].iter().any(|status| first.contains(status))
}

fn waits(text: &str) -> bool {
    text.contains("Waiting for you")
}

/// Whether no submission is on its way.
fn settled(text: &str) -> bool {
    !["sending", "did it arrive?", "Review: nothing is sent yet"].iter().any(|words| text.contains(words))
}

fn in_editor(text: &str) -> bool {
    text.contains("Ctrl-S")
}

fn on_page(text: &str) -> bool {
    text.contains("Down scroll") && !in_editor(text)
}

/// Whether an error stands in the footer, until it is left.
fn has_error(text: &str) -> bool {
    !in_editor(text) && text.lines().rev().take(4).any(|line| line.starts_with(" ✗ "))
}

/// Whether nothing is written in the editor yet: it says what is to be written.
fn is_empty(text: &str) -> bool {
    ["the tool's result", "your answer", "Up and Down choose"].iter().any(|words| text.contains(&format!("┃ {words}")))
}

impl Operator {
    fn follow(&mut self) {
        loop {
            let left = self.end.saturating_duration_since(Instant::now());
            let next = self.session.wait_at_most(left, |text| {
                in_editor(text) || on_page(text) || (settled(text) && (over(text) || waits(text)))
            });
            let text = next.unwrap_or_default();
            assert!(!left.is_zero() && !text.is_empty(), "not at its end after {BOUND:?}\n{}", self.session.text());
            if in_editor(&text) || on_page(&text) || has_error(&text) {
                self.leave();
            } else if over(&text) {
                return;
            } else {
                self.answer();
            }
        }
    }

    /// `Esc`, and what it leaves is gone: an editor or a page, else the error in the footer.
    fn leave(&mut self) {
        let text = self.session.text();
        let leaves_error = !in_editor(&text) && !on_page(&text);
        self.session.send("\x1b");
        let stands = |text: &str| in_editor(text) || on_page(text) || (leaves_error && has_error(text));
        self.session.wait_at_most(AGAIN, |text| !stands(text));
    }

    /// Goes to the next waiting call and answers it; a draft whose call is over is put away.
    fn answer(&mut self) {
        self.session.send("w");
        if self.session.wait_at_most(AGAIN, |text| text.contains("▸")).is_none() {
            return;
        }
        self.session.send("\r");
        let opened = self.session.wait_at_most(AGAIN, |text| in_editor(text) || on_page(text) || !waits(text));
        let Some(text) = opened else { return };
        if on_page(&text) {
            self.session.send("x");
            self.session.wait_at_most(AGAIN, |text| !on_page(text));
        } else if in_editor(&text) {
            self.write(&text);
        }
    }

    /// Writes what the open call asks for, unless a draft stands there already, and sends it.
    fn write(&mut self, text: &str) {
        if is_empty(text) {
            let may_be_own = !text.contains("no other answer is taken");
            // Of the questions that take both, the first gets an option.
            if text.contains("choose an option") && !(may_be_own && std::mem::replace(&mut self.has_chosen, true)) {
                self.session.send("\x1b[B");
            } else {
                let text = format!(r#"{{"mine": "{}"}}"#, Uuid::new_v4());
                self.session.send(&text);
                self.typed.push(text);
            }
        }
        if self.kills.last() == Some(&Kill::Typed) {
            return self.kill_once(|operator| operator.typed.iter().all(|text| operator.is_safe(text)));
        }
        self.send();
    }

    /// Reviews and sends. Where the call goes away meanwhile, the text stays a draft.
    fn send(&mut self) {
        let offers = self.offers();
        let may_send = |text: &str| text.contains("Enter sends 1 result");
        let gone = |text: &str| in_editor(text) && text.contains("no longer waits");
        self.session.send("\x13");
        let mut text = String::new();
        while !settled(&text) || text.is_empty() {
            // A review that says something new takes no keys until it has stood for a while.
            let reviewed = self.session.wait_at_most(AGAIN, |text| may_send(text) || gone(text));
            if reviewed.is_none_or(|text| gone(&text)) {
                return;
            }
            self.session.send("\r");
            if self.kills.last() == Some(&Kill::Sent) {
                return self.kill_once(|operator| operator.offers() > offers);
            }
            let swallowed = |text: &str| text.contains("That key was not taken");
            text = self.session.wait_until("a verdict", |text| settled(text) || swallowed(text) || gone(text));
        }
    }

    /// What stands on disk.
    fn kept(&self) -> KeptRun {
        survey::runs(&self.home.path().join(".local/state")).pop().unwrap()
    }

    /// Whether a text that was typed is safe: on disk, or with the server.
    fn is_safe(&self, text: &str) -> bool {
        let kept = self.kept();
        let mut drafts = kept.drafts.iter().chain(kept.ended.iter().map(|ended| &ended.draft));
        let submissions = self.simulator.submissions(self.run_id);
        drafts.any(|draft| draft.text.trim() == text) || submissions.iter().any(|of_call| is_taken(of_call, text))
    }

    /// How often any result has arrived.
    fn offers(&self) -> u64 {
        let submissions = self.simulator.submissions(self.run_id);
        submissions.iter().flat_map(|submission| &submission.offers).map(|offer| offer.times).sum()
    }

    /// Kills the console at that moment: between what the server has done and what the operator is told.
    fn kill_once(&mut self, due: impl Fn(&Self) -> bool) {
        let end = Instant::now() + AGAIN;
        while !due(self) && Instant::now() < end {
            std::thread::yield_now();
        }
        self.kill();
    }

    fn kill(&mut self) {
        self.kills.pop();
        self.session.signal("KILL");
        self.session.wait_for_end();
        self.session = start(&self.simulator, &self.home, self.run_id);
    }

    /// What the console says of the stream, once it has compared it with the snapshot; and leaves the console.
    fn verdict(&mut self) -> (u64, bool) {
        self.session.send("o");
        let verdicts = ["agrees with the server's", "differs from the server's"];
        let text = self.session.wait_until("a verdict on the stream", |text| {
            text.contains("The event stream") && verdicts.iter().any(|verdict| text.contains(verdict))
        });
        let stream = text.lines().find(|line| line.contains("in order")).unwrap();
        let events: String = stream.split(" event").next().unwrap().chars().filter(char::is_ascii_digit).collect();
        let agrees = text.contains(verdicts[0]);
        self.session.send("\x1b");
        self.session.wait_until("no page", |text| !on_page(text));
        self.session.send("q");
        let (code, _) = self.session.wait_for_end();
        assert_eq!(code, 0, "the console was left");
        (events.parse().unwrap(), agrees)
    }
}

/// Whether the server has taken this draft's text for a call.
fn is_taken(submission: &Submission, text: &str) -> bool {
    let Some(taken) = submission.taken.as_ref().filter(|taken| !taken.rival) else { return false };
    let said = serde_json::from_str::<QuestionAnswer>(&taken.output).map(|said| said.answer);
    taken.output.trim() == text.trim() || said.is_ok_and(|said| said == text.trim())
}

/// Compares what stands on disk with what the server has.
fn judge(operator: &Operator, tally: &mut Tally) {
    let (kept, submissions) = (operator.kept(), operator.simulator.submissions(operator.run_id));
    for ended in kept.ended.iter().filter(|ended| ended.ending == Ending::Accepted) {
        let of_call = submissions.iter().find(|submission| submission.call == ended.draft.key);
        tally.results_lost += u64::from(!of_call.is_some_and(|of_call| is_taken(of_call, &ended.draft.text)));
    }
    let lost = operator.typed.iter().filter(|text| !operator.is_safe(text));
    tally.wrong.extend(lost.map(|text| format!("nobody has what was typed: {text} {:?}", kept.ended)));
    tally.wrong.extend(kept.problems.iter().map(|problem| format!("damaged: {problem:?}")));
    let dir = kept.state.path();
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    tally.wrong.extend(names.filter(|name| name.starts_with(journal::SET_ASIDE_PREFIX)));
    let written = std::fs::read(dir.join(journal::FILE_NAME)).unwrap();
    compare_events(&operator.simulator, operator.run_id, &written, tally);
}

/// Every event of the log stands in the journal once, in order, byte for byte.
fn compare_events(simulator: &Simulator, run_id: RunId, written: &[u8], tally: &mut Tally) {
    let (log, gaps) = (simulator.log_lines(run_id, true), simulator.gaps(run_id));
    let mut seqs = Vec::new();
    for line in written.split_inclusive(|byte| *byte == b'\n') {
        let marked = line.ends_with(b"\r\n");
        let line = line.trim_ascii_end();
        match decode(line) {
            Ok(Decoded::Event(event)) => {
                let there = usize::try_from(event.seq - 1).ok().and_then(|at| log.get(at));
                if there.is_none_or(|there| there.trim_ascii_end() != line) {
                    tally.wrong.push(format!("event {} is another: {}", event.seq, String::from_utf8_lossy(line)));
                }
                seqs.push(event.seq);
            }
            // A line that the server has broken is kept and marked.
            _ if marked => {}
            _ => tally.wrong.push(format!("a damaged line: {}", String::from_utf8_lossy(line))),
        }
    }
    tally.events = seqs.len() as u64;
    let wanted = (1..=log.len() as u64).filter(|seq| !gaps.contains(seq));
    tally.lost += wanted.filter(|seq| !seqs.contains(seq)).count() as u64;
    let mut seen = std::collections::BTreeSet::new();
    tally.duplicated += seqs.iter().filter(|seq| !seen.insert(**seq)).count() as u64;
    tally.disordered += seqs.windows(2).filter(|pair| pair[0] > pair[1]).count() as u64;
}

/// The console's part: everything that waits for a screen or a process.
fn play(simulator: &Arc<Simulator>, killed: bool) -> Tally {
    let (home, run_id) = (tempfile::tempdir().unwrap(), simulator.runs()[0].run_id);
    let session = start(simulator, &home, run_id);
    let kills = if killed { vec![Kill::Sent, Kill::Typed, Kill::Sent, Kill::Typed] } else { Vec::new() };
    let (simulator, end) = (Arc::clone(simulator), Instant::now() + BOUND);
    let mut operator = Operator { session, home, simulator, run_id, typed: Vec::new(), has_chosen: false, kills, end };
    operator.follow();
    let text = operator.session.text();
    let (events, agrees) = operator.verdict();
    let mut tally = Tally::default();
    judge(&operator, &mut tally);
    if !text.lines().next().unwrap_or_default().contains("succeeded") {
        tally.wrong.push(format!("the run has not succeeded:\n{text}"));
    }
    if !agrees && operator.simulator.gaps(run_id).is_empty() {
        tally.wrong.push("the console says that the snapshot differs".to_owned());
    }
    if events != tally.events {
        tally.wrong.push(format!("the console says {events} events, the journal has {}", tally.events));
    }
    if killed && operator.kills.len() > 2 {
        tally.wrong.push(format!("the kills {:?} did not happen", operator.kills));
    }
    tally
}

async fn follow_and_answer(scenario: &str, faults: &str, seed: u64, killed: bool) -> Tally {
    let simulator = Arc::new(simulator(scenario, faults, seed).await);
    let begun = Instant::now();
    let played = {
        let simulator = Arc::clone(&simulator);
        tokio::task::spawn_blocking(move || play(&simulator, killed)).await
    };
    let mut tally = played.unwrap_or_else(|error| {
        let panic = error.into_panic();
        let words = panic.downcast::<String>().map_or_else(|_| "it panicked".to_owned(), |words| *words);
        Tally { wrong: vec![words], ..Tally::default() }
    });
    (tally.runs, tally.seconds) = (1, begun.elapsed().as_secs());
    tally.count_submissions(&simulator);
    for wrong in &mut tally.wrong {
        wrong.insert_str(0, &format!("{scenario}, seed {seed}: "));
    }
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_misses_loses_and_repeats_nothing_whatever_fault_it_meets_and_whoever_kills_it() {
    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let killed = KILLED_ROWS.iter().map(|name| (*name, true));
    let named = killed.chain(ROWS.iter().map(|name| (*name, false)));
    let mut rows = Vec::new();
    for (row, (name, killed)) in named.enumerate() {
        let faults = FAULTS.iter().find(|(known, _)| *known == name).unwrap().1;
        let cells: Vec<_> = (1..=seeds())
            .map(|seed| {
                let (room, scenario) = (Arc::clone(&room), SCENARIOS[(row + usize::try_from(seed).unwrap() + 1) % 2]);
                tokio::spawn(async move {
                    let _permit = room.acquire_owned().await.unwrap();
                    follow_and_answer(scenario, faults, seed, killed).await
                })
            })
            .collect();
        rows.push((if killed { format!("{name}, killed") } else { name.to_owned() }, cells));
    }
    let mut table = Vec::new();
    for (name, cells) in rows {
        let mut tally = Tally::default();
        for cell in cells {
            tally.add(cell.await.unwrap());
        }
        table.push((name, tally));
    }
    print("the console in a terminal", &table);
    let unclean: Vec<_> = table.iter().filter(|(_, tally)| !tally.is_clean()).collect();
    for (name, tally) in &unclean {
        eprintln!("{name}: {}", tally.wrong.join("\n"));
    }
    assert!(unclean.is_empty(), "{} rows are not clean", unclean.len());
    let silent: Vec<_> = table.iter().filter(|(name, tally)| name != "none" && tally.faults == 0).collect();
    assert!(silent.is_empty(), "faults that never happened prove nothing: {silent:?}");
}
