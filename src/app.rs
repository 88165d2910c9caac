//! The console's state and the one pure function that changes it.
//!
//! [`reduce()`] takes the state, the time and what happened, and returns what is to be done outside; it never awaits and
//! does no I/O. The state holds facts, never looks: spans, styles and padded strings live in `view`. The selection
//! follows identities (a node's id, a call's key), never row numbers.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`action`] | what can happen ([`Action`]) and what is to be done ([`Effect`]) |
//! | [`command`], [`keys`] | every command, and the one table of keys |
//! | [`answer`], [`draft_text`], [`editor`], [`json`] | a draft a call, its text, the open editor, JSON as it is typed |
//! | [`detail`] | what the detail pane shows, and where it stands |
//! | [`loaded_text`] | a streamed text that memory has dropped, read again from disk |
//! | [`event_search`] | a search through all events of the run |
//! | [`mode`], [`notice`] | what is open over the panes; what was said to the operator |
//! | [`folding`] | the items of a fan-out behind its row |
//! | [`stream_check`] | whether the stream agrees with the server's snapshot, and what was odd about it |
//! | [`related`] | the parent run and the child runs, and how to follow them |
//! | [`tasks`] | the run's task list |
//! | [`past`] | the run as it stood at an earlier event |
//! | [`layout`] | where each region stands |
//! | [`inert`] | which characters never reach a terminal |
//! | [`mod@reduce`] | the transitions |

pub mod action;
pub mod answer;
pub mod command;
pub mod detail;
pub mod draft_text;
pub mod editor;
pub mod event_search;
pub mod folding;
pub mod inert;
pub mod json;
pub mod keys;
pub mod layout;
pub mod loaded_text;
pub mod mode;
pub mod notice;
pub mod past;
mod placeholders;
pub mod reduce;
pub mod related;
pub mod shell;
pub mod stream_check;
pub mod tasks;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use indexmap::IndexMap;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub use action::{Action, Effect, Measured, Moment};
pub use answer::{Answer, Check, Fate};
pub use command::Command;
pub use detail::{Detail, Scroll, Tab};
pub use draft_text::DraftText;
pub use editor::Editor;
pub use event_search::{EventSearch, SearchAnswer, SearchRequest, SearchState};
pub use folding::{FanOut, Listing};
pub use keys::Context;
pub use layout::Layout;
pub use loaded_text::{LoadedText, TextRequest, TextState};
pub use mode::{Answering, Mode, Page, PageContent, REVIEW_GUARD, Review, Side};
pub use notice::{Level, NOTICE_TIME, Notice};
pub use past::{Past, PastRequest, Wish};
pub use reduce::reduce;
pub use related::RelatedRun;
pub use stream_check::{Compared, StreamCheck};
pub use tasks::TaskList;

use crate::api::ids::{NodeId, RunId};
use crate::api::tool::{CallKey, Question};
use crate::feed::LinkState;
use crate::run::{Checkpoints, Node, PendingCall, Prices, Run};
use layout::Shape;

/// What does not change while the console is open.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Which server: profile, host, or `DEMO`.
    pub server: String,
    /// The run.
    pub run_id: RunId,
    /// Prices from the settings.
    pub prices: Prices,
    /// A random id of this console: submissions' request ids are made from it.
    pub instance: Uuid,
}

