//! Every command: its name, a short label for hints, and one line of doc.
//!
//! Help, the palette, the footer and the README's table are made from here and from [`super::keys`].

use super::editor::Edit;

macro_rules! commands {
    ($($(#[$meta:meta])* $variant:ident, $name:literal, $label:literal, $doc:literal;)+) => {
        /// Something that the operator can ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Command {
            $(#[doc = $doc] $variant,)+
        }

        impl Command {
            /// Every command, in the order of the help.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The command's name, for the palette.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One or two words, for the footer.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// One line that says what it does.
            #[must_use]
            pub fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc,)+ }
            }
        }
    };
}

commands! {
    Open, "open", "open", "Answer the selected call; read the selected event or step; look into the selected node; copy the command that follows the selected run";
    NextWaiting, "next-waiting", "next call", "Go to the next call that waits for you";
    NextPane, "next-pane", "pane", "Go to the next pane";
    PreviousPane, "previous-pane", "back", "Go to the previous pane";
    Up, "up", "up", "Move up, or scroll up";
    Down, "down", "down", "Move down, or scroll down";
    Left, "left", "left", "Go to the previous tab of the detail pane";
    Right, "right", "right", "Go to the next tab of the detail pane";
    PageUp, "page-up", "page up", "Move up by a page";
    PageDown, "page-down", "page down", "Move down by a page";
    First, "first", "first", "Go to the first row";
    Last, "last", "last", "Go to the last row";
    Leave, "leave", "leave", "Leave what is open; it never sends and never discards";
    Filter, "filter", "filter", "Show only the nodes whose id, type or status holds what you type; in the Events tab, search all events of the node or of the run";
    NextMatch, "next-match", "next match", "Go to the next node that the filter shows; among the matches of a search, to the next match";
    PreviousMatch, "previous-match", "previous match", "Go to the previous node that the filter shows; among the matches of a search, to the previous match";
    Fold, "fold", "fold", "Fold the items of a fan-out behind its row, or unfold them";
    NextError, "next-error", "next error", "Go to the next node that failed";
    EventBack, "event-back", "event back", "Go one event back in time: nodes, cost and detail stand as they stood then; the first line and what waits stay live";
    EventForth, "event-forth", "event forth", "Go one event forth in time";
    MilestoneBack, "milestone-back", "milestone back", "Go back to the milestone before: the run or a node begins or ends, calls or a question wait, an answer";
    MilestoneForth, "milestone-forth", "milestone forth", "Go forth to the next milestone";
    Live, "live", "live", "From an earlier event back to the run as it stands; there, follow the run again: the newest output of the node that works";
    Copy, "copy", "copy", "Copy what is selected to the terminal's clipboard";
    ReadAgain, "read-again", "read again", "Read again: the run, its pending calls and its tasks, or what is open; when not connected, connect now";
    Palette, "palette", "commands", "Find a command by its name";
    Help, "help", "help", "Show every key and what it does";
    Notices, "notices", "notices", "Read again everything that was said in the last line";
    Stream, "stream", "stream", "Look at what was odd in the event stream, and whether it agrees with the server's snapshot";
    Quit, "quit", "quit", "Quit at once; drafts are kept";
    Suspend, "suspend", "suspend", "Suspend to the shell; fg comes back";
    PutAway, "put-away", "put away", "Put a draft whose call is over into the history";
    Repaint, "repaint", "repaint", "Draw the whole screen again";
    Review, "review", "review", "Review the answer before it is sent";
    SwitchSide, "switch-side", "arguments", "Go from the answer to the call's arguments, and back";
    ArgumentsUp, "arguments-up", "scroll arguments", "Scroll the arguments up without leaving the answer";
    ArgumentsDown, "arguments-down", "scroll arguments", "Scroll the arguments down without leaving the answer";
    Prefix, "more", "more", "Begin a key of two strokes";
    ExternalEditor, "external-editor", "$EDITOR", "Edit the answer in $VISUAL or $EDITOR";
    FormatJson, "format-json", "format", "Indent the answer's JSON; numbers and texts stay letter for letter";
    InsertFile, "insert-file", "insert file", "Insert a file at the cursor";
    ToggleError, "toggle-error", "result or error", "Switch between sending a result and sending an error";
    EarlierAnswer, "earlier-answer", "earlier answers", "Put in an earlier result of the same tool; again for an older one";
    NewLine, "new-line", "new line", "Begin a new line";
    CursorLeft, "cursor-left", "left", "Move the cursor left";
    CursorRight, "cursor-right", "right", "Move the cursor right";
    CursorUp, "cursor-up", "up", "Move the cursor up; in a question, choose the option above";
    CursorDown, "cursor-down", "down", "Move the cursor down; in a question, choose the option below";
    WordLeft, "word-left", "word left", "Move the cursor a word left";
    WordRight, "word-right", "word right", "Move the cursor a word right";
    LineStart, "line-start", "line start", "Move the cursor to the start of the line";
    LineEnd, "line-end", "line end", "Move the cursor to the end of the line";
    TextStart, "text-start", "text start", "Move the cursor to the start of the text";
    TextEnd, "text-end", "text end", "Move the cursor to the end of the text";
    DeleteLeft, "delete-left", "delete", "Delete the character to the left";
    DeleteRight, "delete-right", "delete", "Delete the character to the right";
    DeleteWordLeft, "delete-word-left", "delete word", "Delete the word to the left";
    DeleteWordRight, "delete-word-right", "delete word", "Delete the word to the right";
    DeleteToLineStart, "delete-to-line-start", "delete line", "Delete to the start of the line";
    DeleteToLineEnd, "delete-to-line-end", "delete line", "Delete to the end of the line";
    PutBack, "put-back", "put back", "Put back what was deleted last";
    Undo, "undo", "undo", "Take back the last edit";
    Redo, "redo", "redo", "Do again what was taken back";
    Send, "send", "send", "Send what is shown";
    ToggleTogether, "toggle-together", "this or all", "Switch between this call and all ready calls of its step";
}

impl Command {
    /// The editor's own edit behind a command, where there is one.
    #[must_use]
    pub fn edit(self) -> Option<Edit> {
        Some(match self {
            Self::CursorLeft => Edit::Left,
            Self::CursorRight => Edit::Right,
            Self::CursorUp => Edit::Up,
            Self::CursorDown => Edit::Down,
            Self::WordLeft => Edit::WordLeft,
            Self::WordRight => Edit::WordRight,
            Self::LineStart => Edit::LineStart,
            Self::LineEnd => Edit::LineEnd,
            Self::TextStart => Edit::TextStart,
            Self::TextEnd => Edit::TextEnd,
            Self::DeleteLeft => Edit::DeleteLeft,
            Self::DeleteRight => Edit::DeleteRight,
            Self::DeleteWordLeft => Edit::DeleteWordLeft,
            Self::DeleteWordRight => Edit::DeleteWordRight,
            Self::DeleteToLineStart => Edit::DeleteToLineStart,
            Self::DeleteToLineEnd => Edit::DeleteToLineEnd,
            Self::PutBack => Edit::PutBack,
            Self::Undo => Edit::Undo,
            Self::Redo => Edit::Redo,
            _ => return None,
        })
    }
}
