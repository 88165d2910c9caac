//! What faults make of a run's answers: somebody else's results, and what waited a while ago.
//!
//! Rule: looking changes nothing; a rival's results are taken as anybody's are.

use std::collections::VecDeque;

use crate::api::event::{self, Decoded, EventBody};
use crate::api::tool::{PendingTools, Question, ToolResult, ToolResultsRequest};

use super::super::fold::Fold;
use super::Engine;

/// What another operator says, where no option is offered.
const OTHER_ANSWER: &str = "answered by another operator";

/// How many changes of what waits are looked back on.
const CHANGES: usize = 3;

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

    /// What waited a while ago: before one of the last changes, whichever `draw` falls on; `None` where nothing else
    /// ever waited. The results of one submission are one change.
    pub(crate) fn pending_before(&self, draw: u64) -> Option<PendingTools> {
        let now = self.ledger.fold().pending();
        let (lines, _) = self.ledger.lines(0, usize::MAX, false);
        let mut fold = Fold::new(self.identity.run_id(), None, &self.part.plan);
        let mut last = fold.pending();
        let mut earlier = VecDeque::new();
        let mut within = false;
        for line in lines {
            let Ok(Decoded::Event(event)) = event::decode(line.trim_ascii_end()) else { continue };
            fold.apply(&event, &self.part.plan);
            let pending = fold.pending();
            if pending == last {
                // What a question's result is followed by does not end a submission.
                within &= matches!(event.body, EventBody::NodeUserAnswer(_));
                continue;
            }
            let before = std::mem::replace(&mut last, pending);
            if !within {
                earlier.push_back(before);
                if earlier.len() > CHANGES {
                    earlier.pop_front();
                }
            }
            within = matches!(event.body, EventBody::NodeToolResult(_));
        }
        earlier.retain(|pending| *pending != now);
        let index = usize::try_from(draw % earlier.len().max(1) as u64).unwrap_or_default();
        earlier.swap_remove_front(index)
    }
}

/// The last option, which a client that takes the first would not have chosen; or a text of one's own.
fn any_answer(question: &Question) -> Option<String> {
    let text = question.options.last().map_or(OTHER_ANSWER, |option| option.label.as_str());
    question.answer(text).ok().map(|answer| answer.to_output())
}
