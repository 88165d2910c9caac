//! What effects do: reads, submissions, drafts, files, the external editor.
//!
//! Each waits in a task of its own and comes back as an action; none is performed on the loop. Drafts go through one
//! thread ([`drafts`]), so that two saves of one draft reach the disk in order; a search and a model of the past run on
//! threads of their own (`search`, `past`).

mod past;
mod search;
mod text;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::drafts::{self, DiskJob, SetAside};
use super::external_editor;
use crate::api::client::{ClientSource, EventsQuery, StreamItem};
use crate::api::error::{Error, SettingError, StreamError};
use crate::api::ids::RunId;
use crate::api::step::{RunSteps, StepDetail};
use crate::api::tool::{CallKey, StepKey};
use crate::app::{Action, Effect, editor};
use crate::store::StateDir;
use crate::store::journal::{self, Journal};
use crate::submission::{self, LookedUp, Records};

/// Jobs that may wait for the disk; a full queue is told as a draft that was not saved, and is tried again. That a
/// draft was accepted is not told again: it waits for its place.
const DISK_QUEUE: usize = 256;
/// How long a job that finds the queue full waits before it asks again.
const QUEUE_FULL: Duration = Duration::from_millis(10);
/// How long one event is waited for: a server that only says that it is alive would be waited for without an end.
const EVENT_READ: Duration = Duration::from_secs(60);
/// How long leaving waits for the disk.
const LAST_SAVES: Duration = Duration::from_secs(2);

/// Performs effects in the background.
pub struct Performer {
    run_id: RunId,
    clients: ClientSource,
    include_output: bool,
    outcomes: mpsc::Sender<Action>,
    /// Where submissions are written down.
    records: Records,
    disk: SyncSender<DiskJob>,
    /// Jobs that found the queue full and wait for a place.
    late: TaskTracker,
    drafts_dir: Option<PathBuf>,
    /// Where an event is looked for before the server is asked.
    journal: Option<Journal>,
    /// The file that is replayed.
    replayed: Option<PathBuf>,
    /// Which search is wanted.
    wanted: search::Wanted,
    /// Which text is wanted.
    wanted_text: search::Wanted,
    /// Which model of the past is wanted.
    wanted_past: search::Wanted,
}

impl Performer {
    /// A performer for the run in a file: whatever would ask a server fails, and there is no disk to write to.
    #[must_use]
    pub fn of_a_file(run_id: RunId, path: PathBuf, outcomes: mpsc::Sender<Action>) -> Self {
        let clients =
            ClientSource::new(|| Err(SettingError::Other("this is a file, and no server is asked".into()).into()));
        let (disk, _) = sync_channel(1);
        let state = Err("a replay sends nothing".to_owned());
        Self { replayed: Some(path), ..Self::with(run_id, clients, &state, outcomes, disk) }
    }

    /// A performer for one run. Starts the thread that owns the drafts on disk, which begins by reading them.
    #[must_use]
    pub fn new(
        run_id: RunId,
        clients: ClientSource,
        state: Result<StateDir, String>,
        include_output: bool,
        outcomes: mpsc::Sender<Action>,
    ) -> Self {
        let (disk, jobs) = sync_channel(DISK_QUEUE);
        let performer = Self { include_output, ..Self::with(run_id, clients, &state, outcomes.clone(), disk) };
        // Without the thread every save is told as failed, since its queue is closed.
        let _ = std::thread::Builder::new().name("drafts".into()).spawn(move || drafts::keep(state, &jobs, &outcomes));
        performer
    }

    /// A performer whose jobs for the disk go into `disk`.
    fn with(
        run_id: RunId,
        clients: ClientSource,
        state: &Result<StateDir, String>,
        outcomes: mpsc::Sender<Action>,
        disk: SyncSender<DiskJob>,
    ) -> Self {
        Self {
            run_id,
            clients,
            include_output: false,
            outcomes,
            records: Records::new(state, submission::Sender::Console),
            disk,
            late: TaskTracker::new(),
            drafts_dir: state.as_ref().ok().map(StateDir::drafts_path),
            journal: None,
            replayed: None,
            wanted: search::Wanted::default(),
            wanted_text: search::Wanted::default(),
            wanted_past: search::Wanted::default(),
        }
    }

