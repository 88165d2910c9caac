//! Keys while an answer is written.
//!
//! Rule: leaving never sends and never discards; nothing that arrives changes the text.

use std::path::{Path, PathBuf};

use super::super::editor::Edit;
use super::super::layout::inside;
use super::super::{Answer, Answering, App, Command, DraftText, Editor, Effect, Level, Mode, Side, inert, json};
use super::{back_to_browse, rows_of, scrolled_row, sending, settle, side_mut};
use crate::api::tool::CallKey;

/// Opens the answer to a call: an orphan draft opens too, so that its text can be read and copied.
pub(super) fn open(app: &mut App, key: &CallKey) {
    if app.replay {
        app.notify(Level::Info, "nothing can be answered here: this is a file, and no server is asked");
        return;
    }
    let tool = app.pending(key).map(|call| call.call.name.clone());
    let Some(tool) = tool.or_else(|| app.answers.get(key).map(|answer| answer.tool.clone())) else {
        app.notify(Level::Info, "this call no longer waits");
        return;
    };
    let answer = app.answers.entry(key.clone()).or_insert_with(|| Answer::new(key.clone(), tool));
    if answer.sending.is_some() {
        app.notify(Level::Info, "this answer is on its way; its outcome will stand here");
        return;
    }
    let text = answer.text.to_string();
    app.waiting = Some(key.clone());
    app.mode = Mode::Answering(Answering {
        key: key.clone(),
        editor: Editor::new(&text),
        side: Side::Editor,
        arguments_scroll: 0,
        earlier: None,
    });
}

pub(super) fn command(app: &mut App, command: Command, out: &mut Vec<Effect>) {
    match side_mut(app) {
        Some(Side::Editor) => editor_command(app, command, out),
        Some(Side::Prefix) => prefix_command(app, command, out),
        Some(Side::Arguments) => arguments_command(app, command, out),
        Some(Side::File(_)) => file_command(app, command, out),
        None => {}
    }
}

fn editor_command(app: &mut App, command: Command, out: &mut Vec<Effect>) {
    match command {
        Command::Review => sending::review(app, out),
        Command::Leave => leave(app, out),
        Command::SwitchSide => set_side(app, Side::Arguments),
        Command::Prefix => set_side(app, Side::Prefix),
        Command::ArgumentsUp => scroll_arguments(app, Command::PageUp),
        Command::ArgumentsDown => scroll_arguments(app, Command::PageDown),
        Command::NewLine => typed(app, '\n'),
        other => {
            if let Some(edit) = other.edit() {
                edit_text(app, edit);
            }
        }
    }
}

fn arguments_command(app: &mut App, command: Command, out: &mut Vec<Effect>) {
    match command {
        Command::SwitchSide => set_side(app, Side::Editor),
        Command::Leave => leave(app, out),
        Command::Review => sending::review(app, out),
        Command::Copy => {
            let key = app.answering().map(|answering| answering.key.clone());
            let call = key.as_ref().and_then(|key| app.pending(key));
            out.extend(call.map(|call| Effect::Copy(call.call.arguments().to_owned())));
        }
        moving => scroll_arguments(app, moving),
    }
}

fn prefix_command(app: &mut App, command: Command, out: &mut Vec<Effect>) {
    back_to_editor(app);
    match command {
        Command::ExternalEditor => {
            if let Some(answering) = app.answering() {
                let (key, text) = (answering.key.clone(), answering.editor.text());
                settle::save_all(app, out);
                out.push(Effect::EditExternally { key, text });
            }
        }
        Command::FormatJson => format_json(app),
        Command::InsertFile => set_side(app, Side::File(String::new())),
        Command::ToggleError => toggle_error(app),
        Command::EarlierAnswer => earlier_answer(app),
        _ => {}
    }
}

fn file_command(app: &mut App, command: Command, out: &mut Vec<Effect>) {
    let Some(Side::File(name)) = side_mut(app) else { return };
    match command {
        Command::DeleteLeft => drop(name.pop()),
        Command::DeleteToLineStart => name.clear(),
        Command::Leave => set_side(app, Side::Editor),
        Command::Open => {
            let path = PathBuf::from(name.trim());
            set_side(app, Side::Editor);
            if let Some(answering) = app.answering().filter(|_| !path.as_os_str().is_empty()) {
                out.push(Effect::ReadFile { key: answering.key.clone(), path });
            }
        }
        _ => {}
    }
}

