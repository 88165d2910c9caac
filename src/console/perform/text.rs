//! Reading from disk what a node has streamed and memory has dropped.
//!
//! Rule: it runs on a thread of its own, which leaving does not wait for, and ends when another text is wanted.

use std::ops::ControlFlow;

use super::Performer;
use super::search::{OnDisk, Wanted};
use crate::api::ids::RunId;
use crate::app::loaded_text::Streamed;
use crate::app::{Action, TextRequest};
use crate::store::journal::streamed::streamed;

impl Performer {
    pub(super) fn load_text(&self, request: TextRequest) {
        let (number, wanted, outcomes) = (request.number, self.wanted_text.clone(), self.outcomes.clone());
        wanted.set(number);
        let (run_id, on_disk) = (self.run_id, self.on_disk());
        let read = move || {
            std::thread::sleep(request.wait);
            if let Some(result) = read(&on_disk, run_id, &request, &wanted) {
                let _ = outcomes.blocking_send(Action::TextLoaded { number, result });
            }
        };
        if let Err(error) = std::thread::Builder::new().name("text".into()).spawn(read) {
            self.tell(Action::TextLoaded { number, result: Err(error.to_string()) });
        }
    }
}

/// The text; `None` where it is not wanted any more.
fn read(on_disk: &OnDisk, run_id: RunId, request: &TextRequest, wanted: &Wanted) -> Option<Result<Streamed, String>> {
    let file = match on_disk.open() {
        Ok(Some(file)) => file,
        Ok(None) => return Some(Err("there is no journal".into())),
        Err(error) => return Some(Err(error.to_string())),
    };
    let watch = || if wanted.is(request.number) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    let TextRequest { node_id, through, bytes, .. } = request;
    streamed(&file, run_id, node_id, *through, *bytes, watch).map_err(|error| error.to_string()).transpose()
}
