//! Submissions to this run that were under way when their process ended: looked up before anything is sent.
//!
//! Rule: nothing of them is sent again here. Where one of them turns out to have carried just what is given now, and the
//! server has taken it, there is nothing left to do.

use tokio::sync::mpsc;

use super::{GivenCall, PATIENCE, What};
use crate::api::tool::{QuestionAnswer, ToolResult};
use crate::cli::exit::Failure;
use crate::cli::output::{one_line, report};
use crate::cli::remote::Remote;
use crate::cli::runtime::unless_stopped;
use crate::console::signals::Signal;
use crate::submission::{CallVerdict, Left, LookedUp, Records, Verdict, look_up, minute};

/// A submission of an ended process, and what became of it.
pub(super) type Earlier = (Left, Verdict);

/// Looks them up and says what became of each.
pub(super) async fn look(remote: &Remote, records: &Records) -> Result<Result<Vec<Earlier>, Signal>, Failure> {
    let (tell, mut told) = mpsc::channel(1);
    let hear = async {
        let mut ended = Vec::new();
        while let Some(told) = told.recv().await {
            say(&told);
            if let LookedUp::Ended(left, verdict) = told {
                ended.push((left, verdict));
            }
        }
        ended
    };
    let both = async { tokio::join!(look_up(&remote.client, records, Some(PATIENCE), tell), hear).1 };
    unless_stopped(Box::pin(both)).await
}

fn say(told: &LookedUp) {
    match told {
        LookedUp::Begun(left) => {
            let when = minute(left.decided_at);
            report(&format!(
                "{} ended while it sent {} at {when}: finding out what became of it",
                left.by,
                calls(left)
            ));
        }
        LookedUp::Ended(_, verdict) => {
            for (key, outcome) in &verdict.calls {
                report(&format!("{}: {}", one_line(key.call_id.as_str()), one_line(&outcome.to_string())));
            }
        }
        LookedUp::Problem(why) => report(why),
    }
}

fn calls(left: &Left) -> String {
    let ids: Vec<String> = left.intent.request.keys().map(|key| one_line(key.call_id.as_str())).collect();
    format!("an answer to {}", ids.join(", "))
}

/// The earlier submission that answered all of the given calls as they are given now; `None` where there is none.
pub(super) fn taken<'e>(
    earlier: &'e [Earlier],
    given: &[GivenCall],
    means: impl Fn(&Left) -> bool,
) -> Option<&'e Earlier> {
    let has_taken = |(left, verdict): &Earlier, given: &GivenCall| {
        let results = left.intent.request.results.iter().zip(&verdict.calls);
        let mut mine = results.filter(|(result, _)| result.tool_call.id == given.call);
        mine.any(|(result, (_, outcome))| *outcome == CallVerdict::Accepted && says(&given.what, result))
    };
    earlier.iter().find(|one| means(&one.0) && given.iter().all(|given| has_taken(one, given)))
}

/// Whether a result that was sent says what is given now.
fn says(what: &What, result: &ToolResult) -> bool {
    let answered = || serde_json::from_str::<QuestionAnswer>(&result.output).ok().filter(|_| result.error.is_none());
    match what {
        What::Output(output) => result.error.is_none() && result.output == *output,
        What::Error { error, output } => result.error.as_ref() == Some(error) && result.output == *output,
        What::Choice(label) => answered().is_some_and(|said| said.answer == label.trim() && !said.is_freeform),
        What::Text(text) => answered().is_some_and(|said| said.answer == text.trim()),
    }
}
