//! Split sequences, cut everywhere, and that nothing typed is lost.

use proptest::prelude::*;

use super::*;

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// The key events that a text gives when each byte of it arrives alone.
fn keys(text: &str) -> Vec<KeyEvent> {
    text.chars()
        .map(|c| match c {
            '\u{1b}' => key(KeyCode::Esc),
            '\r' => key(KeyCode::Enter),
            '\n' => KeyEvent::new(KeyCode::Char('j'), KeyModifiers::CONTROL),
            '\t' => key(KeyCode::Tab),
            c if c.is_uppercase() => KeyEvent::new(KeyCode::Char(c), KeyModifiers::SHIFT),
            c => key(KeyCode::Char(c)),
        })
        .collect()
}

/// What comes of keys that arrive `gap` apart, with everything let go that is due between them and at the end.
fn typed(keys: &[KeyEvent], gap: Duration) -> Vec<Assembled> {
    let (mut assembler, mut out, mut now) = (Assembler::default(), Vec::new(), Instant::now());
    for key in keys {
        assembler.expire(now, &mut out);
        assembler.key(*key, now, &mut out);
        now += gap;
    }
    assembler.expire(now + PASTE_SILENCE, &mut out);
    assert_eq!(assembler, Assembler::default(), "everything is let go in time");
    out
}

const QUICK: Duration = Duration::from_millis(2);
const SLOW: Duration = Duration::from_millis(60);

fn key_with(code: KeyCode, modifiers: KeyModifiers) -> Vec<Assembled> {
    vec![Assembled::Key(KeyEvent::new(code, modifiers))]
}

#[test]
fn a_lone_escape_acts_after_fifty_milliseconds_and_not_before() {
    let (mut assembler, mut out, now) = (Assembler::default(), Vec::new(), Instant::now());
    assembler.key(key(KeyCode::Esc), now, &mut out);
    assembler.expire(now + Duration::from_millis(49), &mut out);
    assert_eq!(out, vec![]);
    assert_eq!(assembler.deadline(), Some(now + Duration::from_millis(50)));
    assembler.expire(now + Duration::from_millis(50), &mut out);
    assert_eq!(out, key_with(KeyCode::Esc, KeyModifiers::NONE));
    assert_eq!(assembler.deadline(), None);
}

#[test]
fn a_split_sequence_is_one_key() {
    for (sequence, code, modifiers) in [
        ("\u{1b}[A", KeyCode::Up, KeyModifiers::NONE),
        ("\u{1b}OB", KeyCode::Down, KeyModifiers::NONE),
        ("\u{1b}OP", KeyCode::F(1), KeyModifiers::NONE),
        ("\u{1b}[Z", KeyCode::BackTab, KeyModifiers::SHIFT),
        ("\u{1b}[5~", KeyCode::PageUp, KeyModifiers::NONE),
        ("\u{1b}[15~", KeyCode::F(5), KeyModifiers::NONE),
        ("\u{1b}[24~", KeyCode::F(12), KeyModifiers::NONE),
        ("\u{1b}[1;5C", KeyCode::Right, KeyModifiers::CONTROL),
        ("\u{1b}[3;2~", KeyCode::Delete, KeyModifiers::SHIFT),
        ("\u{1b}[97;3u", KeyCode::Char('a'), KeyModifiers::ALT),
        ("\u{1b}[27u", KeyCode::Esc, KeyModifiers::NONE),
    ] {
        assert_eq!(typed(&keys(sequence), QUICK), key_with(code, modifiers), "{sequence:?}");
    }
}

#[test]
fn the_same_keys_typed_by_a_person_are_three_keys() {
    let expected: Vec<Assembled> = keys("\u{1b}[A").into_iter().map(Assembled::Key).collect();
    assert_eq!(typed(&keys("\u{1b}[A"), SLOW), expected);
}

#[test]
fn keys_that_do_not_complete_a_sequence_come_in_order_and_at_once() {
    for text in ["\u{1b}x", "\u{1b}\u{1b}", "\u{1b}[é", "\u{1b}O1", "\u{1b}[\r"] {
        let expected: Vec<Assembled> = keys(text).into_iter().map(Assembled::Key).collect();
        assert_eq!(typed(&keys(text), QUICK), expected, "{text:?}");
    }
    let (mut assembler, mut out, now) = (Assembler::default(), Vec::new(), Instant::now());
    for key in keys("\u{1b}x") {
        assembler.key(key, now, &mut out);
    }
    assert_eq!(out.len(), 2, "a key after it does not wait for the time");
}

#[test]
fn a_focus_report_and_an_unknown_sequence_are_no_keys() {
    assert_eq!(typed(&keys("\u{1b}[I"), QUICK), [Assembled::WindowFocus(true)]);
    assert_eq!(typed(&keys("\u{1b}[O"), QUICK), [Assembled::WindowFocus(false)]);
    assert_eq!(typed(&keys("\u{1b}[<0;3;4M"), QUICK), []);
    assert_eq!(typed(&keys("\u{1b}[?62;4c"), QUICK), []);
}

#[test]
fn keys_read_late_by_a_busy_loop_are_still_one_key_when_nothing_expired_between() {
    let (mut assembler, mut out, now) = (Assembler::default(), Vec::new(), Instant::now());
    for (delay, key) in [0, 300, 300].into_iter().zip(keys("\u{1b}[A")) {
        assembler.key(key, now + Duration::from_millis(delay), &mut out);
    }
    assert_eq!(out, key_with(KeyCode::Up, KeyModifiers::NONE));
}

#[test]
fn a_paste_whose_brackets_were_split_is_a_paste_and_never_keys() {
    let pasted = |text: &str| typed(&keys(text), QUICK);
    assert_eq!(pasted("\u{1b}[200~q\ra\tb\u{1b}[201~"), [Assembled::Paste("q\na\tb".into())]);
    assert_eq!(pasted("\u{1b}[200~q\u{1b}\u{1b}[2x\u{1b}[201~"), [Assembled::Paste("q\u{1b}\u{1b}[2x".into())]);
    // The library throws a closing bracket away that arrives whole without an opening one.
    assert_eq!(pasted("\u{1b}[200~quit"), [Assembled::Paste("quit".into())]);
    assert_eq!(pasted("\u{1b}[200~\u{1b}[201~"), [Assembled::Paste(String::new())]);
}

proptest! {
    #[test]
    fn slow_typing_passes_unchanged_whatever_is_typed(text in "[\u{1b}\\[O~;0-9A-Za-z\r]{0,20}") {
        let keys = keys(&text);
        prop_assert_eq!(typed(&keys, SLOW), keys.into_iter().map(Assembled::Key).collect::<Vec<_>>());
    }

    #[test]
    fn quick_typing_ends_with_everything_let_go(text in "[\u{1b}\\[O~;0-9A-Za-z\r]{0,40}") {
        // `typed` asserts it.
        typed(&keys(&text), QUICK);
    }
}
