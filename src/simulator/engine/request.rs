//! One request to a stand-in model, laid out as beats.
//!
//! Owns what a request looks like in the log: streamed pieces, the call with its usage, the tools that it calls, the
//! server's results, other events of the script, and at last the wait for whatever is left to somebody outside.

use std::time::Duration;

use serde_json::Value;

use crate::api::event::{
    Delta, DeltaKind, EventBody, LlmCall, NodeLlmCall, NodeOutputDelta, NodeToolCall, SteppedToolCall, Usage,
};
use crate::api::ids::{NodeId, ToolName};
use crate::api::run::Provider;
use crate::api::tool::ToolCall;

use super::super::prices;
use super::super::script::{CallScript, Step, UsageScript};
use super::super::spec;
use super::Engine;
use super::task::{Act, Beat, CallRecord, Request, Response, Task};
use crate::api::workflow::ToolMode;

/// How many characters a token has, about.
const CHARACTERS_OF_A_TOKEN: usize = 4;

/// What is the same in all beats of a request.
pub(super) struct Asked<'a> {
    node: &'a NodeId,
    pub(super) request: Request,
    pub(super) provider: Option<Provider>,
    pub(super) model: String,
    pub(super) response_id: String,
    pub(super) streams: bool,
    pub(super) step: &'a Step,
    pub(super) text: String,
    pub(super) calls: Vec<(ToolCall, &'a CallScript)>,
}

impl Engine {
    /// The beats of a step of the script, the last of which goes on in it.
    pub(super) fn beats_of(&mut self, id: &NodeId, step: &Step) -> Vec<Beat> {
        let Some(task) = self.tasks.get(id) else { return Vec::new() };
        let jitter = self.identity.jitter(&format!("{id}/{}/{}", task.requests, task.cursor.round));
        let (mut beats, mut silence) = (Vec::new(), Duration::ZERO);
        if step.asks_model() {
            let asked = self.ask(id, task, step);
            let usage = self.usage(task, &asked);
            silence = asked.silence();
            beats = asked.beats(usage, &spec::tool_mode(&task.spec), |value| {
                if step.literal { value.clone() } else { self.render_value(task, value) }
            });
            let record = self.record(task, &asked, usage);
            if let Some(task) = self.tasks.get_mut(id) {
                task.requests += 1;
                task.steps.push(record);
            }
        }
        // What is left to somebody outside comes after everything that the server does by itself.
        let wait = beats.pop_if(|beat| matches!(beat.act, Act::Wait { .. }));
        let failed = beats.last().is_some_and(|beat| matches!(beat.act, Act::Fail(_)));
        for emit in step.emit.iter().filter(|_| !failed) {
            let acts = emit.start_run.clone().map(Act::StartRun);
            let acts = acts.or_else(|| emit.await_run.clone().map(Act::AwaitRun));
            if let Some(act) = acts.or_else(|| emit.event.clone().map(Act::Event)) {
                beats.push(Beat::after_ms(emit.after_ms, act));
            }
        }
        beats.extend(wait);
        if !failed {
            beats.push(Beat::now(Act::NextStep));
        }
        if let Some(first) = beats.first_mut() {
            first.delay += silence + Duration::from_millis(step.after_ms).mul_f64(jitter);
        }
        beats
    }

