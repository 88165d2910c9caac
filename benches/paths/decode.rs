//! A line of the stream to an event: beside reading its JSON and ignoring it, and beside a plain borrowed decode that
//! checks nothing.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use relay_console::api::event::Decoder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Lines of each benchmark.
const LINES: u64 = 20_000;

/// A run's events, most of them streamed text, as a flood has them.
pub(crate) fn lines(count: u64) -> String {
    let run = "550e8400-e29b-41d4-a716-446655440000";
    let request = "550e8400-e29b-41d4-a716-446655440001";
    let words = "the error rate rose at noon right after the deploy of api, the pool size é";
    let mut text = String::new();
    for seq in 1..=count {
        let (second, milli, node, step) = (seq / 1000 % 60, seq % 1000, seq % 200, seq % 5);
        let _ = write!(
            text,
            r#"{{"envelope_version":"v2","run_id":"{run}","seq":{seq},"ts":"2026-11-01T00:00:{second:02}.{milli:03}Z","type":"#
        );
        let _ = match seq % 20 {
            0 => writeln!(
                text,
                r#""node_llm_call","node_id":"node_{node}","llm_call":{{"step":{step},"request_id":"{request}","provider":"anthropic","model":"claude-sonnet-4-5","response_id":"r","stop_reason":"tool_use","usage":{{"input_tokens":100,"output_tokens":20,"total_tokens":120}}}}}}"#
            ),
            1 => writeln!(
                text,
                r#""node_tool_call","node_id":"node_{node}","tool_call":{{"step":{step},"request_id":"{request}","tool_call":{{"id":"call_{seq}","name":"fs.search","arguments":"{{\"q\": \"{words}\"}}"}}}}}}"#
            ),
            2 => writeln!(
                text,
                r#""node_tool_result","node_id":"node_{node}","tool_result":{{"step":{step},"request_id":"{request}","tool_call":{{"id":"call_{seq}","name":"fs.search"}},"output":"{words}{words}"}}}}"#
            ),
            3 => writeln!(text, r#""node_started","node_id":"node_{node}"}}"#),
            _ => writeln!(
                text,
                r#""node_output_delta","node_id":"node_{node}","delta":{{"kind":"message_delta","text_delta":"{words}","response_id":"resp_1"}}}}"#
            ),
        };
    }
    text
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "the reference only decodes")]
struct Plain<'a> {
    envelope_version: &'a str,
    run_id: &'a str,
    seq: u64,
    ts: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(borrow)]
    node_id: Cow<'a, str>,
    #[serde(borrow)]
    delta: Option<PlainDelta<'a>>,
    #[serde(borrow)]
    llm_call: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_call: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "the reference only decodes")]
struct PlainDelta<'a> {
    kind: &'a str,
    #[serde(borrow)]
    text_delta: Cow<'a, str>,
    response_id: &'a str,
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let text = lines(LINES);
    let lines: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(LINES)).sample_size(20);
    group.bench_function("reference: read and ignored", |bencher| {
        bencher.iter(|| {
            for line in &lines {
                black_box(serde_json::from_slice::<IgnoredAny>(line).unwrap());
            }
        });
    });
    group.bench_function("reference: plain borrowed decode", |bencher| {
        bencher.iter(|| {
            for line in &lines {
                black_box(serde_json::from_slice::<Plain<'_>>(line).unwrap());
            }
        });
    });
    group.bench_function("events", |bencher| {
        let mut decoder = Decoder::default();
        bencher.iter(|| {
            for line in &lines {
                black_box(decoder.decode(line).unwrap());
            }
        });
    });
    group.finish();
}
