//! Puts escape sequences together that a bad link has split, as a pure function of keys and of the time.
//!
//! A terminal sends `Esc` `[` `A` for one press of an arrow. Over a bad link the first byte can arrive alone, and then
//! reads as the key `Esc`, followed by `[` and `A`. So a lone `Esc` is held for 50 ms: what completes it to a sequence
//! in that time is one key, and anything else lets it go, in order.
//!
//! Owns the sequences that a terminal sends for keys, focus and pastes. Does not read the keyboard. The rules that
//! must stay true: no key is lost or overtaken by another; a pasted text never becomes keys, even when its brackets
//! were split.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// How long a lone `Esc` is held.
pub const ESCAPE_WINDOW: Duration = Duration::from_millis(50);

/// A pasted text whose opening bracket was split ends when nothing has come for so long: its closing bracket may have
/// been thrown away by the library.
pub const PASTE_SILENCE: Duration = Duration::from_millis(200);

/// No sequence of a terminal is longer.
const MAX_SEQUENCE: usize = 32;

/// What came of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assembled {
    /// A key.
    Key(KeyEvent),
    /// The window got (true) or lost (false) the focus.
    WindowFocus(bool),
    /// A text whose opening bracket was split, line endings as `\n`.
    Paste(String),
}

/// Holds what may still become something else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assembler {
    state: State,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    /// `Esc` and what came after it.
    Escape { since: Instant, sequence: String },
    /// The text so far, and what may be the start of its closing bracket.
    Paste { last: Instant, text: String, closing: String },
}

impl Assembler {
    /// Takes a key and appends what is certain now to `out`. Who calls this lets [`Assembler::expire`] act first only
    /// when no key is ready: keys that arrived in time may be read late.
    pub fn key(&mut self, key: KeyEvent, now: Instant, out: &mut Vec<Assembled>) {
        match std::mem::take(&mut self.state) {
            State::Idle => self.first(key, now, out),
            State::Escape { since, sequence } => self.continued(key, now, since, sequence, out),
            State::Paste { text, closing, .. } => self.pasted(key, now, text, closing, out),
        }
    }

    /// When [`Assembler::expire`] is to be called; `None` while nothing is held.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Idle => None,
            State::Escape { since, .. } => Some(*since + ESCAPE_WINDOW),
            State::Paste { last, .. } => Some(*last + PASTE_SILENCE),
        }
    }

    /// Lets go what has been held long enough.
    pub fn expire(&mut self, now: Instant, out: &mut Vec<Assembled>) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.release(out);
        }
    }

    /// Lets go whatever is held, because something came that is no key.
    pub fn release(&mut self, out: &mut Vec<Assembled>) {
        match std::mem::take(&mut self.state) {
            State::Idle => {}
            State::Escape { sequence, .. } => {
                out.push(escape());
                out.extend(sequence.chars().map(character));
            }
            State::Paste { text, closing, .. } => out.push(Assembled::Paste(text + &closing)),
        }
    }

    fn first(&mut self, key: KeyEvent, now: Instant, out: &mut Vec<Assembled>) {
        if key.code == KeyCode::Esc && key.modifiers.is_empty() {
            self.state = State::Escape { since: now, sequence: String::new() };
        } else {
            out.push(Assembled::Key(key));
        }
    }

    fn continued(
        &mut self,
        key: KeyEvent,
        now: Instant,
        since: Instant,
        mut sequence: String,
        out: &mut Vec<Assembled>,
    ) {
        let next = plain_character(key).filter(|c| match sequence.chars().next() {
            None => matches!(c, '[' | 'O'),
            // Parameters and intermediates, or the final byte (ECMA-48, 5.4).
            Some('[') => matches!(c, ' '..='~'),
            Some(_) => c.is_ascii_alphabetic(),
        });
        let Some(c) = next else {
            self.state = State::Escape { since, sequence };
            self.release(out);
            return self.first(key, now, out);
        };
        let complete = !sequence.is_empty() && matches!(c, '@'..='~');
        sequence.push(c);
        if !complete && sequence.len() < MAX_SEQUENCE {
            self.state = State::Escape { since, sequence };
        } else if sequence == "[200~" {
            self.state = State::Paste { last: now, text: String::new(), closing: String::new() };
        } else {
            // A sequence that is not known is one key that does nothing; its letters are no keys of the operator.
            out.extend(decode(&sequence));
        }
    }

    fn pasted(&mut self, key: KeyEvent, now: Instant, mut text: String, mut closing: String, out: &mut Vec<Assembled>) {
        const CLOSING: &str = "\u{1b}[201~";
        let Some(c) = pasted_character(key) else {
            self.state = State::Paste { last: now, text, closing };
            return;
        };
        closing.push(c);
        if !CLOSING.starts_with(&closing) {
            let again = if c == '\u{1b}' { closing.pop() } else { None };
            text.push_str(&closing);
            closing = again.map(String::from).unwrap_or_default();
        }
        if closing == CLOSING {
            out.push(Assembled::Paste(text));
        } else {
            self.state = State::Paste { last: now, text, closing };
        }
    }
}