/// The console's whole state.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// What does not change.
    pub identity: Identity,
    /// The command that comes back to this console, word by word; empty where nobody has said one.
    pub command: Vec<String>,
    /// Whether a file is shown in the place of a server: it ends, and nothing can be asked or answered.
    pub replay: bool,
    /// The time of the last action.
    pub now: Moment,
    /// The window's columns and rows.
    pub size: (u16, u16),
    /// Whether the window has the focus; `None` where the terminal does not say.
    pub window_focus: Option<bool>,
    /// The run.
    pub run: Run,
    /// The earlier event that the panes are at; `None` while they show the run as it stands.
    pub past: Option<Past>,
    /// The link to the server.
    pub link: LinkState,
    /// What the stream has proved, and what was odd about it.
    pub stream_check: StreamCheck,
    /// How far the server's clock is ahead of this one.
    pub clock_ahead: SignedDuration,
    /// The pane that keys go to.
    pub focus: Pane,
    /// What is open over the panes.
    pub mode: Mode,
    /// Which node the detail pane shows.
    pub selection: Selection,
    /// Only nodes that hold this text are shown; empty shows all.
    pub filter: String,
    /// Fan-outs that the operator has folded (true) or unfolded.
    pub folds: HashMap<NodeId, bool>,
    /// The node that worked last.
    pub active_node: Option<NodeId>,
    /// The selected waiting call.
    pub waiting: Option<CallKey>,
    /// The detail pane.
    pub detail: Detail,
    /// The text of the node that is looked at, where memory has dropped some of it.
    pub loaded: Option<LoadedText>,
    /// The last search through the run's events, until it is left.
    pub search: Option<EventSearch>,
    /// The run's task list.
    pub tasks: TaskList,
    /// The first row of the cost that is shown.
    pub cost_scroll: usize,
    /// The drafts, and the submissions that carry them.
    pub answers: IndexMap<CallKey, Answer>,
    /// What was said to the operator, newest last.
    pub notices: VecDeque<Notice>,
    /// What only drawing can know.
    pub measured: Measured,
    /// Why the last send could not be written down, or the next one could not be; `None` while it can.
    pub unrecorded: Option<String>,
    /// Where times of the day are told for.
    pub time_zone: TimeZone,
    reads: Reads,
    announced: HashSet<CallKey>,
    issued_ids: u64,
    /// Searches that were begun.
    searches: u64,
    /// Texts that were read again.
    text_reads: u64,
    /// Where the way to an earlier event begins.
    checkpoints: Checkpoints,
    /// Models of the past that were asked for.
    past_reads: u64,
}

/// The panes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The nodes.
    Nodes,
    /// The cost.
    Cost,
    /// One node, or the run.
    Detail,
    /// The calls that wait.
    Waiting,
}

/// What the detail pane is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The node that works; the run itself once it has ended.
    Follow,
    /// The run itself.
    Run,
    /// One node.
    Node(NodeId),
}

/// What was asked of the server and what is still to be asked.
#[derive(Debug, Clone, Default, PartialEq)]
struct Reads {
    run: Read,
    pending: Read,
    tasks: Read,
    /// LLM calls came in since the run was read last.
    calls_since: bool,
    /// A pending-tools answer has counted since the console was opened.
    pending_known: bool,
    /// The drafts on disk were read.
    drafts_known: bool,
    /// What ended processes have left is asked of the disk once, where there is no link: in flight from then on.
    left: Read,
    /// What ended processes have left is looked up as anything else is read.
    intents: Read,
}

/// One thing that is read from the server again and again.
#[derive(Debug, Clone, Default, PartialEq)]
struct Read {
    wanted: bool,
    in_flight: bool,
    asked_at: Option<Duration>,
    /// The last seq applied when it was asked for.
    asked_seq: u64,
    /// Since when it could not be read, or its answer could not be true.
    failed_at: Option<Duration>,
}

impl Read {
    /// The uptime from which it may be asked for: a rest after it was asked, a longer one after it failed.
    fn due_at(&self, rest: Duration) -> Duration {
        let asked = self.asked_at.map_or(Duration::ZERO, |at| at + rest);
        let failed = self.failed_at.map_or(Duration::ZERO, |at| at + reduce::READ_AFTER_FAILURE);
        asked.max(failed)
    }

    /// Takes a failure: it is asked for again after a while. Returns whether this is news.
    fn fail(&mut self, now: Duration) -> bool {
        self.wanted = true;
        self.failed_at.replace(now).is_none()
    }
}

impl App {
    /// A console that has just been opened.
    #[must_use]
    pub fn new(identity: Identity, size: (u16, u16), now: Moment) -> Self {
        Self {
            run: Run::new(identity.run_id),
            past: None,
            identity,
            command: Vec::new(),
            replay: false,
            now,
            size,
            window_focus: None,
            link: LinkState::Connecting,
            stream_check: StreamCheck::default(),
            clock_ahead: SignedDuration::ZERO,
            focus: Pane::Nodes,
            mode: Mode::Browse,
            selection: Selection::Follow,
            filter: String::new(),
            folds: HashMap::new(),
            active_node: None,
            waiting: None,
            detail: Detail::at(Tab::Output),
            loaded: None,
            search: None,
            tasks: TaskList::default(),
            cost_scroll: 0,
            answers: IndexMap::new(),
            notices: VecDeque::new(),
            measured: Measured::default(),
            unrecorded: None,
            time_zone: TimeZone::UTC,
            reads: Reads { intents: Read { wanted: true, ..Read::default() }, ..Reads::default() },
            announced: HashSet::new(),
            issued_ids: 0,
            searches: 0,
            text_reads: 0,
            checkpoints: Checkpoints::default(),
            past_reads: 0,
        }
    }

