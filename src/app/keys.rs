//! The one table of keys: context × chord → command.
//!
//! Dispatch, footer hints, help and the README's table all come from [`KEYS`]; a conflict is a failing test.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::command::Command;

/// Where a key is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// The panes.
    Browse,
    /// The editor of an answer.
    Editor,
    /// The editor, after `Ctrl-X`.
    EditorPrefix,
    /// The arguments beside the editor.
    Arguments,
    /// The review before sending.
    Review,
    /// A page that is only read: help, an event or a step in full.
    Page,
    /// A line that is typed into: filter, search, palette, file name.
    Prompt,
}

impl Context {
    /// Every context, in the order of the help.
    pub const ALL: &[Self] =
        &[Self::Browse, Self::Editor, Self::EditorPrefix, Self::Arguments, Self::Review, Self::Page, Self::Prompt];

    /// The heading in help and README.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Browse => "Everywhere",
            Self::Editor => "While writing an answer",
            Self::EditorPrefix => "While writing an answer, after Ctrl-X",
            Self::Arguments => "In the arguments beside an answer",
            Self::Review => "In the review before sending",
            Self::Page => "In help, or an event or a step in full",
            Self::Prompt => "In a line that asks for a filter, a text, a command or a file",
        }
    }
}

/// A key with its modifiers. Shift is not told apart where the character already says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl Chord {
    const fn plain(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }

    const fn char(c: char) -> Self {
        Self::plain(KeyCode::Char(c))
    }

    const fn ctrl(c: char) -> Self {
        Self { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL }
    }

    const fn alt(c: char) -> Self {
        Self { code: KeyCode::Char(c), modifiers: KeyModifiers::ALT }
    }

    const fn with(code: KeyCode, modifiers: KeyModifiers) -> Self {
        Self { code, modifiers }
    }
}

