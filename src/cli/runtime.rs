//! The threads under a command that talks to a network.

use crate::cli::exit::Failure;

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