    /// The same, which looks for events in a journal first.
    #[must_use]
    pub fn with_journal(self, journal: Option<Journal>) -> Self {
        Self { journal, ..self }
    }

    /// Performs an effect that is not the loop's own; others do nothing.
    pub fn perform(&self, effect: Effect) {
        match effect {
            Effect::ReadRun => self.read_run(),
            Effect::ReadPending { generation } => self.read_pending(generation),
            Effect::ReadEvent { seq } => self.read_event(seq),
            Effect::LoadText(request) => self.load_text(request),
            Effect::Search(request) => self.search(*request),
            Effect::StopSearch => self.wanted.stop(),
            Effect::LoadPast(request) => self.load_past(*request),
            Effect::StopPast => self.wanted_past.stop(),
            Effect::ReadTasks => self.read_tasks(),
            Effect::ReadStep { key } => self.read_step(key),
            Effect::Submit(intent) => self.submit(intent),
            Effect::LookUpIntents => self.look_up_intents(),
            Effect::FindLeft => {
                let (records, outcomes) = (self.records.clone(), self.outcomes.clone());
                tokio::task::spawn_blocking(move || {
                    let _ = outcomes.blocking_send(Action::LeftFound(records.left()));
                });
            }
            Effect::TryRecord => {
                let (records, outcomes) = (self.records.clone(), self.outcomes.clone());
                tokio::task::spawn_blocking(move || {
                    let _ = outcomes.blocking_send(Action::RecordTried(records.try_writing()));
                });
            }
            Effect::FindCalls { keys } => self.find_calls(keys),
            Effect::SaveDraft(draft) => {
                let key = draft.key.clone();
                if self.disk.try_send(DiskJob::Save(draft)).is_err() {
                    self.tell(Action::DraftSaved { key, result: Err("the disk does not keep up".into()) });
                }
            }
            Effect::EndDraft { key, ending } => self.queue_or_wait(DiskJob::End(key, ending)),
            Effect::ArchiveDraft(draft) => self.queue_or_wait(DiskJob::Archive(draft)),
            Effect::ReadFile { key, path } => {
                let outcomes = self.outcomes.clone();
                tokio::task::spawn_blocking(move || {
                    let result = read_text(&path);
                    let _ = outcomes.blocking_send(Action::FileRead { key, path, result });
                });
            }
            _ => {}
        }
    }

    /// Runs `$VISUAL` or `$EDITOR` on a text; the terminal must have been given back.
    pub fn edit_externally(&self, key: CallKey, text: String) {
        let (outcomes, dir) = (self.outcomes.clone(), self.drafts_dir.clone());
        tokio::task::spawn_blocking(move || {
            let result = external_editor::edit(&text, dir.as_deref());
            let _ = outcomes.blocking_send(Action::ExternalEditorClosed { key, result });
        });
    }

    /// Waits, bounded, until everything that was to be saved is on disk; says where the texts are that this console was
    /// not allowed to save.
    pub async fn leave(&self) -> SetAside {
        let (done, wait) = oneshot::channel();
        let flushed = async {
            self.late.close();
            self.late.wait().await;
            queue(&self.disk, DiskJob::Leave(done)).await;
            wait.await.unwrap_or_default()
        };
        tokio::time::timeout(LAST_SAVES, flushed).await.unwrap_or_default()
    }

    /// The same on the loop's own thread, before the process is stopped.
    pub fn flush_now(&self) {
        let (done, wait) = oneshot::channel();
        let (told, heard) = std::sync::mpsc::channel();
        let (late, disk) = (self.late.clone(), self.disk.clone());
        // What waits for a place in the queue goes before: nothing new comes, since the loop is held here.
        tokio::spawn(async move {
            late.close();
            late.wait().await;
            late.reopen();
            queue(&disk, DiskJob::Flush(done)).await;
            let _ = wait.await;
            let _ = told.send(());
        });
        let _ = heard.recv_timeout(LAST_SAVES);
    }

    /// What is not told again: a draft that was accepted and stayed on disk would come back as unsent.
    fn queue_or_wait(&self, job: DiskJob) {
        if let Err(TrySendError::Full(job)) = self.disk.try_send(job) {
            let disk = self.disk.clone();
            self.late.spawn(async move { queue(&disk, job).await });
        }
    }

    fn tell(&self, action: Action) {
        let outcomes = self.outcomes.clone();
        tokio::spawn(async move { outcomes.send(action).await });
    }

