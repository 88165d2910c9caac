//! The program as it runs in a terminal: the loop, and everything that touches the terminal and the process.
//!
//! One loop: wait for one action, take every other that is ready, reduce them all, perform the effects, draw once.
//! What reduces and draws never waits; what waits runs in tasks of its own.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`terminal`] | entering, drawing on and giving back the terminal |
//! | [`output`] | writing to a terminal that may have stopped |
//! | [`modes`] | which modes of the terminal are on, and how they are undone from anywhere |
//! | [`panics`] | what happens when a thread panics |
//! | [`signals`] | the signals of the operating system |
//! | [`hang_up`] | noticing that the terminal is gone |
//! | [`keyboard`] | keys and pastes, whole even over links that split them |
//! | [`escape`] | putting split escape sequences together, pure |
//! | [`frame_pacer`] | when to draw, pure |
//! | [`event_loop`] | the order of things: wait, reduce, perform, draw |
//! | [`perform`] | what effects do, in the background |
//! | [`past`] | the model at an earlier event |
//! | [`drafts`] | the thread that keeps drafts on disk |
//! | [`clipboard`], [`external_editor`] | copying, and editing in `$EDITOR` |
//! | [`summary`], [`leaving`] | what stands in the scrollback after leaving, and where it comes from |
//!
//! The rule that must stay true: the terminal is given back as it was, however the program ends.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::api::client::ClientSource;
use crate::api::run::RunStatus;
use crate::app::Identity;
use crate::feed::ReplayFile;
use crate::store::StateDir;
use crate::view::Theme;
use signals::Signal;
use summary::Summary;

mod backend;
pub mod clipboard;
pub mod drafts;
pub mod escape;
pub mod event_loop;
pub mod external_editor;
pub mod frame_pacer;
pub mod hang_up;
pub mod keyboard;
pub mod leaving;
pub mod modes;
pub mod output;
pub mod panics;
pub mod past;
pub mod perform;
pub mod signals;
pub mod summary;
pub mod terminal;

pub use event_loop::run;

/// What the console is started with; all of it plain values.
#[derive(Debug, Clone)]
pub struct ConsoleConfig {
    /// Which server and run.
    pub identity: Identity,
    /// Colours and glyphs.
    pub theme: Theme,
    /// Whether the mouse is captured.
    pub mouse: bool,
    /// Whether contents are asked for with the events.
    pub include_output: bool,
    /// Whether the run's events are kept on disk and read from there.
    pub journal: bool,
    /// How long a link may be silent before it is probed.
    pub idle_timeout: Duration,
    /// Where drafts are kept, or why nowhere.
    pub state: Result<StateDir, String>,
    /// What the operator is told at once, each a sentence.
    pub problems: Vec<String>,
    /// The command to come back, word by word.
    pub command: Vec<String>,
}

/// Where the run is.
#[derive(Debug)]
pub enum Source {
    /// On a server: followed, and answered.
    Server(ClientSource),
    /// In a file: shown, with nothing asked of anyone and nothing written.
    File {
        /// The file.
        file: ReplayFile,
        /// Where it stands, to read one event again.
        path: PathBuf,
    },
}

/// How the console was left. The terminal has been given back.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// What is to stand in the scrollback.
    pub summary: Summary,
    /// The run's status as last known.
    pub status: Option<RunStatus>,
    /// The signal that ended it; a terminal that is gone counts as SIGHUP.
    pub signal: Option<Signal>,
    /// Whether there is no terminal to print on any more.
    pub terminal_gone: bool,
    /// What a thread said that panicked; inert.
    pub panic: Option<String>,
}

/// Waits until `deadline`; for ever where there is none.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
