//! Making the model at an earlier event for the panes.
//!
//! Rule: it runs on a thread of its own, which leaving does not wait for, and ends when it is not wanted any more.

use super::Performer;
use super::search::OnDisk;
use crate::app::{Action, PastRequest};
use crate::console::past::Journey;

impl Performer {
    pub(super) fn load_past(&self, request: PastRequest) {
        let (number, wanted, outcomes) = (request.number, self.wanted_past.clone(), self.outcomes.clone());
        wanted.set(number);
        let (run_id, on_disk) = (self.run_id, self.on_disk());
        let load = move || {
            let file = match &on_disk {
                OnDisk::Replayed(path) => Some((path.as_path(), false)),
                OnDisk::Journal(path) => Some((path.as_path(), true)),
                OnDisk::Nowhere => None,
            };
            let journey = Journey { run_id, file, request: &request, is_wanted: &|| wanted.is(number) };
            if let Some(result) = journey.end() {
                let _ = outcomes.blocking_send(Action::PastLoaded { number, result });
            }
        };
        if let Err(error) = std::thread::Builder::new().name("past".into()).spawn(load) {
            self.tell(Action::PastLoaded { number, result: Err(error.to_string()) });
        }
    }
}
