//! Every published type, every way to break the protocol, and what must be kept although nobody knows it.

use serde_json::Value;

use super::*;
use crate::api::ndjson::{Line, LineSplitter};

/// One event of each published type, with every field that the type has.
const SAMPLES: &str = include_str!("samples.ndjson");

fn event(line: &str) -> Event {
    match decode(line.as_bytes()) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("{line}: {other:?}"),
    }
}

/// The sample of `type_name`, with the first `from` replaced by `to`.
fn sample_with(type_name: &str, from: &str, to: &str) -> String {
    let tag = format!(r#""type":"{type_name}""#);
    let sample = SAMPLES.lines().find(|line| line.contains(&tag)).unwrap();
    assert!(sample.contains(from), "{sample} has no {from}");
    sample.replacen(from, to, 1)
}

#[test]
fn each_of_the_28_types_is_read_into_its_own_type_and_written_the_same() {
    let mut types = Vec::new();
    for (line, seq) in SAMPLES.lines().zip(1..) {
        let event = event(line);
        assert!(!matches!(event.body, EventBody::Unknown(_)), "{line}");
        assert_eq!(event.seq, seq);
        let written: Value = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(line).unwrap());
        types.push(event.body.type_name().to_owned());
    }
    assert_eq!(types, EventBody::TYPES);
    assert_eq!(types.len(), 28);
}

