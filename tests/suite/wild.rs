//! What servers gone wild send, through the real program: lines over the limit, lines that never end, garbage without
//! end. Memory and output stay bounded, and what was left out is told and counted.

use crate::raw_server::{Act, Request, stream_head};
use crate::stream_bench::{Bench, Running, after, ended, event, lines, open, snapshot, started};

const MIB: usize = 1024 * 1024;

/// The most resident memory that the program has had, in bytes (`VmHWM`).
fn peak(running: &Running) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// A line of 64 MiB that claims seq 2.
fn long() -> Vec<u8> {
    let mut line = started(2).trim_end_matches('}').to_owned().into_bytes();
    line.extend_from_slice(br#","padding":""#);
    line.resize(64 * MIB, b'x');
    line
}

#[cfg(target_os = "linux")]
#[test]
fn a_line_of_64_mib_is_skipped_with_a_word_and_in_bounded_memory() {
    let server = || {
        Bench::raw(|request: &Request, _| match (request.line.contains("/events"), after(request)) {
            (false, _) => snapshot("running"),
            (true, 0) => {
                let [first, rest] = [started(1), format!("\n{}\n", started(3))];
                vec![
                    stream_head(),
                    Act::Send(first.into_bytes()),
                    Act::Send(b"\n".to_vec()),
                    Act::Send(long()),
                    Act::Send(rest.into_bytes()),
                ]
            }
            (true, known) if known < 4 => open(&[event(4, r#""node_succeeded","node_id":"n""#)]),
            _ => open(&[]),
        })
    };
    let bench = server();
    let mut watch = bench.start("watch", &["--from-start"]);
    watch.line_with("n started");
    let before = peak(&watch);
    let told = watch.line_with("at seq 2");
    assert!(told.contains("a line of 67108864 bytes, over the limit of 16777216"), "{told}");
    watch.line_with("n succeeded");
    let grown = peak(&watch) - before;
    println!("resident memory grew by {} MiB for a line of 64 MiB", grown / MIB);
    assert!(grown < 48 * MIB, "it grew by {} MiB", grown / MIB);
    watch.kill();
    let bench = server();
    let printed = bench.run("events", &["--limit", "4"]);
    assert_eq!(printed.code, Some(8), "{}", printed.stderr);
    assert_eq!(printed.lines().len(), 3, "{:?}", printed.lines());
    assert!(
        printed.stderr.contains("a line of 67108864 bytes") && printed.stderr.contains("1 unreadable line"),
        "{}",
        printed.stderr
    );
}

#[test]
fn a_line_that_never_ends_is_doubted_once_it_is_over_the_limit() {
    let bench = Bench::raw(|request: &Request, _| match (request.line.as_str(), after(request)) {
        (line, _) if !line.contains("/events") => snapshot("running"),
        // A probe is not answered, so that the doubt is told.
        (line, _) if line.contains("limit=") => vec![Act::Hold],
        (line, 0) if line.contains("wait=false") => lines(&[started(1)]),
        (line, _) if line.contains("wait=false") => lines(&[]),
        _ => {
            let piece = || Act::Send(vec![b'x'; MIB]);
            let mut acts = vec![stream_head()];
            // It goes on for longer than the test takes.
            acts.extend((0..17).map(|_| piece()));
            acts.push(Act::Trickle(vec![b'x'; 64 * MIB]));
            acts
        }
    });
    let mut watch = bench.start("watch", &["--idle-timeout", "4s"]);
    watch.line_with("live");
    watch.line_with("stale: nothing heard since");
    watch.kill();
}

#[test]
fn garbage_without_end_floods_neither_the_log_of_watch_nor_the_words_of_events() {
    let bench = Bench::raw(|request: &Request, _| match (request.line.contains("/events"), after(request)) {
        (false, _) => snapshot("succeeded"),
        (true, 0) => {
            let mut all = vec![started(1)];
            all.extend((0..20_000).map(|n| format!("garbage {n}")));
            all.push(ended(2, "completed"));
            lines(&all)
        }
        _ => lines(&[]),
    });
    let watched = bench.run("watch", &["--from-start"]);
    let told = watched.lines();
    assert_eq!(watched.code, Some(0), "{}", watched.stderr);
    assert!(told.len() < 40, "{} lines", told.len());
    assert!(
        told.iter()
            .any(|line| line.contains("19980 problems only counted") || line.contains("19,980 problems only counted")),
        "{told:?}"
    );
    let printed = bench.run("events", &[]);
    assert_eq!((printed.code, printed.lines().len()), (Some(8), 2));
    assert!(printed.stderr.lines().count() < 40, "{}", printed.stderr);
}

#[test]
fn watch_ends_where_the_run_has_ended_and_its_last_events_cannot_be_read() {
    let bench = Bench::raw(|request: &Request, _| match (request.line.contains("/events"), after(request)) {
        (false, _) => snapshot("failed"),
        (true, 0) => lines(&[started(1)]),
        (true, _) => vec![stream_head(), Act::Send(started(2).as_bytes()[..40].to_vec()), Act::Reset],
    });
    let watched = bench.run("watch", &[]);
    assert_eq!(watched.code, Some(1), "{}", watched.stderr);
    let told = watched.lines();
    assert!(told.iter().any(|line| line.contains("the events cannot be read to their end")), "{told:?}");
    assert!(told.iter().any(|line| line.contains("run failed")), "{told:?}");
}
