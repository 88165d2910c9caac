//! What can happen to the app, and what the app wants done: both plain data.

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::KeyEvent;
use jiff::Timestamp;
use uuid::Uuid;

use super::event_search::{SearchAnswer, SearchRequest};
use super::loaded_text::{Streamed, TextRequest};
use super::past::PastRequest;
use crate::api::run::RunSnapshot;
use crate::api::step::StepDetail;
use crate::api::task::RunTasks;
use crate::api::tool::{CallKey, PendingTools, StepKey};
use crate::feed::FeedUpdate;
use crate::run::Run;
use crate::store::{Draft, Ending};
use crate::submission::{Intent, Left, LookedUp, PastCall, Progress, Verdict};

/// The time, as it comes in with each action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub wall: Timestamp,
    /// Time since the console started; never jumps.
    pub uptime: Duration,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted, line endings as the terminal sent them.
    Paste(String),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// The window got (true) or lost (false) the focus.
    WindowFocus(bool),
    /// The feed said something.
    Feed(FeedUpdate),
    /// [`Effect::ReadRun`] came back: the snapshot and the server's `Date`, or why not.
    RunRead(Result<(Box<RunSnapshot>, Option<Timestamp>), String>),
    /// [`Effect::ReadPending`] came back.
    PendingRead {
        /// As it was asked with.
        generation: u64,
        /// The answer, or why there is none.
        answer: Result<PendingTools, String>,
    },
    /// A submission goes on.
    SubmissionProgress {
        /// Which.
        request_id: Uuid,
        /// Where it stands.
        progress: Progress,
    },
    /// A submission has ended.
    SubmissionEnded {
        /// Which.
        request_id: Uuid,
        /// How.
        verdict: Verdict,
    },
    /// [`Effect::FindLeft`] came back.
    LeftFound(Vec<Left>),
    /// [`Effect::LookUpIntents`] says what it finds.
    LookedUp(LookedUp),
    /// [`Effect::LookUpIntents`] has ended.
    LookUpDone,
    /// [`Effect::TryRecord`] came back: why a send could not be written down, where it could not.
    RecordTried(Result<(), String>),
    /// [`Effect::FindCalls`] came back: what the events tell of these calls, or why they could not be read.
    CallsFound {
        /// Which.
        keys: Vec<CallKey>,
        /// What became of each, in the same order.
        result: Result<Vec<PastCall>, String>,
    },
    /// The drafts on disk were read.
    DraftsLoaded {
        /// Those that can be read.
        drafts: Vec<Draft>,
        /// What was wrong with the others, in words.
        problems: Vec<String>,
    },
    /// The console that wrote the drafts is gone, and this one writes them now.
    DraftsTakenOver {
        /// What that console has left.
        drafts: Vec<Draft>,
        /// What was wrong with the others, in words.
        problems: Vec<String>,
    },
    /// [`Effect::SaveDraft`] came back.
    DraftSaved {
        /// Which.
        key: CallKey,
        /// When, or why not.
        result: Result<Timestamp, String>,
    },
    /// [`Effect::ReadEvent`] came back: the event's line, or why not.
    EventRead {
        /// Which.
        seq: u64,
        /// The line as the server has it.
        result: Result<String, String>,
    },
    /// A search goes on.
    SearchProgress {
        /// Which.
        number: u64,
        /// So much of the file was searched.
        percent: u8,
    },
    /// [`Effect::Search`] came back.
    SearchEnded {
        /// Which.
        number: u64,
        /// What was found, or why nothing could be searched.
        result: Result<Box<SearchAnswer>, String>,
    },
    /// [`Effect::LoadText`] came back: the pieces, or why not.
    TextLoaded {
        /// Which.
        number: u64,
        /// What the node has streamed.
        result: Result<Streamed, String>,
    },
    /// [`Effect::LoadPast`] came back.
    PastLoaded {
        /// Which.
        number: u64,
        /// The model, `None` where there is no such milestone; or why it could not be made.
        result: Result<Option<Box<Run>>, String>,
    },
    /// [`Effect::ReadTasks`] came back: the task list, or why not.
    TasksRead(Result<RunTasks, String>),
    /// [`Effect::ReadStep`] came back: the step as the server has it, or why not.
    StepRead {
        /// Which.
        key: StepKey,
        /// Request, response, calls and results.
        result: Result<Box<StepDetail>, String>,
    },
    /// [`Effect::ReadFile`] came back.
    FileRead {
        /// The call whose draft it goes into.
        key: CallKey,
        /// The file.
        path: PathBuf,
        /// Its text, or why not.
        result: Result<String, String>,
    },
    /// [`Effect::EditExternally`] came back.
    ExternalEditorClosed {
        /// The call whose draft was edited.
        key: CallKey,
        /// The text, or why it is unchanged.
        result: Result<String, String>,
    },
    /// [`Effect::Copy`] came back: what was done, or why not.
    Copied(Result<String, String>),
    /// A frame was drawn.
    Drawn(Measured),
    /// Time has passed.
    Tick,
    /// The process was stopped and goes on, or the wall clock has jumped.
    Resumed,
    /// Something outside asks to end.
    Quit,
}