fn escape() -> Assembled {
    Assembled::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE))
}

fn character(c: char) -> Assembled {
    let modifiers = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    Assembled::Key(KeyEvent::new(KeyCode::Char(c), modifiers))
}

/// The character that a key without modifiers types; the library marks an uppercase letter with shift.
fn plain_character(key: KeyEvent) -> Option<char> {
    match key.code {
        KeyCode::Char(c) if (key.modifiers - KeyModifiers::SHIFT).is_empty() => Some(c),
        _ => None,
    }
}

/// The character that a key stands for inside a pasted text.
fn pasted_character(key: KeyEvent) -> Option<char> {
    match key.code {
        KeyCode::Enter => Some('\n'),
        KeyCode::Tab => Some('\t'),
        KeyCode::Esc => Some('\u{1b}'),
        // A line feed in raw mode.
        KeyCode::Char('j') if key.modifiers == KeyModifiers::CONTROL => Some('\n'),
        _ => plain_character(key),
    }
}

/// The meaning of a sequence without its `Esc`; `None` where it has none for us.
fn decode(sequence: &str) -> Option<Assembled> {
    let mut chars = sequence.chars();
    let introducer = chars.next()?;
    let last = chars.next_back()?;
    let parameters: Vec<Option<u32>> = chars.as_str().split(';').map(|part| part.parse().ok()).collect();
    let first = parameters.first().copied().flatten();
    match (introducer, last) {
        ('[', 'I') => return Some(Assembled::WindowFocus(true)),
        ('[', 'O') => return Some(Assembled::WindowFocus(false)),
        _ => {}
    }
    let code = match last {
        'A' => KeyCode::Up,
        'B' => KeyCode::Down,
        'C' => KeyCode::Right,
        'D' => KeyCode::Left,
        'H' => KeyCode::Home,
        'F' => KeyCode::End,
        'Z' => KeyCode::BackTab,
        'P' => KeyCode::F(1),
        'Q' => KeyCode::F(2),
        'R' => KeyCode::F(3),
        'S' => KeyCode::F(4),
        '~' => numbered(first?)?,
        'u' => code_point(first?)?,
        _ => return None,
    };
    let bits = parameters.get(1).copied().flatten().unwrap_or(1).saturating_sub(1);
    Some(Assembled::Key(KeyEvent::new(code, modifiers(bits, code))))
}

fn numbered(number: u32) -> Option<KeyCode> {
    let function = |from: u32, key: u32| u8::try_from(number - from + key).ok().map(KeyCode::F);
    match number {
        1 | 7 => Some(KeyCode::Home),
        2 => Some(KeyCode::Insert),
        3 => Some(KeyCode::Delete),
        4 | 8 => Some(KeyCode::End),
        5 => Some(KeyCode::PageUp),
        6 => Some(KeyCode::PageDown),
        11..=15 => function(11, 1),
        17..=21 => function(17, 6),
        23..=24 => function(23, 11),
        _ => None,
    }
}

/// kitty's keyboard protocol: `CSI code-point ; modifiers u`.
fn code_point(number: u32) -> Option<KeyCode> {
    match number {
        9 => Some(KeyCode::Tab),
        13 => Some(KeyCode::Enter),
        27 => Some(KeyCode::Esc),
        127 => Some(KeyCode::Backspace),
        _ => char::from_u32(number).filter(|c| !c.is_control()).map(KeyCode::Char),
    }
}

fn modifiers(bits: u32, code: KeyCode) -> KeyModifiers {
    let mut modifiers = if code == KeyCode::BackTab { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    for (bit, modifier) in [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)] {
        modifiers.set(modifier, modifiers.contains(modifier) || bits & bit != 0);
    }
    modifiers
}

#[cfg(test)]
mod tests;