    fn read_run(&self) {
        let (clients, run_id, outcomes) = (self.clients.clone(), self.run_id, self.outcomes.clone());
        tokio::spawn(async move {
            let result = async { clients.client()?.run(&run_id).await }.await;
            let result = result.map(|reply| (Box::new(reply.value), reply.date)).map_err(|error| error.to_string());
            let _ = outcomes.send(Action::RunRead(result)).await;
        });
    }

    fn read_pending(&self, generation: u64) {
        let (clients, run_id, outcomes) = (self.clients.clone(), self.run_id, self.outcomes.clone());
        tokio::spawn(async move {
            let answer = async { clients.client()?.pending_tools(&run_id).await }.await;
            let answer = answer.map(|reply| reply.value).map_err(|error| error.to_string());
            let _ = outcomes.send(Action::PendingRead { generation, answer }).await;
        });
    }

    fn read_event_in_file(&self, path: PathBuf, seq: u64) {
        let (run_id, outcomes) = (self.run_id, self.outcomes.clone());
        tokio::task::spawn_blocking(move || {
            let line = journal::event_line(&path, run_id, seq).map_err(|error| error.to_string());
            let line = line.and_then(|line| line.ok_or_else(|| format!("the file has no event {seq} in its place")));
            let result = line.map(|line| String::from_utf8_lossy(&line).into_owned());
            let _ = outcomes.blocking_send(Action::EventRead { seq, result });
        });
    }

    fn read_event(&self, seq: u64) {
        if let Some(path) = &self.replayed {
            return self.read_event_in_file(path.clone(), seq);
        }
        let (clients, run_id, outcomes) = (self.clients.clone(), self.run_id, self.outcomes.clone());
        let (include_output, journal) = (self.include_output, self.journal.clone());
        tokio::spawn(async move {
            let result = match journalled(journal, run_id, seq).await {
                // Of a console that did not ask for contents, or of a value too large: the server may have it now.
                Some(line) if include_output && lacks_contents(&line) => {
                    event_line(&clients, run_id, seq, include_output).await.or(Ok(line))
                }
                Some(line) => Ok(line),
                None => event_line(&clients, run_id, seq, include_output).await,
            };
            let _ = outcomes.send(Action::EventRead { seq, result }).await;
        });
    }

    fn read_tasks(&self) {
        let (clients, run_id, outcomes) = (self.clients.clone(), self.run_id, self.outcomes.clone());
        tokio::spawn(async move {
            let answer = async { clients.client()?.tasks(&run_id).await }.await;
            let answer = answer.map(|reply| reply.value).map_err(|error| error.to_string());
            let _ = outcomes.send(Action::TasksRead(answer)).await;
        });
    }

    fn read_step(&self, key: StepKey) {
        let (clients, run_id, outcomes) = (self.clients.clone(), self.run_id, self.outcomes.clone());
        tokio::spawn(async move {
            let answer = async { clients.client()?.steps(&run_id).await }.await;
            let result = match answer {
                Ok(reply) => step_of(reply.value, &key).map(Box::new),
                Err(error) => Err(error.to_string()),
            };
            let _ = outcomes.send(Action::StepRead { key, result }).await;
        });
    }

    fn look_up_intents(&self) {
        let (clients, outcomes, records) = (self.clients.clone(), self.outcomes.clone(), self.records.clone());
        tokio::spawn(async move {
            let (tell, mut told) = mpsc::channel(1);
            let hear = async {
                while let Some(told) = told.recv().await {
                    let _ = outcomes.send(Action::LookedUp(told)).await;
                }
            };
            match clients.client() {
                Ok(client) => drop(tokio::join!(submission::look_up(&client, &records, None, tell), hear)),
                Err(error) => {
                    let _ = outcomes.send(Action::LookedUp(LookedUp::Problem(error.to_string()))).await;
                }
            }
            let _ = outcomes.send(Action::LookUpDone).await;
        });
    }

    fn find_calls(&self, keys: Vec<CallKey>) {
        let (clients, run_id, outcomes) = (self.clients.clone(), self.run_id, self.outcomes.clone());
        tokio::spawn(async move {
            let result = async { submission::find_calls(&clients.client()?, run_id, &keys).await }.await;
            let result = result.map_err(|error| error.to_string());
            let _ = outcomes.send(Action::CallsFound { keys, result }).await;
        });
    }

