//! kill −9 at random moments while a script types and sends: at most the last half second of typing is lost, no file is
//! damaged, and nothing is taken twice.
//!
//! A seeded loop; `RELAY_CONSOLE_KILLS=500` makes it longer, `RELAY_CONSOLE_SEED=7` another. Its figures stand on
//! standard output (`--nocapture`).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use relay_console::api::client::{Client, EventsQuery, StreamItem};
use relay_console::api::event::EventBody;
use relay_console::api::ids::RunId;
use relay_console::store::survey;

use super::WIDE;
use super::session::Session;
use super::simulate::Simulate;

/// How many consoles are killed in the normal suite.
const KILLS: u64 = 25;

/// What may be lost: the half second of the promise, and what a busy machine takes to write it.
const LOST: Duration = Duration::from_millis(500);

/// A small generator of numbers: the same seed makes the same kills.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// One console's life: what was typed into it, and when each character was.
#[derive(Default)]
struct Typed {
    text: String,
    at: Vec<Instant>,
    sent: bool,
}

impl Typed {
    /// The characters that were typed longer ago than what may be lost.
    fn due(&self, now: Instant, slack: Duration) -> usize {
        self.at.iter().filter(|at| now.duration_since(**at) > LOST + slack).count()
    }
}

struct Figures {
    kills: u64,
    drafts: u64,
    sends: u64,
    lost_at_most: usize,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// How many results each call has in the run's events.
fn results(client: &Client, run: RunId) -> HashMap<String, usize> {
    use futures_util::StreamExt as _;
    runtime().block_on(async {
        let query = EventsQuery { wait: false, ..EventsQuery::default() };
        let mut stream = client.events(&run, &query).await.unwrap();
        let mut results = HashMap::new();
        while let Some(item) = stream.next().await {
            if let StreamItem::Event { event, .. } = item.unwrap()
                && let EventBody::NodeToolResult(body) = event.body
            {
                *results.entry(body.tool_result.tool_call.id.as_str().to_owned()).or_default() += 1;
            }
        }
        results
    })
}

fn waits(client: &Client, run: RunId) -> usize {
    runtime().block_on(async { client.pending_tools(&run).await.unwrap().value.calls().count() })
}

/// The texts of all drafts, unsent and ended; every file must be whole.
fn texts(home: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for run in survey::runs(&home.join(".local/state")) {
        assert_eq!(run.problems, [], "a file is damaged");
        texts.extend(run.drafts.into_iter().map(|draft| draft.text));
        texts.extend(run.ended.into_iter().map(|ended| ended.draft.text));
    }
    texts
}

fn opened(simulate: &Simulate, run: &str, home: &Path) -> Session {
    let mut session = Session::start_with(&[run], home, WIDE, &simulate.environment());
    session.wait_for("Waiting for you");
    // What the last one left under way is found out first; an answer that is on its way cannot be opened.
    session.wait_until("no answer is on its way", |text| !text.contains("did it arrive?"));
    session.send("w\r");
    session.wait_for("Ctrl-S");
    session
}

#[test]
fn consoles_that_are_killed_while_one_types_and_sends_lose_nothing_and_send_nothing_twice() {
    let (kills, seed) = (setting("RELAY_CONSOLE_KILLS", KILLS), setting("RELAY_CONSOLE_SEED", 42));
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let home = tempfile::tempdir().unwrap();
    let mut figures = Figures { kills: 0, drafts: 0, sends: 0, lost_at_most: 0 };
    let mut simulate = Simulate::start("50");
    let mut taken: HashMap<String, usize> = HashMap::new();
    while figures.kills < kills {
        let (client, run) = (simulate.client(), simulate.run_of("incident").to_owned());
        let run_id: RunId = run.parse().unwrap();
        if runtime().block_on(async { client.run(&run_id).await.unwrap().value.status }).is_terminal() {
            taken.extend(results(&client, run_id));
            simulate = Simulate::start("50");
            continue;
        }
        if waits(&client, run_id) == 0 {
            std::thread::yield_now();
            continue;
        }
        let mut session = opened(&simulate, &run, home.path());
        let before = texts(home.path());
        let typed = live_and_die(&mut session, &mut chance);
        figures.kills += 1;
        figures.sends += u64::from(typed.sent);
        figures.drafts += u64::from(!typed.text.is_empty());
        if !typed.sent && !typed.text.is_empty() {
            let lost = kept(&typed, &before, &texts(home.path()));
            figures.lost_at_most = figures.lost_at_most.max(lost);
        }
        for (call, count) in results(&client, run_id) {
            assert_eq!(count, 1, "{call} has {count} results");
        }
    }
    let answered = finish(&simulate, home.path(), &mut taken);
    println!(
        "kill -9: seed {seed}, {} consoles killed, {} drafts typed, {} killed around a send, at most {} characters lost, \
         {answered} calls answered, 0 twice, 0 files damaged",
        figures.kills, figures.drafts, figures.sends, figures.lost_at_most
    );
}

/// Types, perhaps sends, and is killed at a random moment of it.
fn live_and_die(session: &mut Session, chance: &mut Chance) -> Typed {
    let mut typed = Typed::default();
    // In a text of several lines none of them is mistaken for another's.
    let sends = chance.below(3) == 0;
    let count = 3 + chance.below(40);
    // Typed at the end of what the draft has.
    session.send("\x1b>");
    for n in 0..count {
        let c = char::from(b'a' + u8::try_from((n + chance.below(7)) % 26).unwrap());
        session.send(&c.to_string());
        typed.text.push(c);
        typed.at.push(Instant::now());
        std::thread::sleep(Duration::from_millis(chance.below(60)));
    }
    if sends {
        typed.sent = true;
        session.send("\x13");
        session.wait_for("Enter sends 1 result");
        session.send("\r");
        // Anywhere between the key and the verdict, or after it.
        std::thread::sleep(Duration::from_millis(chance.below(40)));
    } else {
        std::thread::sleep(Duration::from_millis(chance.below(700)));
    }
    session.signal("KILL");
    typed.at.push(Instant::now());
    session.wait_for_end();
    typed
}

/// What is on disk is what was typed at least half a second before the kill; returns how many characters are lost.
fn kept(typed: &Typed, before: &[String], after: &[String]) -> usize {
    let (killed, at) = typed.at.split_last().unwrap();
    let typed = Typed { text: typed.text.clone(), at: at.to_vec(), sent: false };
    let stems: Vec<&str> = before.iter().map(String::as_str).chain([""]).collect();
    let longest = (0..=typed.text.len()).rev().find(|cut| {
        after.iter().any(|text| stems.iter().any(|stem| *text == format!("{stem}{}", &typed.text[..*cut])))
    });
    let longest = longest.unwrap_or(0);
    // A machine that builds and tests all at once may hold a write back a little.
    let due = typed.due(*killed, Duration::from_millis(300));
    assert!(longest >= due, "{longest} of {} characters are kept, {due} had to be: {after:?}", typed.text);
    typed.text.len() - longest
}

/// Answers what is left, without a kill; each call of every run has one result in the end.
fn finish(simulate: &Simulate, home: &Path, taken: &mut HashMap<String, usize>) -> usize {
    let (client, run) = (simulate.client(), simulate.run_of("incident").to_owned());
    let run_id: RunId = run.parse().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if runtime().block_on(async { client.run(&run_id).await.unwrap().value.status }).is_terminal() {
            break;
        }
        assert!(Instant::now() < end, "the run never ends");
        if waits(&client, run_id) > 0 {
            let mut session = opened(simulate, &run, home);
            session.send("\x1b>done");
            session.send("\x13");
            session.wait_for("Enter sends 1 result");
            session.send("\r");
            session.wait_until("a verdict", |text| text.contains("accepted 1 of 1"));
            session.send("q");
            session.wait_for_end();
        }
    }
    taken.extend(results(&client, run_id));
    assert!(taken.values().all(|count| *count == 1), "{taken:?}");
    let unfinished: Vec<PathBuf> = find(home, ".new-");
    assert!(unfinished.len() <= 1, "{unfinished:?}");
    taken.len()
}

fn find(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(find(&entry.path(), prefix));
        } else if entry.file_name().to_string_lossy().starts_with(prefix) {
            found.push(entry.path());
        }
    }
    found
}
