//! How lines stand in a journal, and whether two of them tell the same; pure.
//!
//! Rule: what is written and read again gives the same items. So a line whose oddity is the server's is marked by its
//! line end (see [`store::journal`](crate::store::journal)), and what was rejected although it reads as an event does not
//! read as one there: the kept beginning of an over-long line, and an event that stood alone far ahead.

use std::borrow::Cow;

use serde_json::Value;

use crate::api::event::{Decoded, Problem, ProtocolError, decode};

/// What stands behind a beginning that would read as a line of its own.
const AND_SO_ON: &[u8] = "…".as_bytes();

/// Writes an event's line. `behind_gap`: the events before it are missing for good.
pub(super) fn write_event(out: &mut Vec<u8>, line: &[u8], behind_gap: bool) {
    // A carriage return at its end is white space to JSON, and would be the mark.
    let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
    out.extend_from_slice(&line[..end]);
    out.extend_from_slice(if behind_gap { b"\r\n" } else { b"\n" });
}

/// Writes a rejected line.
pub(super) fn write_rejected(out: &mut Vec<u8>, error: &ProtocolError) {
    out.extend_from_slice(&rejected_line(error));
    out.extend_from_slice(b"\r\n");
}

/// A rejected line as it stands in a journal, without its line end.
pub(super) fn rejected_line(error: &ProtocolError) -> Cow<'_, [u8]> {
    let reads_well = matches!(error.problem, Problem::TooLong { .. } | Problem::FarAhead(_));
    if reads_well && decode(&error.line).is_ok() {
        return Cow::Owned([&error.line, AND_SO_ON].concat());
    }
    Cow::Borrowed(&error.line)
}

/// Whether two lines are the same event, whoever wrote them: the order of their fields, fields that are null, and inline
/// contents, which are not always asked for, make no difference.
pub(super) fn tell_the_same(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let (Ok(Decoded::Event(first)), Ok(Decoded::Event(second))) = (decode(one), decode(other)) else { return false };
    if (first.run_id, first.seq, first.ts) != (second.run_id, second.seq, second.ts) {
        return false;
    }
    let fields = |line: &[u8]| {
        let mut fields: Value = serde_json::from_slice(line).ok()?;
        // Compared above, however it is spelled.
        fields.as_object_mut()?.shift_remove("ts");
        without_contents(&mut fields);
        Some(fields)
    };
    first == second || fields(one).zip(fields(other)).is_some_and(|(one, other)| one == other)
}

fn without_contents(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("artifact_key") {
                fields.shift_remove("content");
                if let Some(info) = fields.get_mut("info").and_then(Value::as_object_mut) {
                    info.shift_remove("included");
                }
            }
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_contents);
        }
        Value::Array(values) => values.iter_mut().for_each(without_contents),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "550e8400-e29b-41d4-a716-446655440000";

    fn line(fields: &str) -> String {
        format!(
            r#"{{"envelope_version":"v2","run_id":"{RUN}","seq":7,"ts":"2026-01-01T00:00:00Z","type":"node_output","node_id":"n",{fields}}}"#
        )
    }

    fn artifact(included: bool, sha: &str, content: &str) -> String {
        let sha = sha.repeat(64);
        line(&format!(
            r#""output":{{"artifact_key":"k","info":{{"bytes":4,"sha256":"{sha}","included":{included}}}{content}}}"#
        ))
    }

    #[test]
    fn contents_spelling_and_nulls_make_no_difference_and_everything_else_does() {
        let same = |one: &str, other: &str| tell_the_same(one.as_bytes(), other.as_bytes());
        let (with, without) = (artifact(true, "a", r#","content":"text""#), artifact(false, "a", ""));
        assert!(same(&with, &without) && same(&without, &with));
        assert!(!same(&with, &artifact(false, "b", "")), "another digest");
        let unknown = |fields: &str| line(fields).replace("node_output", "something_new");
        assert!(same(&unknown(r#""a":1,"b":[{"c":null}]"#), &unknown(r#""b":[{}],"a":1"#)));
        assert!(!same(&unknown(r#""a":1"#), &unknown(r#""a":2"#)));
        assert!(same(&without, &without.replace("00:00:00Z", "00:00:00.000+00:00")), "the same time");
        assert!(!same(&without, &without.replace("00:00:00Z", "00:00:01Z")));
        assert!(!same(&without, &without.replace("\"seq\":7", "\"seq\":8")));
        assert!(!same(&without, "nonsense") && same("nonsense", "nonsense"));
    }

    #[test]
    fn an_event_that_was_not_believed_is_none_when_it_is_read_again() {
        let line: bytes::Bytes = artifact(false, "a", "").into();
        let error = ProtocolError { problem: Problem::FarAhead(7), seq: Some(7), line, line_number: None };
        assert_eq!(decode(&rejected_line(&error)).unwrap_err().seq, Some(7));
    }

    #[test]
    fn the_beginning_of_an_over_long_line_is_never_an_event_by_itself() {
        let whole = artifact(false, "a", "");
        for prefix in [whole.as_str(), "   ", "{\"type\":\"keepalive\"}", "{\"seq\":7,\"type\":\"x"] {
            let error = ProtocolError::too_long(1 << 30, 1 << 24, prefix.to_owned().into());
            let again = decode(&rejected_line(&error)).unwrap_err();
            assert_eq!(again.seq, error.seq, "{prefix}");
        }
    }
}