/// What only drawing can know, in rows; scrolling is held to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    /// Rows of the detail pane's text.
    pub detail: usize,
    /// Rows of the arguments beside the editor.
    pub arguments: usize,
    /// Rows of the open page.
    pub page: usize,
    /// Rows of the open review.
    pub review: usize,
    /// Rows of the notice above the key hints.
    pub notice: u16,
}

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Read the run's snapshot.
    ReadRun,
    /// Read pending-tools.
    ReadPending {
        /// Given back with the answer.
        generation: u64,
    },
    /// Read the credentials again and connect now.
    Reconnect,
    /// Find out whether the link is still alive.
    ProbeLink,
    /// Send an answer.
    Submit(Intent),
    /// Find on disk the submissions whose process ended on the way: there is no link to look them up.
    FindLeft,
    /// Find out what became of submissions whose process ended on the way; nothing is sent.
    LookUpIntents,
    /// Find out whether a send could be written down.
    TryRecord,
    /// Find in the run's events what became of these calls.
    FindCalls {
        /// Which.
        keys: Vec<CallKey>,
    },
    /// Write a draft to disk.
    SaveDraft(Draft),
    /// The draft's call is over: keep the text as history.
    EndDraft {
        /// Which.
        key: CallKey,
        /// How.
        ending: Ending,
    },
    /// A newer text has taken the place of this draft from disk: keep it as history.
    ArchiveDraft(Draft),
    /// Read one event in full.
    ReadEvent {
        /// Which.
        seq: u64,
    },
    /// Search the run's events; a search that runs ends.
    Search(Box<SearchRequest>),
    /// The search that runs is of no more use.
    StopSearch,
    /// Read from disk what a node has streamed; a reading that runs ends.
    LoadText(TextRequest),
    /// Make the model at an earlier event.
    LoadPast(Box<PastRequest>),
    /// The model that is being made is of no more use.
    StopPast,
    /// Read the run's task list.
    ReadTasks,
    /// Read one step in full, with what the model was asked and what it answered.
    ReadStep {
        /// Which.
        key: StepKey,
    },
    /// Read a file into a draft.
    ReadFile {
        /// The call whose draft it goes into.
        key: CallKey,
        /// The file.
        path: PathBuf,
    },
    /// Edit a draft in `$VISUAL` or `$EDITOR`.
    EditExternally {
        /// The call whose draft it is.
        key: CallKey,
        /// The text.
        text: String,
    },
    /// Copy to the clipboard.
    Copy(String),
    /// Ring the terminal's bell.
    Bell,
    /// Stop the process until the shell lets it go on.
    Suspend,
    /// Draw everything again.
    Repaint,
    /// End.
    Quit,
}
