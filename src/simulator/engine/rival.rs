//! What faults make of a run's answers: somebody else's results, and what waited a while ago.
//!
//! Rule: looking changes nothing; a rival's results are taken as anybody's are.

use crate::api::event::{self, Decoded};
use crate::api::tool::{PendingTools, Question, ToolResult, ToolResultsRequest};

use super::super::fold::Fold;
use super::Engine;

/// What another operator says, where no option is offered.
const OTHER_ANSWER: &str = "answered by another operator";

impl Engine {
    /// What another operator might submit for the same calls.
    pub(crate) fn rival_of(&self, submitted: &ToolResultsRequest) -> ToolResultsRequest {
        let fold = self.ledger.fold();
        let results = submitted.results.iter().map(|result| {
            let awaited = fold.awaited(&submitted.step, &result.tool_call.id);
            let question = awaited.and_then(|(call, _)| call.question());
            let output = question.as_ref().and_then(any_answer).unwrap_or_else(|| OTHER_ANSWER.to_owned());
            ToolResult { tool_call: result.tool_call.without_arguments(), output, error: None }
        });
        ToolResultsRequest { step: submitted.step.clone(), results: results.collect() }
    }

    /// What waited before the last event that changed what waits; `None` where nothing ever waited.
    pub(crate) fn pending_before(&self) -> Option<PendingTools> {
        let now = self.ledger.fold().pending();
        let (lines, _) = self.ledger.lines(0, usize::MAX, false);
        let mut fold = Fold::new(self.identity.run_id(), None, &self.part.plan);
        let mut last = fold.pending();
        let mut before = None;
        for line in lines {
            let Ok(Decoded::Event(event)) = event::decode(line.trim_ascii_end()) else { continue };
            fold.apply(&event, &self.part.plan);
            let pending = fold.pending();
            if pending != last {
                before = Some(std::mem::replace(&mut last, pending));
            }
        }
        before.filter(|before| *before != now)
    }
}

/// The last option, which a client that takes the first would not have chosen; or a text of one's own.
fn any_answer(question: &Question) -> Option<String> {
    let text = question.options.last().map_or(OTHER_ANSWER, |option| option.label.as_str());
    question.answer(text).ok().map(|answer| answer.to_output())
}
