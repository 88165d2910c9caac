//! JSON as an operator types it: is it valid, where not, and how does it read when indented.
//!
//! Rule: strings and numbers are carried letter for letter; nothing is parsed into values and written out again, so
//! that `1.0`, `1e400` and a 30-digit id stay what they are.

use serde::de::IgnoredAny;

/// Where and why a text is not JSON. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
    /// What was expected, in words.
    pub reason: String,
}

#[cfg(test)]
thread_local! {
    /// How many texts this thread has looked through: drawing is held to none.
    pub(crate) static CHECKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Checks that the whole text is one JSON value.
///
/// # Errors
/// With the first place where it is not.
pub fn check(text: &str) -> Result<(), Invalid> {
    #[cfg(test)]
    CHECKS.set(CHECKS.get() + 1);
    serde_json::from_str::<IgnoredAny>(text).map(|_| ()).map_err(|error| {
        let line_text = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
        // serde_json counts bytes; people count characters.
        let bytes = error.column().min(line_text.len());
        let column = line_text.char_indices().take_while(|(at, _)| *at < bytes).count().max(1);
        let full = error.to_string();
        let reason = full.split(" at line ").next().unwrap_or(&full).to_owned();
        Invalid { line: error.line().max(1), column, reason }
    })
}

/// The text indented by two spaces, or `None` where it is not JSON.
#[must_use]
pub fn pretty(text: &str) -> Option<String> {
    check(text).ok()?;
    Some(indented(text, usize::MAX).0)
}

/// The beginning of a text that is JSON already, indented by two spaces, in at most `bytes` bytes; with about how many
/// bytes of the text are left out.
#[must_use]
pub fn pretty_beginning(text: &str, bytes: usize) -> (String, usize) {
    let (mut beginning, mut left) = indented(text, bytes);
    // A string is taken as a whole: the one that went too far may be most of the text.
    if beginning.len() > bytes {
        let end = (0..=bytes).rev().find(|at| beginning.is_char_boundary(*at)).unwrap_or(0);
        left += beginning.len() - end;
        beginning.truncate(end);
    }
    (beginning, left)
}

/// The indented text up to about `bytes` bytes, and how many bytes of `text` come after it.
fn indented(text: &str, bytes: usize) -> (String, usize) {
    let mut out = String::with_capacity(text.len().saturating_mul(2).min(bytes));
    let mut depth = 0_usize;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if out.len() >= bytes {
            return (out, text.len() - at);
        }
        match c {
            '"' => {
                out.push_str(string_at(text, at));
                let end = at + string_at(text, at).len();
                while chars.next_if(|(next, _)| *next < end).is_some() {}
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if(|(_, next)| next.is_ascii_whitespace()).is_some() {}
                if let Some((_, close)) = chars.next_if(|(_, next)| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    (out, 0)
}

/// The string literal that begins at byte `at` of valid JSON, quotes included.
fn string_at(text: &str, at: usize) -> &str {
    let mut escaped = false;
    for (offset, byte) in text.as_bytes()[at + 1..].iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return &text[at..=at + 1 + offset],
            _ => {}
        }
    }
    &text[at..]
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    // Deep nesting is drawn, not imitated: 40 levels of indentation fill any window.
    out.extend(std::iter::repeat_n("  ", depth.min(40)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_place_of_the_first_error_is_told_in_lines_and_characters() {
        assert_eq!(check("{\"a\": 1}"), Ok(()));
        let invalid = check("{\n  \"é\": nope\n}").unwrap_err();
        assert_eq!((invalid.line, invalid.column), (2, 9), "{invalid:?}");
        assert!(!invalid.reason.contains("line"), "{invalid:?}");
        assert_eq!(check("").unwrap_err().line, 1);
        assert!(check("{} {}").is_err());
    }

    #[test]
    fn numbers_strings_and_repeated_keys_stay_letter_for_letter() {
        let text = r#"{"id":12345678901234567890123,"x":1.0,"x":[1e400,{},[ ],"a\"\\,{"]}"#;
        let expected = "{\n  \"id\": 12345678901234567890123,\n  \"x\": 1.0,\n  \"x\": [\n    1e400,\n    {},\n    [],\n    \"a\\\"\\\\,{\"\n  ]\n}";
        assert_eq!(pretty(text).unwrap(), expected);
        assert_eq!(pretty("nope"), None);
    }

    #[test]
    fn the_beginning_of_a_long_text_says_how_much_is_left() {
        let text = r#"{"a":[1,2,3],"b":"long"}"#;
        assert_eq!(pretty_beginning(text, 1_000), (pretty(text).unwrap(), 0));
        let (beginning, left) = pretty_beginning(text, 12);
        assert!(pretty(text).unwrap().starts_with(&beginning) && beginning.len() <= 12, "{beginning}");
        assert!(left > 0 && left < text.len());
        let (beginning, left) = pretty_beginning(r#"["éééé"]"#, 8);
        assert_eq!((beginning.as_str(), left), ("[\n  \"é", 8), "no character is cut in two");
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::vec((".{0,4}", inner), 0..4)
                    .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn indenting_changes_white_space_only(value in any_json()) {
            let text = value.to_string();
            let indented = pretty(&text).unwrap();
            let again: serde_json::Value = serde_json::from_str(&indented).unwrap();
            prop_assert_eq!(&again, &value);
            prop_assert_eq!(pretty(&indented).unwrap(), indented);
        }

        #[test]
        fn checking_and_indenting_never_panic(text in ".{0,60}") {
            let _ = check(&text);
            let _ = pretty(&text);
        }
    }
}