    fn ask<'a>(&self, id: &'a NodeId, task: &Task, step: &'a Step) -> Asked<'a> {
        let fan_out = task.item.as_ref().and_then(|item| Some(&*self.tasks.get(&item.parent)?.spec));
        let named = step.model.as_deref().or_else(|| self.part.model_of(&task.spec, fan_out));
        let model = named.unwrap_or("stand-in").to_owned();
        let provider = prices::provider(&model);
        let request = Request { step: task.requests, id: self.identity.request_id(id.as_str(), task.requests) };
        let calls = step.calls.iter().enumerate().filter_map(|(index, script)| {
            let scripted = script.id.as_deref().and_then(crate::api::CallId::from_wire);
            let call = ToolCall {
                id: scripted.or_else(|| self.identity.call_id(provider.as_ref(), request.id, index))?,
                name: ToolName::from_wire(&script.name)?,
                arguments: Some(self.arguments(task, script, step.literal)),
            };
            Some((call, script))
        });
        Asked {
            calls: calls.collect(),
            node: id,
            request,
            response_id: self.identity.response_id(provider.as_ref(), request.id),
            provider,
            model,
            streams: self.part.stream || spec::streams(&task.spec),
            step,
            text: match step.text.as_deref().unwrap_or_default() {
                text if step.literal => text.to_owned(),
                text => self.render(task, text),
            },
        }
    }

    fn arguments(&self, task: &Task, script: &CallScript, literal: bool) -> String {
        match &script.arguments {
            None => "{}".to_owned(),
            Some(arguments) if literal => text_of(arguments),
            Some(arguments) => text_of(&self.render_value(task, arguments)),
        }
    }

    /// Tokens as the script says, else estimated: what was read grows with every result.
    fn usage(&self, task: &Task, asked: &Asked<'_>) -> Option<Usage> {
        let (input_tokens, output_tokens) = match asked.step.usage {
            Some(UsageScript::Said(false)) => return None,
            Some(UsageScript::Counts { input, output }) => (input, output),
            Some(UsageScript::Said(true)) | None => {
                let results: usize = task.results.iter().map(|record| record.output.len()).sum();
                let called: usize = asked.calls.iter().map(|(call, _)| call.arguments().len()).sum();
                let tokens = |characters: usize| (characters / CHARACTERS_OF_A_TOKEN + 1) as u64;
                (tokens(self.prompt(task).len() + results), tokens(asked.text.len() + called))
            }
        };
        Some(Usage { input_tokens, output_tokens, total_tokens: input_tokens + output_tokens })
    }
}

