//! An event's line in one form, whoever has written it: for programs that read a stream again.
//!
//! Rules: the form is that of [`Event`]'s own serialisation, what the line holds beyond it follows in the line's order,
//! and inline values keep every byte, so that their digests still fit. A field that is null is one that is absent.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::Event;

type Object<'a> = IndexMap<Cow<'a, str>, &'a RawValue>;

/// The event as one line of JSON, without a line end; `line` is the one that it was decoded from. Fields that this
/// version does not know are kept. Decoding it again gives an equal event.
///
/// # Errors
/// When the event cannot be written, which no event that was decoded does.
pub fn canonical(event: &Event, line: &[u8]) -> Result<String, serde_json::Error> {
    let own = serde_json::to_string(event)?;
    let line = serde_json::from_slice(line)?;
    let mut merged = String::with_capacity(own.len());
    merge(serde_json::from_str(&own)?, line, &mut merged)?;
    Ok(merged)
}

/// Writes `own`, and behind its fields those that only `foreign` has. As deep as what is known goes, and no deeper.
fn merge(own: &RawValue, foreign: &RawValue, out: &mut String) -> Result<(), serde_json::Error> {
    if own.get() != foreign.get() {
        if let (Some(own), Some(foreign)) = (object(own), object(foreign)) {
            return merge_objects(&own, &foreign, out);
        }
        if let (Some(own), Some(foreign)) = (array(own), array(foreign))
            && own.len() == foreign.len()
        {
            out.push('[');
            for (at, (own, foreign)) in own.into_iter().zip(foreign).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                merge(own, foreign, out)?;
            }
            out.push(']');
            return Ok(());
        }
    }
    out.push_str(own.get());
    Ok(())
}

fn merge_objects(own: &Object<'_>, foreign: &Object<'_>, out: &mut String) -> Result<(), serde_json::Error> {
    let unknown = foreign.iter().filter(|(name, value)| !own.contains_key(*name) && value.get() != "null");
    out.push('{');
    for (at, (name, value)) in own.iter().chain(unknown).enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&serde_json::to_string(name)?);
        out.push(':');
        match foreign.get(name) {
            Some(theirs) => merge(value, theirs, out)?,
            None => out.push_str(value.get()),
        }
    }
    out.push('}');
    Ok(())
}

fn object(value: &RawValue) -> Option<Object<'_>> {
    value.get().starts_with('{').then(|| serde_json::from_str(value.get()).ok())?
}

fn array(value: &RawValue) -> Option<Vec<&RawValue>> {
    value.get().starts_with('[').then(|| serde_json::from_str(value.get()).ok())?
}

#[cfg(test)]
mod tests {
    use super::super::{Decoded, decode};
    use super::*;

    fn event(line: &str) -> Event {
        match decode(line.as_bytes()) {
            Ok(Decoded::Event(event)) => event,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn canonical_of(line: &str) -> String {
        canonical(&event(line), line.as_bytes()).unwrap()
    }

    const HEAD: &str = r#""envelope_version":"v2","run_id":"550e8400-e29b-41d4-a716-446655440000","seq":3,"ts":"2026-01-01T00:00:00Z""#;

    #[test]
    fn every_type_of_event_is_read_again_as_the_same_and_written_again_as_the_same() {
        for line in include_str!("samples.ndjson").lines() {
            let written = canonical_of(line);
            assert_eq!(event(&written), event(line), "{line}");
            assert_eq!(canonical_of(&written), written);
            assert!(!written.contains('\n'));
        }
    }

    #[test]
    fn spacing_order_and_nulls_of_a_line_do_not_change_its_form() {
        let plain = format!(r#"{{{HEAD},"type":"node_failed","node_id":"a","error":{{"message":"m"}}}}"#);
        let other = format!(
            "\t{{ \"error\" : {{\"code\": null , \"message\":\"\\u006d\"}},  \"node_id\":\"a\",\"type\":\"node_failed\", {HEAD} }}\r"
        );
        assert_eq!(canonical_of(&other), plain);
        assert_eq!(canonical_of(&plain), plain);
    }

    #[test]
    fn a_time_is_written_in_utc() {
        let head = HEAD.replace("2026-01-01T00:00:00Z", "2026-01-01T02:30:00.250+02:30");
        let written = canonical_of(&format!(r#"{{{head},"type":"node_started","node_id":"a"}}"#));
        assert!(written.contains(r#""ts":"2026-01-01T00:00:00.25Z""#), "{written}");
    }

    #[test]
    fn unknown_fields_are_kept_at_every_depth_with_every_byte_of_their_values() {
        let line = format!(
            r#"{{"trace":{{ "n": 1.50e400 }},{HEAD},"type":"node_waiting","node_id":"a","waiting":{{"step":1,"deadline":7,"request_id":"550e8400-e29b-41d4-a716-446655440001","reason":"tools","pending_tool_calls":[{{"tool_call":{{"id":"c","name":"t","hint":[1, 2]}},"risk":"high"}}]}}}}"#
        );
        let written = canonical_of(&line);
        for kept in [r#""trace":{ "n": 1.50e400 }"#, r#""deadline":7"#, r#""hint":[1, 2]"#, r#""risk":"high""#] {
            assert!(written.contains(kept), "{kept} is not in {written}");
        }
        assert!(written.starts_with(r#"{"envelope_version":"v2","run_id""#), "{written}");
        assert!(written.ends_with(r#""trace":{ "n": 1.50e400 }}"#), "{written}");
        assert_eq!(event(&written), event(&line));
    }

    #[test]
    fn an_unknown_type_keeps_all_its_fields_and_an_inline_value_every_byte() {
        let unknown = canonical_of(&format!(r#"{{{HEAD},"type":"node_dreamt","node_id":"a","dream":[ 1, 2 ]}}"#));
        assert_eq!(unknown, format!(r#"{{{HEAD},"type":"node_dreamt","node_id":"a","dream":[ 1, 2 ]}}"#));
        let content = r#"{ "b" : 1.0, "a":null }"#;
        let output = canonical_of(&format!(
            r#"{{{HEAD},"type":"node_output","node_id":"a","output":{{"artifact_key":"k","content":{content},"info":{{"included":true,"bytes":9,"sha256":"x"}}}}}}"#
        ));
        assert!(output.contains(&format!(r#""content":{content}"#)), "{output}");
    }
}