pub(super) fn typed(app: &mut App, c: char) {
    match side_mut(app) {
        Some(Side::Editor) => {
            let mut text = [0; 4];
            insert(app, c.encode_utf8(&mut text));
        }
        Some(Side::File(name)) => name.push(c),
        Some(Side::Prefix) => {
            back_to_editor(app);
            app.notify(Level::Info, format!("Ctrl-X {c} is no key; Ctrl-X then e, f, o, t or r"));
        }
        Some(Side::Arguments) | None => {}
    }
}

pub(super) fn pasted(app: &mut App, text: &str) {
    match side_mut(app) {
        Some(Side::File(name)) => name.extend(text.chars().filter(|c| !c.is_control())),
        // Whatever stood beside the editor, a paste is meant for the text.
        Some(side) => {
            *side = Side::Editor;
            if insert(app, text)
                && let Some(hidden) = hidden_in(text)
            {
                app.notify(Level::Info, format!("pasted with {hidden}"));
            }
        }
        None => {}
    }
}

/// What of an inserted text cannot be seen, in words.
fn hidden_in(text: &str) -> Option<String> {
    match inert::count_hidden(&text.replace('\r', "")) {
        0 => None,
        1 => Some("1 hidden character: it shows as a mark, and is sent as it is".to_owned()),
        count => Some(format!("{count} hidden characters: each shows as a mark, and is sent as it is")),
    }
}

fn insert(app: &mut App, text: &str) -> bool {
    change(app, |answering| match text.chars().next() {
        Some(c) if text.chars().nth(1).is_none() => answering.editor.type_char(c),
        _ => answering.editor.insert(text),
    })
}

/// Does `edit` on the open text and takes its outcome into the draft; false from it means that the text would be too
/// long, which is told. Returns whether the edit was taken: it is not where no text is open, or only in a review.
fn change(app: &mut App, edit: impl FnOnce(&mut Answering) -> bool) -> bool {
    let now = app.now.uptime;
    let Mode::Answering(answering) = &mut app.mode else { return false };
    let taken = edit(answering);
    if let Some(answer) = app.answers.get_mut(&answering.key) {
        let text = answering.editor.text();
        if text != *answer.text {
            answer.text = DraftText::new(text);
            answer.restored = false;
            answer.unsaved_since.get_or_insert(now);
        }
    }
    if !taken {
        app.notify(
            Level::Error,
            "too long to edit here (over 512 KiB): nothing was inserted. Ctrl-X e edits it in $EDITOR",
        );
    }
    taken
}

/// One of the editor's own edits. In a question, up and down choose an option while no other text stands.
fn edit_text(app: &mut App, edit: Edit) {
    if let Some(option) = chosen_option(app, edit) {
        change(app, |answering| answering.editor.replace(&option));
    } else {
        change(app, |answering| {
            answering.editor.edit(edit);
            true
        });
    }
}

/// The option that up or down goes to; `None` where there are none, or where a text of one's own stands.
fn chosen_option(app: &App, edit: Edit) -> Option<String> {
    let answering = app.answering()?;
    let options = &app.question(&answering.key)?.options;
    let answer = app.answers.get(&answering.key).filter(|answer| !answer.is_error)?;
    let text = answer.text.trim();
    let here = options.iter().position(|option| option.label.trim() == text);
    if options.is_empty() || (here.is_none() && !text.is_empty()) {
        return None;
    }
    let last = options.len() - 1;
    let to = match (edit, here) {
        (Edit::Down, None) => 0,
        (Edit::Up, None) => last,
        (Edit::Down, Some(at)) => (at + 1).min(last),
        (Edit::Up, Some(at)) => at.saturating_sub(1),
        _ => return None,
    };
    Some(options[to].label.clone())
}

fn format_json(app: &mut App) {
    let Some(text) = app.answering().map(|answering| answering.editor.text()) else { return };
    match json::pretty(&text) {
        Some(indented) => {
            change(app, |answering| answering.editor.replace(&indented));
        }
        None => app.notify(Level::Info, "not formatted: the text is not JSON"),
    }
}

fn toggle_error(app: &mut App) {
    let now = app.now.uptime;
    let Some(key) = app.answering().map(|answering| answering.key.clone()) else { return };
    if let Some(answer) = app.answers.get_mut(&key) {
        answer.is_error = !answer.is_error;
        answer.unsaved_since.get_or_insert(now);
    }
}

