//! What happens when a thread panics.
//!
//! On the thread that draws, the terminal is given back before the message is printed. On any other the terminal is
//! left alone: the message is kept, the loop is asked to end, and whoever ends the program prints it. The rule that
//! must stay true: a message reaches the terminal only when it shows the shell's screen, and as inert text.

use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use tokio::sync::Notify;

use super::modes;

static UI_THREAD: OnceLock<ThreadId> = OnceLock::new();
static FIRST_MESSAGE: Mutex<Option<String>> = Mutex::new(None);
static PANICKED: Notify = Notify::const_new();

/// Sets the hook; the calling thread is the one that draws. Only the first call counts.
pub fn install() {
    if UI_THREAD.set(thread::current().id()).is_err() {
        return;
    }
    panic::set_hook(Box::new(on_panic));
}

/// Ends when a thread other than the one that draws has panicked.
pub async fn panicked() {
    PANICKED.notified().await;
}

/// What the first panic said, one line, inert; given once.
pub fn take_message() -> Option<String> {
    FIRST_MESSAGE.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn on_panic(info: &PanicHookInfo<'_>) {
    let message = describe(info);
    tracing::error!(target: "relay_console::panic", "{message}\n{}", std::backtrace::Backtrace::force_capture());
    FIRST_MESSAGE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
    if UI_THREAD.get() == Some(&thread::current().id()) {
        // Nothing more can be done about a terminal that does not take it.
        let _ = modes::leave();
    } else {
        PANICKED.notify_one();
    }
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let thread = thread::current();
    let name = thread.name().unwrap_or("without a name");
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    // A message may quote text of a server, such as a string that was cut inside a character.
    format!("thread {name} panicked at {place}: {}", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_panic_on_another_thread_asks_the_loop_to_end_and_keeps_its_message_inert() {
        let before = panic::take_hook();
        panic::set_hook(Box::new(on_panic));
        let outcome =
            thread::Builder::new().name("feed".into()).spawn(|| panic!("cut \u{1b}[31m\u{202e}red")).unwrap().join();
        panic::set_hook(before);
        assert!(outcome.is_err());
        tokio::time::timeout(Duration::from_secs(10), panicked()).await.unwrap();
        let message = take_message().unwrap();
        assert!(message.starts_with("thread feed panicked at src/console/panics.rs:"), "{message}");
        assert!(message.ends_with("cut \\u{1b}[31m\\u{202e}red"), "{message}");
        assert_eq!(take_message(), None);
    }
}
