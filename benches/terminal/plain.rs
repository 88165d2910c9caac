//! A plain decode of events, to read the program's own speed beside.
//!
//! It is what a careful reader would write who wants nothing but the fields: one pass over each line, everything typed,
//! text borrowed from the line where it has no escapes, raw where it may be any JSON. It validates no ids and no times,
//! looks for no gaps, knows only the event types that a flood has, folds nothing and writes nothing.
#![expect(dead_code, reason = "it is decoding the fields that is measured")]

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Decodes a line; its seq.
pub(crate) fn decode(line: &[u8]) -> u64 {
    let event: Event<'_> = serde_json::from_slice(line).unwrap();
    assert!(event.envelope_version == "v2" && !event.ts.is_empty() && event.run_id.len() == 36);
    std::hint::black_box(&event);
    event.seq
}

/// The fields of the event types that a flood has; none of their names is the name of two forms.
#[derive(Deserialize)]
struct Event<'a> {
    envelope_version: &'a str,
    run_id: &'a str,
    seq: u64,
    ts: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    plan_hash: Option<&'a str>,
    #[serde(borrow)]
    node_id: Option<Text<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    llm_call: Option<LlmCall<'a>>,
    #[serde(borrow)]
    tool_call: Option<Stepped<'a>>,
    #[serde(borrow)]
    tool_result: Option<Stepped<'a>>,
    #[serde(borrow)]
    error: Option<Failure<'a>>,
    #[serde(borrow)]
    output: Option<Artifact<'a>>,
    #[serde(borrow)]
    outputs: Option<Artifact<'a>>,
}

/// A text, borrowed where nothing in it is escaped. (A `Cow` within an `Option` would never be.)
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow, rename = "text_delta")]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    response_id: Option<Text<'a>>,
    #[serde(borrow)]
    model: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct LlmCall<'a> {
    step: u64,
    request_id: &'a str,
    #[serde(borrow)]
    provider: Option<Text<'a>>,
    #[serde(borrow)]
    model: Option<Text<'a>>,
    #[serde(borrow)]
    response_id: Option<Text<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(rename = "input_tokens")]
    input: Option<u64>,
    #[serde(rename = "output_tokens")]
    output: Option<u64>,
    #[serde(rename = "total_tokens")]
    total: Option<u64>,
}

#[derive(Deserialize)]
struct Stepped<'a> {
    step: u64,
    request_id: &'a str,
    #[serde(borrow)]
    tool_call: ToolCall<'a>,
    #[serde(borrow)]
    output: Option<Text<'a>>,
    #[serde(borrow)]
    error: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    arguments: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow)]
    code: Option<Text<'a>>,
    #[serde(borrow)]
    message: Text<'a>,
}

#[derive(Deserialize)]
struct Artifact<'a> {
    #[serde(rename = "artifact_key")]
    key: &'a str,
    info: Info<'a>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Info<'a> {
    bytes: u64,
    sha256: &'a str,
    included: bool,
}
