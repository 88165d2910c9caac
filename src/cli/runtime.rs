//! What runs under a command that talks to a network: its threads, and the signals that end or stop it meanwhile.

use crate::cli::exit::Failure;
use crate::console::signals::{Signal, Signals};
use crate::console::terminal;

/// Runs `work` with the network's tasks beside it. When it ends nothing is waited for: neither an external editor that
/// still runs nor a file that never ends may keep the program from leaving.
///
/// # Errors
/// When the system gives no threads, or the work fails.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(anyhow::Error::new(error).context("cannot start threads")))?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    outcome
}

/// Waits for the work, or for the signal that ends the program before it: whoever stops it while a request is under way
/// must not be left without a word on it. Work that is done is told, whatever comes with it.
///
/// # Errors
/// When signals cannot be listened to, or the process cannot be stopped.
pub async fn unless_stopped<T>(work: impl Future<Output = T>) -> Result<Result<T, Signal>, Failure> {
    let mut signals = Signals::listen().map_err(Failure::internal)?;
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ok(Ok(done)),
            signal = signals.next() => match signal {
                Signal::HangUp | Signal::Interrupt | Signal::Quit | Signal::Terminate => return Ok(Err(signal)),
                Signal::Suspend => terminal::stop_this_process().map_err(Failure::internal)?,
                Signal::Continue => {}
            },
        }
    }
}