impl From<KeyEvent> for Chord {
    fn from(key: KeyEvent) -> Self {
        let mut modifiers = key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
        let code = match key.code {
            KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => match c.to_ascii_lowercase() {
                // What terminals send for these is one and the same control byte.
                '7' | '/' | '-' => KeyCode::Char('_'),
                '4' => KeyCode::Char('\\'),
                'h' => {
                    modifiers.remove(KeyModifiers::CONTROL);
                    KeyCode::Backspace
                }
                c => KeyCode::Char(c),
            },
            code => code,
        };
        Self { code, modifiers }
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            f.write_str("Ctrl-")?;
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("Alt-")?;
        }
        match self.code {
            KeyCode::Char(c) if self.modifiers.contains(KeyModifiers::CONTROL) => {
                write!(f, "{}", c.to_ascii_uppercase())
            }
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::Enter => f.write_str("Enter"),
            KeyCode::Esc => f.write_str("Esc"),
            KeyCode::Tab => f.write_str("Tab"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            KeyCode::Backspace => f.write_str("Backspace"),
            KeyCode::Delete => f.write_str("Del"),
            KeyCode::Up => f.write_str("Up"),
            KeyCode::Down => f.write_str("Down"),
            KeyCode::Left => f.write_str("Left"),
            KeyCode::Right => f.write_str("Right"),
            KeyCode::Home => f.write_str("Home"),
            KeyCode::End => f.write_str("End"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// One row of the table.
pub struct Binding {
    /// Where it holds.
    pub context: Context,
    /// The chords, the one that is shown first in front.
    pub chords: &'static [Chord],
    /// What they do.
    pub command: Command,
}

const fn bind(context: Context, chords: &'static [Chord], command: Command) -> Binding {
    Binding { context, chords, command }
}

use Chord as C;
use Command as Do;
use Context::{Arguments, Browse, Editor, EditorPrefix, Page, Prompt, Review};

const ENTER: Chord = C::plain(KeyCode::Enter);
const ESC: Chord = C::plain(KeyCode::Esc);
const TAB: Chord = C::plain(KeyCode::Tab);
const BACK_TAB: Chord = C::plain(KeyCode::BackTab);
const UP: Chord = C::plain(KeyCode::Up);
const DOWN: Chord = C::plain(KeyCode::Down);
const LEFT: Chord = C::plain(KeyCode::Left);
const RIGHT: Chord = C::plain(KeyCode::Right);
const PAGE_UP: Chord = C::plain(KeyCode::PageUp);
const PAGE_DOWN: Chord = C::plain(KeyCode::PageDown);
const HOME: Chord = C::plain(KeyCode::Home);
const END: Chord = C::plain(KeyCode::End);

/// Every key. The order is the order of the help.
pub const KEYS: &[Binding] = &[
    bind(Browse, &[ENTER], Do::Open),
    bind(Browse, &[C::char('w')], Do::NextWaiting),
    bind(Browse, &[TAB], Do::NextPane),
    bind(Browse, &[BACK_TAB], Do::PreviousPane),
    bind(Browse, &[UP, C::char('k')], Do::Up),
    bind(Browse, &[DOWN, C::char('j')], Do::Down),
    bind(Browse, &[LEFT, C::char('h')], Do::Left),
    bind(Browse, &[RIGHT, C::char('l')], Do::Right),
    bind(Browse, &[PAGE_UP], Do::PageUp),
    bind(Browse, &[PAGE_DOWN], Do::PageDown),
    bind(Browse, &[HOME, C::char('g')], Do::First),
    bind(Browse, &[END, C::char('G')], Do::Last),
    bind(Browse, &[ESC], Do::Leave),
    bind(Browse, &[C::char('/')], Do::Filter),
    bind(Browse, &[C::char('n')], Do::NextMatch),
    bind(Browse, &[C::char('N')], Do::PreviousMatch),
    bind(Browse, &[C::char(' ')], Do::Fold),
    bind(Browse, &[C::char('e')], Do::NextError),
    bind(Browse, &[C::char('[')], Do::EventBack),
    bind(Browse, &[C::char(']')], Do::EventForth),
    bind(Browse, &[C::char('{')], Do::MilestoneBack),
    bind(Browse, &[C::char('}')], Do::MilestoneForth),
    bind(Browse, &[C::char('L')], Do::Live),
    bind(Browse, &[C::char('y')], Do::Copy),
    bind(Browse, &[C::char('r')], Do::ReadAgain),
    bind(Browse, &[C::char('x')], Do::PutAway),
    bind(Browse, &[C::char(':')], Do::Palette),
    bind(Browse, &[C::char('?')], Do::Help),
    bind(Browse, &[C::char('m')], Do::Notices),
    bind(Browse, &[C::char('o')], Do::Stream),
    bind(Browse, &[C::char('q'), C::ctrl('c')], Do::Quit),
    bind(Browse, &[C::ctrl('z')], Do::Suspend),
    bind(Browse, &[C::ctrl('l')], Do::Repaint),
    bind(Editor, &[C::ctrl('s')], Do::Review),
    bind(Editor, &[ESC, C::ctrl('c')], Do::Leave),
    bind(Editor, &[TAB, BACK_TAB], Do::SwitchSide),
    bind(Editor, &[PAGE_UP], Do::ArgumentsUp),
    bind(Editor, &[PAGE_DOWN], Do::ArgumentsDown),
    bind(Editor, &[C::ctrl('x')], Do::Prefix),
    bind(Editor, &[ENTER, C::ctrl('j'), C::ctrl('m')], Do::NewLine),
    bind(Editor, &[LEFT, C::ctrl('b')], Do::CursorLeft),
    bind(Editor, &[RIGHT, C::ctrl('f')], Do::CursorRight),
    bind(Editor, &[UP, C::ctrl('p')], Do::CursorUp),
    bind(Editor, &[DOWN, C::ctrl('n')], Do::CursorDown),
    bind(Editor, &[C::alt('b'), C::with(KeyCode::Left, KeyModifiers::CONTROL)], Do::WordLeft),
    bind(Editor, &[C::alt('f'), C::with(KeyCode::Right, KeyModifiers::CONTROL)], Do::WordRight),
    bind(Editor, &[C::ctrl('a'), HOME], Do::LineStart),
    bind(Editor, &[C::ctrl('e'), END], Do::LineEnd),
    bind(Editor, &[C::alt('<'), C::with(KeyCode::Home, KeyModifiers::CONTROL)], Do::TextStart),
    bind(Editor, &[C::alt('>'), C::with(KeyCode::End, KeyModifiers::CONTROL)], Do::TextEnd),
    bind(Editor, &[C::plain(KeyCode::Backspace)], Do::DeleteLeft),
    bind(Editor, &[C::plain(KeyCode::Delete), C::ctrl('d')], Do::DeleteRight),
    bind(Editor, &[C::ctrl('w'), C::with(KeyCode::Backspace, KeyModifiers::ALT)], Do::DeleteWordLeft),
    bind(Editor, &[C::alt('d')], Do::DeleteWordRight),
    bind(Editor, &[C::ctrl('u')], Do::DeleteToLineStart),
    bind(Editor, &[C::ctrl('k')], Do::DeleteToLineEnd),
    bind(Editor, &[C::ctrl('y')], Do::PutBack),
    bind(Editor, &[C::ctrl('_')], Do::Undo),
    bind(Editor, &[C::alt('_')], Do::Redo),
    bind(Editor, &[C::ctrl('z')], Do::Suspend),
    bind(Editor, &[C::ctrl('l')], Do::Repaint),
    bind(EditorPrefix, &[C::char('e')], Do::ExternalEditor),
    bind(EditorPrefix, &[C::char('f')], Do::FormatJson),
    bind(EditorPrefix, &[C::char('o')], Do::InsertFile),
    bind(EditorPrefix, &[C::char('t')], Do::ToggleError),
    bind(EditorPrefix, &[C::char('r')], Do::EarlierAnswer),
    bind(EditorPrefix, &[ESC, C::ctrl('c')], Do::Leave),
    bind(Arguments, &[TAB, BACK_TAB], Do::SwitchSide),
    bind(Arguments, &[ESC, C::ctrl('c')], Do::Leave),
    bind(Arguments, &[UP, C::char('k')], Do::Up),
    bind(Arguments, &[DOWN, C::char('j')], Do::Down),
    bind(Arguments, &[PAGE_UP], Do::PageUp),
    bind(Arguments, &[PAGE_DOWN], Do::PageDown),
    bind(Arguments, &[HOME, C::char('g')], Do::First),
    bind(Arguments, &[END, C::char('G')], Do::Last),
    bind(Arguments, &[C::char('y')], Do::Copy),
    bind(Arguments, &[C::ctrl('s')], Do::Review),
    bind(Arguments, &[C::ctrl('z')], Do::Suspend),
    bind(Arguments, &[C::ctrl('l')], Do::Repaint),
    bind(Review, &[ENTER], Do::Send),
    bind(Review, &[C::char('a')], Do::ToggleTogether),
    bind(Review, &[UP], Do::Up),
    bind(Review, &[DOWN], Do::Down),
    bind(Review, &[PAGE_UP], Do::PageUp),
    bind(Review, &[PAGE_DOWN], Do::PageDown),
    bind(Review, &[ESC], Do::Leave),
    bind(Page, &[ESC, C::char('q'), C::char('?')], Do::Leave),
    bind(Page, &[UP, C::char('k')], Do::Up),
    bind(Page, &[DOWN, C::char('j')], Do::Down),
    bind(Page, &[PAGE_UP], Do::PageUp),
    bind(Page, &[PAGE_DOWN, C::char(' ')], Do::PageDown),
    bind(Page, &[HOME, C::char('g')], Do::First),
    bind(Page, &[END, C::char('G')], Do::Last),
    bind(Page, &[C::char('n')], Do::NextMatch),
    bind(Page, &[C::char('N')], Do::PreviousMatch),
    bind(Page, &[C::char('y')], Do::Copy),
    bind(Page, &[C::char('r')], Do::ReadAgain),
    bind(Page, &[C::char('x')], Do::PutAway),
    bind(Page, &[C::ctrl('c')], Do::Quit),
    bind(Page, &[C::ctrl('z')], Do::Suspend),
    bind(Page, &[C::ctrl('l')], Do::Repaint),
    bind(Prompt, &[ENTER], Do::Open),
    bind(Prompt, &[ESC, C::ctrl('c')], Do::Leave),
    bind(Prompt, &[UP], Do::Up),
    bind(Prompt, &[DOWN, TAB], Do::Down),
    bind(Prompt, &[C::plain(KeyCode::Backspace)], Do::DeleteLeft),
    bind(Prompt, &[C::ctrl('u')], Do::DeleteToLineStart),
    bind(Prompt, &[C::ctrl('z')], Do::Suspend),
    bind(Prompt, &[C::ctrl('l')], Do::Repaint),
];

/// The command that a key has in a context.
#[must_use]
pub fn command(context: Context, key: KeyEvent) -> Option<Command> {
    let chord = Chord::from(key);
    KEYS.iter()
        .find(|binding| binding.context == context && binding.chords.contains(&chord))
        .map(|binding| binding.command)
}

/// The character that a key types, where it types one.
#[must_use]
pub fn typed(key: KeyEvent) -> Option<char> {
    match key.code {
        KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => Some(c),
        _ => None,
    }
}

/// The first chord of a command in a context, as the footer shows it.
#[must_use]
pub fn chord_of(context: Context, command: Command) -> Option<String> {
    KEYS.iter()
        .find(|binding| binding.context == context && binding.command == command)
        .and_then(|binding| binding.chords.first())
        .map(ToString::to_string)
}

/// The chords of a binding, for help.
#[must_use]
pub fn chords(binding: &Binding) -> String {
    binding.chords.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The whole table in Markdown, as the README shows it.
#[must_use]
pub fn markdown() -> String {
    let row = |binding: &Binding| {
        let keys: Vec<String> = binding.chords.iter().map(|chord| format!("`{chord}`")).collect();
        format!("| {} | {} |\n", keys.join(" "), binding.command.doc())
    };
    let table = |context: &Context| {
        let rows: String = KEYS.iter().filter(|binding| binding.context == *context).map(row).collect();
        format!("**{}**\n\n| key | what it does |\n| --- | --- |\n{rows}\n", context.title())
    };
    Context::ALL.iter().map(table).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_chord_means_two_things_in_one_context() {
        let mut seen = HashSet::new();
        for binding in KEYS {
            for chord in binding.chords {
                assert!(seen.insert((binding.context, *chord)), "{:?} {chord} is bound twice", binding.context);
            }
        }
    }

    #[test]
    fn every_command_has_a_key_and_names_are_unique() {
        let names: HashSet<_> = Command::ALL.iter().map(|command| command.name()).collect();
        assert_eq!(names.len(), Command::ALL.len());
        for command in Command::ALL {
            assert!(KEYS.iter().any(|binding| binding.command == *command), "{} has no key", command.name());
        }
    }

    #[test]
    fn every_chord_of_the_table_is_found_by_the_key_that_a_terminal_sends() {
        for binding in KEYS {
            for chord in binding.chords {
                let key = KeyEvent::new(chord.code, chord.modifiers);
                assert_eq!(command(binding.context, key), Some(binding.command), "{:?} {chord}", binding.context);
            }
        }
        let shifted = KeyEvent::new(KeyCode::Char('L'), KeyModifiers::SHIFT);
        assert_eq!(command(Context::Browse, shifted), Some(Command::Live));
        let undo = KeyEvent::new(KeyCode::Char('7'), KeyModifiers::CONTROL);
        assert_eq!(command(Context::Editor, undo), Some(Command::Undo));
    }

    #[test]
    fn a_line_that_is_typed_into_can_be_suspended_too() {
        for context in [Context::Browse, Context::Editor, Context::Arguments, Context::Page, Context::Prompt] {
            let key = KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL);
            assert_eq!(command(context, key), Some(Command::Suspend), "{context:?}");
        }
    }

    #[test]
    fn no_bare_key_sends_outside_the_review() {
        for binding in KEYS.iter().filter(|binding| binding.command == Command::Send) {
            assert_eq!(binding.context, Context::Review);
        }
    }
}