    /// Whether the window is too small for anything to be laid out in it.
    #[must_use]
    pub fn is_too_small(&self) -> bool {
        layout::is_too_small(self.size)
    }

    /// The regions of the screen as it stands.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout_with(self.measured.notice)
    }

    /// The same, with so many rows for a notice.
    #[must_use]
    pub fn layout_with(&self, notice_rows: u16) -> Layout {
        Layout::new(
            self.size,
            Shape {
                waiting_rows: self.run.pending.len() + self.orphans().count(),
                cost_rows: self.shown_run().ledger.rows(&self.identity.prices).len(),
                past: self.past.is_some(),
                answering: matches!(self.mode, Mode::Answering(_) | Mode::Review(_)),
                notice_rows,
            },
        )
    }

    /// The context that a key is pressed in.
    #[must_use]
    pub fn context(&self) -> Context {
        match &self.mode {
            Mode::Browse => Context::Browse,
            Mode::Filter { .. } | Mode::Search { .. } | Mode::Palette { .. } => Context::Prompt,
            Mode::Page(_) => Context::Page,
            Mode::Review(_) => Context::Review,
            Mode::Answering(answering) => match answering.side {
                Side::Editor => Context::Editor,
                Side::Prefix => Context::EditorPrefix,
                Side::Arguments => Context::Arguments,
                Side::File(_) => Context::Prompt,
            },
        }
    }

    /// The wall clock as the server has it. In a replay it stands still at the file's last event.
    #[must_use]
    pub fn server_now(&self) -> Timestamp {
        if self.replay {
            return self.run.last_event_at.unwrap_or(self.now.wall);
        }
        self.now.wall.checked_add(self.clock_ahead).unwrap_or(self.now.wall)
    }

    /// Where the events come from, in two words.
    #[must_use]
    pub fn source_word(&self) -> &'static str {
        if self.replay { "the file" } else { "the server" }
    }

    /// How long ago something happened by the server's clock; never negative.
    #[must_use]
    pub fn age(&self, since: Timestamp) -> Duration {
        self.server_now().duration_since(since).try_into().unwrap_or_default()
    }

    /// How long the run takes, or took; `None` before it has started.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        let end = self.run.ended_at.unwrap_or_else(|| self.server_now());
        Some(end.duration_since(self.run.started_at?).try_into().unwrap_or_default())
    }

    /// The nodes that the filter shows, in order.
    pub fn shown_nodes(&self) -> impl Iterator<Item = &Node> {
        let wanted = self.filter.to_lowercase();
        let run = self.shown_run();
        run.nodes.values().filter(move |node| {
            wanted.is_empty()
                || holds_lowercase(node.id.as_str(), &wanted)
                || run.node_status(node).as_str().contains(&wanted)
                || node.node_type.as_ref().is_some_and(|node_type| node_type.as_str().contains(&wanted))
        })
    }

    /// The node that the detail pane shows; `None` when it shows the run itself.
    #[must_use]
    pub fn selected_node(&self) -> Option<&Node> {
        let id = match &self.selection {
            Selection::Follow if self.shown_run().has_ended() => None,
            Selection::Follow => self.shown_active_node(),
            Selection::Run => None,
            Selection::Node(id) => Some(id),
        };
        self.shown_run().nodes.get(id?)
    }

    /// The rows of the waiting pane: the calls that wait, then drafts whose call no longer does.
    #[must_use]
    pub fn waiting_rows(&self) -> Vec<WaitingRow<'_>> {
        let pending = self.run.pending.iter().map(WaitingRow::Pending);
        let orphans = self.orphans().map(WaitingRow::Orphan);
        pending.chain(orphans).collect()
    }

    /// Whether the waiting pane has a row.
    #[must_use]
    pub fn has_waiting_rows(&self) -> bool {
        !self.run.pending.is_empty() || self.orphans().next().is_some()
    }

    /// Unsent drafts whose call no longer waits; none before the run's calls are known.
    pub fn orphans(&self) -> impl Iterator<Item = &Answer> {
        let known = self.reads.pending_known || self.run.has_ended();
        self.answers.values().filter(move |answer| {
            known && answer.is_unsent() && answer.sending.is_none() && self.run.pending.get(&answer.key).is_none()
        })
    }

    /// Drafts with text that the server has not taken.
    pub fn unsent(&self) -> impl Iterator<Item = &Answer> {
        self.answers.values().filter(|answer| answer.is_unsent())
    }

    /// The pending call of a key, with its question.
    #[must_use]
    pub fn pending(&self, key: &CallKey) -> Option<&PendingCall> {
        self.run.pending.get(key)
    }

    /// The question that a call asks, while it waits.
    #[must_use]
    pub fn question(&self, key: &CallKey) -> Option<&Question> {
        self.pending(key).and_then(|call| call.question.as_ref())
    }

    /// The answer that is open, where one is.
    #[must_use]
    pub fn answering(&self) -> Option<&Answering> {
        match &self.mode {
            Mode::Answering(answering) => Some(answering),
            Mode::Review(review) => Some(&review.answering),
            _ => None,
        }
    }

    /// The notice that stands in the footer: the newest that has not gone by, so that an error that a newer notice
    /// covered comes back when that one goes.
    #[must_use]
    pub fn current_notice(&self) -> Option<&Notice> {
        let stands = |notice: &&Notice| notice.level == Level::Error || self.now.uptime < notice.at + NOTICE_TIME;
        self.notices.iter().rev().filter(|notice| !notice.dismissed).find(stands)
    }

    /// When (uptime) the next tick is due: a deadline, else the next second of a clock that is shown.
    #[must_use]
    pub fn next_tick(&self) -> Option<Duration> {
        let autosave = self.answers.values().filter_map(|answer| answer.unsaved_since).min();
        let autosave = autosave.map(|since| since + reduce::AUTOSAVE);
        let guard = match &self.mode {
            Mode::Review(review) => review.drawn_at.map(|at| at + REVIEW_GUARD).filter(|at| *at > self.now.uptime),
            _ => None,
        };
        let notice = self.current_notice().filter(|notice| notice.level != Level::Error);
        let notice = notice.map(|notice| notice.at + NOTICE_TIME);
        let clock = (!self.run.has_ended() && !self.replay).then(|| self.next_second());
        // A read that must wait for the link waits for no clock: a tick would find nothing to do, and be due again.
        let due = |read: &Read, rest| {
            (self.may_read() && read.wanted && !read.in_flight).then(|| read.due_at(rest).max(self.now.uptime))
        };
        let run = due(&self.reads.run, reduce::READ_AT_MOST);
        let pending = due(&self.reads.pending, Duration::ZERO);
        let tasks = due(&self.reads.tasks, reduce::READ_TASKS);
        [autosave, guard, notice, clock, run, pending, tasks].into_iter().flatten().min()
    }

    /// Whether snapshot and waiting calls may be read now: while history is read, its ends of nodes and its waits are
    /// old news, and without a link there is nobody to ask.
    fn may_read(&self) -> bool {
        !self.replay && matches!(self.link, LinkState::Live | LinkState::Ended | LinkState::Stale { .. })
    }

    /// The uptime at which the server's clock turns to its next second, when every shown age turns too.
    fn next_second(&self) -> Duration {
        let past = self.server_now().subsec_nanosecond().rem_euclid(1_000_000_000);
        let left = 1_000_000_000 - u64::try_from(past).unwrap_or(0);
        self.now.uptime + Duration::from_nanos(left)
    }

    /// Says something to the operator.
    pub fn notify(&mut self, level: Level, text: impl Into<String>) {
        if self.notices.len() == notice::NOTICES {
            self.notices.pop_front();
        }
        let (at, wall) = (self.now.uptime, self.now.wall);
        self.notices.push_back(Notice { at, wall, level, text: text.into(), dismissed: false });
    }

    /// A fresh id for a submission: unique, since it is made from this console's own random id.
    fn fresh_id(&mut self) -> Uuid {
        self.issued_ids += 1;
        // Only the low 48 bits change, so version and variant stay those of a random UUID.
        Uuid::from_u128(self.identity.instance.as_u128() ^ u128::from(self.issued_ids & 0xFFFF_FFFF_FFFF))
    }
}

/// Whether `text` in lowercase holds `wanted`, which is lowercase.
fn holds_lowercase(text: &str, wanted: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(wanted);
    }
    // Without a copy: a filter looks into ten thousand ids for each frame.
    text.as_bytes().windows(wanted.len().max(1)).any(|part| part.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// One row of the waiting pane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WaitingRow<'a> {
    /// A call that waits.
    Pending(&'a PendingCall),
    /// A draft whose call no longer waits.
    Orphan(&'a Answer),
}

impl WaitingRow<'_> {
    /// The call's key.
    #[must_use]
    pub fn key(&self) -> &CallKey {
        match self {
            Self::Pending(call) => &call.key,
            Self::Orphan(answer) => &answer.key,
        }
    }
}