/// Puts in the newest earlier result of the same tool, or, asked again, the one before.
fn earlier_answer(app: &mut App) {
    let Some((key, earlier)) = app.answering().map(|answering| (answering.key.clone(), answering.earlier)) else {
        return;
    };
    let Some(tool) = app.answers.get(&key).map(|answer| answer.tool.clone()) else { return };
    let records = app.run.nodes.values().flat_map(|node| &node.calls).filter(|record| record.call.name == tool);
    let mut results: Vec<_> = records.filter_map(|record| record.result.as_ref()).collect();
    results.sort_by_key(|result| std::cmp::Reverse(result.at));
    if results.is_empty() {
        app.notify(Level::Info, format!("no earlier result of {tool} in this run"));
        return;
    }
    let at = earlier.map_or(0, |at| (at + 1) % results.len());
    let (text, count) = (results[at].output.clone(), results.len());
    let taken = change(app, |answering| {
        answering.earlier = Some(at);
        answering.editor.replace(&text)
    });
    if taken {
        app.notify(Level::Info, format!("earlier result {} of {count}; Ctrl-_ takes it back", at + 1));
    }
}

fn set_side(app: &mut App, to: Side) {
    if let Some(side) = side_mut(app) {
        *side = to;
    }
}

pub(super) fn back_to_editor(app: &mut App) {
    set_side(app, Side::Editor);
}

fn scroll_arguments(app: &mut App, command: Command) {
    let height = usize::from(inside(app.layout().arguments).height);
    let total = app.measured.arguments;
    let Mode::Answering(answering) = &mut app.mode else { return };
    if let Some(by) = rows_of(command, height) {
        answering.arguments_scroll = scrolled_row(answering.arguments_scroll, by, total, height);
    }
}

/// `Esc`: back to the panes; the text stays, and goes to disk now.
fn leave(app: &mut App, out: &mut Vec<Effect>) {
    if matches!(side_mut(app), Some(Side::Prefix | Side::File(_))) {
        back_to_editor(app);
        return;
    }
    settle::save_all(app, out);
    back_to_browse(app);
}

pub(super) fn file_read(app: &mut App, key: &CallKey, path: &Path, result: Result<String, String>) {
    let path = path.display();
    let text = match result {
        Ok(text) => text,
        Err(why) => return app.notify(Level::Error, format!("{path} was not inserted: {why}")),
    };
    if app.answering().is_none_or(|answering| answering.key != *key) {
        app.notify(Level::Info, format!("{path} was not inserted: its answer was left"));
    } else if matches!(app.mode, Mode::Review(_)) {
        // What is reviewed is not changed by what comes late.
        app.notify(
            Level::Error,
            format!("{path} was not inserted: its answer is in review. Esc, then insert it again"),
        );
    } else if insert(app, &text) {
        let hidden = hidden_in(&text).map(|hidden| format!(", with {hidden}")).unwrap_or_default();
        let ends = if text.contains('\r') { ", line ends made LF" } else { "" };
        app.notify(Level::Info, format!("inserted {path}, {} bytes{ends}{hidden}", text.len()));
    }
}

pub(super) fn external_editor_closed(
    app: &mut App,
    key: &CallKey,
    result: Result<String, String>,
    out: &mut Vec<Effect>,
) {
    match result {
        Ok(text) => {
            if matches!(&app.mode, Mode::Answering(answering) if answering.key == *key) {
                change(app, |answering| {
                    // Too long to edit in place is not too long to send: the editor opens on it anew.
                    if !answering.editor.replace(&text) {
                        answering.editor = Editor::new(&text);
                    }
                    true
                });
            } else {
                keep_edited(app, key, text, out);
            }
        }
        Err(why) => app.notify(Level::Error, format!("the answer is unchanged: {why}")),
    }
}

/// What an external editor wrote for an answer that is no longer open goes into its draft; where the draft is gone, or on
/// its way, it makes one.
fn keep_edited(app: &mut App, key: &CallKey, text: String, out: &mut Vec<Effect>) {
    let now = app.now.uptime;
    let tool = app.pending(key).map(|call| call.call.name.clone()).or_else(|| {
        let node = app.run.nodes.get(&key.step.node_id)?;
        node.calls.iter().rev().find(|record| record.key == *key).map(|record| record.call.name.clone())
    });
    let Some(tool) = app.answers.get(key).map(|answer| answer.tool.clone()).or(tool) else {
        app.notify(Level::Error, "the edited text has no call any more: it was copied to the clipboard");
        out.push(Effect::Copy(text));
        return;
    };
    let answer = app.answers.entry(key.clone()).or_insert_with(|| Answer::new(key.clone(), tool));
    if text != *answer.text {
        answer.text = DraftText::new(text);
        answer.restored = false;
        answer.unsaved_since = Some(now);
        app.notify(Level::Info, "the edited text is in its draft; its answer is not open any more");
    }
}