#[test]
fn inline_json_is_kept_letter_for_letter() {
    let EventBody::RunCompleted(e) = event(SAMPLES.lines().nth(2).unwrap()).body else { panic!("run_completed") };
    assert_eq!(e.outputs.content(), Some(r#"{"b":1,"a":[1.50,"ü"]}"#));
    let EventBody::NodeOutput(e) = event(SAMPLES.lines().nth(17).unwrap()).body else { panic!("node_output") };
    assert_eq!(e.output.content(), Some("null"), "a null is a value");
    let withheld = sample_with("node_output", r#""included":true"#, r#""included":false"#);
    let EventBody::NodeOutput(e) = event(&withheld).body else { panic!("node_output") };
    assert_eq!(e.output.content(), None);
    let EventBody::SchedulerCoordinatorCompleted(e) = event(SAMPLES.lines().nth(22).unwrap()).body else {
        panic!("scheduler_coordinator_completed")
    };
    assert!(e.scheduler_coordinator_completed.decision.get().contains("12345678901234567890123"));
}

#[test]
fn each_protocol_error_is_told_with_its_line_and_its_seq() {
    let nil = "00000000-0000-0000-0000-000000000000";
    let request = "550e8400-e29b-41d4-a716-446655440001";
    let cases = [
        (sample_with("node_started", r#""seq":8"#, r#""seq":0"#), None, "seq is 0"),
        (sample_with("node_started", r#""envelope_version":"v2","#, ""), Some(8), "`envelope_version` is missing"),
        (sample_with("node_started", r#""v2""#, r#""v3""#), Some(8), r#"envelope_version is "v3""#),
        (sample_with("node_llm_call", request, nil), Some(11), "nil"),
        (sample_with("node_tool_call", request, nil), Some(12), "nil"),
        (sample_with("node_tool_result", request, nil), Some(13), "nil"),
        (sample_with("node_waiting", request, nil), Some(14), "nil"),
        (sample_with("node_user_ask", request, nil), Some(15), "nil"),
        (sample_with("node_user_answer", request, nil), Some(16), "nil"),
        (
            sample_with("node_waiting", r#"{"tool_call":{"id":"c2","name":"lookup","arguments":"{}"}}"#, ""),
            Some(14),
            "`waiting.pending_tool_calls` is empty",
        ),
        (sample_with("node_waiting", r#""tool_results""#, r#"" ""#), Some(14), "`waiting.reason` is empty"),
        (sample_with("node_user_ask", "Page them?", " "), Some(15), "`user_ask.question` is empty"),
        (
            sample_with("node_user_answer", r#""answer":"yes""#, r#""answer":"\n""#),
            Some(16),
            "`user_answer.answer` is empty",
        ),
        (sample_with("node_tool_call", r#""id":"call/1","#, ""), Some(12), "missing field `id`"),
        (sample_with("node_tool_call", r#""id":"call/1""#, r#""id":"""#), Some(12), "tool call id is empty"),
        (sample_with("node_tool_call", r#""name":"fs.read","#, ""), Some(12), "missing field `name`"),
        (sample_with("node_waiting", r#""name":"lookup""#, r#""name":"""#), Some(14), "tool name is empty"),
        (sample_with("node_started", r#","node_id":"diagnose""#, ""), Some(8), "`node_id` is missing"),
        (sample_with("node_started", "2026-01-02", "2026-13-02"), Some(8), "`ts` cannot be read"),
        (sample_with("node_started", r#""seq":8,"#, ""), None, "`seq` is missing"),
        (r#"["v2"]"#.to_owned(), None, "not an event"),
        ("nonsense".to_owned(), None, "not an event"),
    ];
    for (line, seq, phrase) in cases {
        let error = decode(line.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(phrase), "{line}: {error}");
        assert_eq!(error.seq, seq, "{line}");
        assert_eq!(&error.line[..], line.as_bytes());
    }
}

#[test]
fn what_nobody_has_heard_of_is_kept_as_it_came() {
    let line = sample_with("node_started", r#""node_started""#, r#""node_teleported","to":{"x":1.0}"#);
    let unknown = event(&line);
    let EventBody::Unknown(kept) = &unknown.body else { panic!("an unknown event") };
    assert_eq!((&*kept.type_name, &*kept.line), ("node_teleported", line.as_str()));
    assert_eq!(unknown.body.node_id().map(NodeId::as_str), Some("diagnose"));
    assert_eq!(serde_json::to_value(&unknown).unwrap(), serde_json::from_str::<Value>(&line).unwrap());

    let EventBody::NodeOutputDelta(e) = event(SAMPLES.lines().nth(16).unwrap()).body else { panic!("a delta") };
    assert_eq!(e.delta.kind, DeltaKind::Other("thinking_delta".into()));
    let EventBody::NodeLlmCall(e) = event(SAMPLES.lines().nth(10).unwrap()).body else { panic!("an LLM call") };
    assert_eq!(e.llm_call.provider.unwrap().as_str(), "acme-labs");
    event(&sample_with("node_started", r#""seq":8"#, r#""seq":8,"extra":{"deep":[1]}"#));
    event(&sample_with("node_started", "node_started", "node_st\\u0061rted"));
}

#[test]
fn an_optional_part_may_be_null() {
    let line = sample_with("node_llm_call", r#""input_tokens":10,"#, r#""input_tokens":null,"#);
    let EventBody::NodeLlmCall(e) = event(&line).body else { panic!("an LLM call") };
    assert_eq!(e.llm_call.usage.unwrap().input_tokens, 0);
    let line = sample_with("node_user_ask", r#"[{"label":"yes","description":"now"},{"label":"no"}]"#, "null");
    let EventBody::NodeUserAsk(e) = event(&line).body else { panic!("a question") };
    assert_eq!(e.user_ask.options, []);
    event(&sample_with("node_failed", r#""message""#, r#""code":null,"message""#));
}

#[test]
fn keepalives_and_blank_lines_are_no_events_and_no_errors() {
    for keepalive in [r#"{"type":"keepalive"}"#, r#"{"type":"keepalive","ts":"x","n":1}"#, "{\"type\":\"keepalive\"}\r"]
    {
        assert_eq!(decode(keepalive.as_bytes()), Ok(Decoded::Keepalive));
    }
    for blank in ["", " ", "\r", "\t "] {
        assert_eq!(decode(blank.as_bytes()), Ok(Decoded::Blank));
    }
}

#[test]
fn the_seq_of_a_broken_line_is_read_only_where_it_stands_whole() {
    let seq = |line: &[u8]| decode(line).unwrap_err().seq;
    assert_eq!(seq(b"{\"seq\":57,\"type\":\"x\xff\"}"), Some(57), "invalid UTF-8");
    assert_eq!(seq(br#"{"seq":57,"type":"node_output","output":{"cont"#), Some(57), "broken off behind it");
    assert_eq!(seq(br#"{"type":"x","seq":57}"#), Some(57));
    assert_eq!(seq(br#"{"seq":5"#), None, "the number may go on");
    assert_eq!(seq(br#"{"seq":-5,"type":"x"}"#), None);
    assert_eq!(seq(br#"{"seq":"5","type":"x"}"#), None);
    assert_eq!(seq(br#"{"inner":{"seq":5},"type":"x"}"#), None, "another object's");
    let too_long =
        ProtocolError::too_long(20_000_000, 16_000_000, bytes::Bytes::from_static(br#"{"seq":9,"ts":"2026-"#));
    assert_eq!(too_long.seq, Some(9));
    assert!(too_long.to_string().contains("a line of 20000000 bytes"), "{too_long}");
}

#[test]
fn one_bad_line_never_costs_the_next_wherever_the_network_cuts() {
    let good = sample_with("node_output_delta", "日本語", "é🦀");
    let bad = sample_with("node_waiting", "tool_results", "");
    let parts: [&[u8]; 6] = [
        good.as_bytes(),
        b"{\"seq\":2,\"x\":\"\xf0\x9f\"}",
        b"",
        bad.as_bytes(),
        b"{\"type\":\"keepalive\"}\r",
        good.as_bytes(),
    ];
    let whole = parts.join(&b'\n');
    let outcome = |cut: usize| {
        let mut splitter = LineSplitter::default();
        let mut outcomes = Vec::new();
        for chunk in [&whole[..cut], &whole[cut..]] {
            splitter.push(bytes::Bytes::copy_from_slice(chunk));
            outcomes.extend(std::iter::from_fn(|| splitter.next_line()));
        }
        outcomes.extend(splitter.finish());
        let decoded = outcomes.into_iter().map(|line| match line {
            Line::Whole(line) => decode(&line).map_err(|error| error.problem),
            Line::TooLong { .. } => panic!("no line is too long"),
        });
        decoded.collect::<Vec<_>>()
    };
    let expected = outcome(0);
    assert_eq!(expected[0], Ok(Decoded::Event(event(&good))));
    assert!(matches!(expected[1], Err(Problem::NotUtf8(_))));
    assert_eq!(expected[2], Ok(Decoded::Blank));
    assert_eq!(expected[3], Err(Problem::Empty("waiting.reason")));
    assert_eq!(expected[4], Ok(Decoded::Keepalive));
    assert_eq!(expected[5], expected[0]);
    for cut in 1..=whole.len() {
        assert_eq!(outcome(cut), expected, "cut at {cut}");
    }
}

mod in_place;