    fn submit(&self, intent: submission::Intent) {
        let (clients, outcomes, records) = (self.clients.clone(), self.outcomes.clone(), self.records.clone());
        tokio::spawn(async move {
            let request_id = intent.request_id;
            let told = outcomes.clone();
            let progress = move |progress| {
                // A progress that finds no place is old news by the time it would.
                let _ = told.try_send(Action::SubmissionProgress { request_id, progress });
            };
            let verdict = match clients.client() {
                Ok(client) => submission::submit_recorded(&client, &intent, &records, None, progress).await,
                Err(error) => submission::not_sent(&intent, &error.to_string()),
            };
            let _ = outcomes.send(Action::SubmissionEnded { request_id, verdict }).await;
        });
    }
}

/// Gives the disk a job, as soon as there is a place for it.
async fn queue(disk: &SyncSender<DiskJob>, mut job: DiskJob) {
    while let Err(TrySendError::Full(refused)) = disk.try_send(job) {
        job = refused;
        tokio::time::sleep(QUEUE_FULL).await;
    }
}

/// One event's line as the journal has it.
async fn journalled(journal: Option<Journal>, run_id: RunId, seq: u64) -> Option<String> {
    let path = journal?.path();
    let read = tokio::task::spawn_blocking(move || journal::event_line(&path, run_id, seq)).await;
    match read.ok()? {
        Ok(line) => String::from_utf8(line?.into()).ok(),
        Err(error) => {
            tracing::debug!(%error, seq, "the event is not read from the journal");
            None
        }
    }
}

/// Whether an event names a value that does not stand in it.
fn lacks_contents(line: &str) -> bool {
    line.contains("\"artifact_key\"") && !line.contains("\"content\"")
}

/// One event's line as the server has it.
async fn event_line(clients: &ClientSource, run_id: RunId, seq: u64, include_output: bool) -> Result<String, String> {
    let query = EventsQuery { after_seq: seq.saturating_sub(1), limit: 1, wait: false, include_output };
    line_of(async { clients.client()?.events(&run_id, &query).await }, run_id, seq).await
}

/// The line of the event `seq` of the run in a stream that is to be opened; others in it are not taken for it.
async fn line_of<S>(open: impl Future<Output = Result<S, Error>>, run_id: RunId, seq: u64) -> Result<String, String>
where
    S: Stream<Item = Result<StreamItem, StreamError>> + Unpin,
{
    let found = async {
        let mut stream = open.await.map_err(|error| error.to_string())?;
        while let Some(item) = stream.next().await {
            if let StreamItem::Event { event, line } = item.map_err(|error| error.to_string())?
                && (event.run_id, event.seq) == (run_id, seq)
            {
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
        }
        Ok(None)
    };
    match tokio::time::timeout(EVENT_READ, found).await {
        Ok(Ok(line)) => line.ok_or_else(|| format!("the server sent no event {seq}")),
        Ok(Err(why)) => Err(why),
        Err(_) => Err(format!("the server sent no event {seq} within {} seconds", EVENT_READ.as_secs())),
    }
}

/// The step of a key; a server may leave a step's request id out.
fn step_of(answer: RunSteps, key: &StepKey) -> Result<StepDetail, String> {
    let named = |step: &StepDetail| step.node_id == key.node_id && step.step == key.step;
    let same = |step: &StepDetail| named(step) && step.request_id.is_none_or(|id| id == key.request_id);
    let found = answer.steps.into_iter().rev().find(same);
    found.ok_or_else(|| format!("the server's list of steps has no step {} of {}", key.step, key.node_id))
}

/// A file's text, bounded by what the editor takes.
fn read_text(path: &Path) -> Result<String, String> {
    use std::io::Read;
    let path = match (path.strip_prefix("~"), etcetera::home_dir()) {
        (Ok(rest), Ok(home)) => home.join(rest),
        _ => path.to_path_buf(),
    };
    // Asked before it is opened: a pipe that nobody writes to would be waited for without an end.
    if !std::fs::metadata(&path).map_err(|error| error.to_string())?.is_file() {
        return Err("it is not a file".into());
    }
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let limit = editor::MAX_BYTES as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > editor::MAX_BYTES {
        return Err("it is over 512 KiB".into());
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".into())
}

#[cfg(test)]
mod tests;