impl Asked<'_> {
    fn beats(&self, usage: Option<Usage>, mode: &ToolMode, render: impl Fn(&Value) -> Value) -> Vec<Beat> {
        let mut beats = Vec::new();
        if self.streams {
            self.stream(&mut beats);
        }
        if let Some(failure) = &self.step.fail {
            if self.step.usage.is_some() {
                beats.push(self.llm_call("error", usage));
            }
            beats.push(Beat::now(Act::Fail(failure.clone())));
            return beats;
        }
        beats.push(self.llm_call(self.stop_reason(), usage));
        let response = self.response(usage);
        beats.push(Beat::now(Act::Responded { text: self.text.clone(), response }));
        for (call, _) in &self.calls {
            let stepped =
                SteppedToolCall { step: self.request.step, request_id: self.request.id, tool_call: call.clone() };
            let event = NodeToolCall { node_id: self.node.clone(), tool_call: stepped };
            beats.push(Beat::now(Act::Emit(Box::new(EventBody::NodeToolCall(event)))));
        }
        let mut outside = Vec::new();
        for (call, script) in &self.calls {
            match self.server_result(call, script, mode, &render) {
                Some(record) => beats.push(Beat::after_ms(script.after_ms, Act::Result(record))),
                None => outside.push(call.clone()),
            }
        }
        if !outside.is_empty() {
            beats.push(Beat::now(Act::Wait { request: self.request, calls: outside }));
        }
        beats
    }

    /// Why the model stops where nothing fails.
    pub(super) fn stop_reason(&self) -> &'static str {
        if self.calls.is_empty() { "end_turn" } else { "tool_use" }
    }

    fn response(&self, usage: Option<Usage>) -> Response {
        Response { id: self.response_id.clone(), model: self.model.clone(), usage }
    }

    /// The result of a call that the server executes itself; `None` for one that waits. A question always waits.
    fn server_result(
        &self,
        call: &ToolCall,
        script: &CallScript,
        mode: &ToolMode,
        render: impl Fn(&Value) -> Value,
    ) -> Option<CallRecord> {
        let scripted = script.result.is_some() || script.error.is_some();
        let executed = match mode {
            ToolMode::Client => false,
            ToolMode::Agentic | ToolMode::Other(_) => scripted,
            ToolMode::Server => scripted || call.question().is_none(),
        };
        executed.then(|| CallRecord {
            request: self.request,
            call: call.clone(),
            output: match &script.result {
                Some(result) => text_of(&render(result)),
                None if script.error.is_some() => String::new(),
                None => "{\"ok\":true}".to_owned(),
            },
            error: script.error.clone(),
        })
    }

    fn llm_call(&self, stop_reason: &str, usage: Option<Usage>) -> Beat {
        let llm_call = LlmCall {
            step: self.request.step,
            request_id: self.request.id,
            provider: self.provider.clone(),
            model: Some(self.model.as_str().into()),
            response_id: Some(self.response_id.as_str().into()),
            stop_reason: Some(stop_reason.into()),
            usage,
        };
        let event = NodeLlmCall { node_id: self.node.clone(), llm_call };
        Beat::now(Act::Emit(Box::new(EventBody::NodeLlmCall(event))))
    }

    /// How long the model is at work where nothing of it streams.
    fn silence(&self) -> Duration {
        let pieces = self.text.chars().count() / self.step.piece;
        let silent = if self.streams { 0 } else { self.step.pace_ms.saturating_mul(pieces as u64) };
        Duration::from_millis(silent)
    }

    /// The text in pieces, then the calls in pieces. A failing request breaks off without its end.
    fn stream(&self, beats: &mut Vec<Beat>) {
        let pace = self.step.pace_ms;
        beats.push(Beat::now(self.delta(DeltaKind::MessageStart, None)));
        for piece in pieces(&self.text, self.step.piece) {
            beats.push(Beat::after_ms(pace, self.delta(DeltaKind::MessageDelta, Some(piece))));
        }
        if self.step.fail.is_some() {
            return;
        }
        for (call, _) in &self.calls {
            beats.push(Beat::after_ms(pace, self.delta(DeltaKind::ToolUseStart, None)));
            for piece in pieces(call.arguments(), self.step.piece * 2) {
                beats.push(Beat::after_ms(pace, self.delta(DeltaKind::ToolUseDelta, Some(piece))));
            }
            beats.push(Beat::now(self.delta(DeltaKind::ToolUseStop, None)));
        }
        beats.push(Beat::now(self.delta(DeltaKind::MessageStop, None)));
    }

    fn delta(&self, kind: DeltaKind, text: Option<&str>) -> Act {
        let of_start = kind == DeltaKind::MessageStart;
        let delta = Delta {
            kind,
            text_delta: text.map(Into::into),
            response_id: Some(self.response_id.as_str().into()),
            model: of_start.then(|| self.model.as_str().into()),
        };
        Act::Emit(Box::new(EventBody::NodeOutputDelta(NodeOutputDelta { node_id: self.node.clone(), delta })))
    }
}

/// A string as it is, anything else as JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `text` cut behind white space after about `length` characters, and anywhere after twice as many, as models do.
fn pieces(text: &str, length: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut count = 0;
        let end = rest.char_indices().find_map(|(at, letter)| {
            count += 1;
            (count > length * 2 || (count >= length && letter.is_whitespace())).then_some(at + letter.len_utf8())
        });
        let (piece, left) = rest.split_at(end.unwrap_or(rest.len()));
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_of_a_text_are_the_text() {
        for text in
            ["", "one", "one two three four five six", "支払いサービスが遅い状態です。再試行しますか", "🙂🙂🙂🙂🙂🙂"]
        {
            assert_eq!(pieces(text, 3).collect::<String>(), text);
        }
        assert_eq!(pieces("one two three", 3).collect::<Vec<_>>(), ["one ", "two ", "three"]);
    }
}
