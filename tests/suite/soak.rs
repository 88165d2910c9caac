//! The soak: the real console in a pseudo-terminal follows a run that goes on and on over a link that keeps breaking,
//! and its resident memory is sampled each second. It must be flat once everything that is kept has reached its bound.
//!
//! `--nocapture` shows the curve; `RELAY_CONSOLE_SOAK_SECONDS` asks for longer than the suite has time for.

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use crate::pty::session::{Session, command};
use crate::raw_server::{Act, Request, json, stream_head};
use crate::stream_bench::{Bench, RUN, after, event, snapshot};

const SECONDS: u64 = 21;

/// How fast the run goes on, in events a second, and how many one connection brings before it breaks.
const RATE: u64 = 4_000;
const A_CONNECTION: u64 = 2_000;

/// What may come and go between two samples: batches under way, and what the allocator gives back late.
const WAVERING: u64 = 6;

const STEP: &str = r#""step":1,"request_id":"550e8400-e29b-41d4-a716-446655440001""#;

/// An event of a run in which three nodes work by turns and for ever: text, calls, results, waits, outputs.
fn endless(seq: u64) -> String {
    let node = seq / 10 % 3;
    let call = format!(r#"{{"id":"c{}","name":"look"}}"#, seq / 10);
    let rest = match seq % 10 {
        0 => format!(r#""node_started","node_id":"n{node}""#),
        1 => format!(
            r#""node_tool_call","node_id":"n{node}","tool_call":{{{STEP},"tool_call":{{"id":"c{}","name":"look","arguments":"{{\"at\":{seq}}}"}}}}"#,
            seq / 10
        ),
        2 => format!(
            r#""node_tool_result","node_id":"n{node}","tool_result":{{{STEP},"tool_call":{call},"output":"{}"}}"#,
            "seen ".repeat(40)
        ),
        3 => format!(
            r#""node_llm_call","node_id":"n{node}","llm_call":{{{STEP},"provider":"anthropic","model":"m","usage":{{"input_tokens":10,"output_tokens":5}}}}"#
        ),
        4 => format!(
            r#""node_waiting","node_id":"n{node}","waiting":{{{STEP},"reason":"tools","pending_tool_calls":[{{"tool_call":{call}}}]}}"#
        ),
        5 => format!(
            r#""node_tool_result","node_id":"n{node}","tool_result":{{{STEP},"tool_call":{call},"output":"by another"}}"#
        ),
        9 => format!(r#""node_succeeded","node_id":"n{node}""#),
        _ => format!(
            r#""node_output_delta","node_id":"n{node}","delta":{{"kind":"message_delta","text_delta":"{seq} {}"}}"#,
            "grüße 🦀 ".repeat(20)
        ),
    };
    event(seq, &rest)
}

/// A server whose run goes on with the clock, and whose connections break, repeat themselves and garble now and then.
fn server() -> Bench {
    let begun = Instant::now();
    Bench::raw(move |request: &Request, before| {
        if request.line.contains("/pending-tools") {
            return json(&format!(r#"{{"run_id":"{RUN}","pending":[]}}"#));
        }
        if !request.line.contains("/events") {
            return snapshot("running");
        }
        let written = u64::try_from(begun.elapsed().as_millis()).unwrap() * RATE / 1000;
        let known = after(request);
        let mut text = String::new();
        for seq in (known.saturating_sub(3) + 1..=written).take(usize::try_from(A_CONNECTION).unwrap()) {
            text.push_str(&endless(seq));
            text.push('\n');
            if seq % 500 == 0 {
                text.push_str("garbage\n");
            }
        }
        let mut acts = vec![stream_head(), Act::Send(text.into_bytes())];
        if !request.line.contains("wait=false") {
            acts.push(Act::Send(endless(written + 1).into_bytes()[..50].to_vec()));
            acts.push(if before % 2 == 0 { Act::Reset } else { Act::Send(Vec::new()) });
        }
        acts
    })
}

/// Resident memory in MiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
fn memory_is_flat_while_a_run_goes_on_over_a_link_that_keeps_breaking() {
    let seconds = std::env::var("RELAY_CONSOLE_SOAK_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let seconds = seconds.unwrap_or(SECONDS).max(9);
    let bench = server();
    let environment = bench.environment();
    let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut session = Session::spawn(command(&[RUN], bench.program.home.path(), &environment), (120, 36));
    session.wait_for("Nodes");
    // A sample each second is what this is about: nothing is waited for.
    let curve: Vec<u64> = (0..seconds)
        .map(|_| {
            std::thread::sleep(Duration::from_secs(1));
            resident(session.process_id())
        })
        .collect();
    let asked = bench.requests();
    let read = asked.iter().filter_map(|line| line.split("after_seq=").nth(1)?.split('&').next()?.parse::<u64>().ok());
    let (read, requests) = (read.max().unwrap_or(0), asked.len());
    println!("{read} events over {requests} requests; resident memory each second, in MiB: {curve:?}");
    session.send("q");
    session.wait_for_end();
    let third = curve.len() / 3;
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or(0);
    let (middle, last) = (most(&curve[third..2 * third]), most(&curve[2 * third..]));
    assert!(read > 15_000, "only {read} events were read: what is kept has not reached its bounds");
    assert!(last <= middle + WAVERING, "it grew from {middle} to {last} MiB: {curve:?}");
}
