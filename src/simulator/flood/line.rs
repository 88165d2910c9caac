//! An event of a flood as a line of JSON.
//!
//! Owns the bytes of a line. They are written by hand, because a line shall cost less than reading it does; the tests
//! hold each against what the event says when it is decoded and written again. Rule: every line is one event of
//! `wire/README.md`, "Run events", and ends with a newline.

use sha2::{Digest, Sha256};

use super::super::plan::hex;
use super::Flood;
use super::life::{Life, Moment};
use super::traits::{MODELS, Traits, below, mix};

/// The tools that are called, with what is asked of them as it stands in the text of JSON.
const CALLS: [(&str, &str, &str); 4] = [
    ("fs.search", r#"{\"query\":\"pool size"#, r#"\",\"limit\":20}"#),
    ("web.fetch", r#"{\"url\":\"https://status.example.com/api/"#, r#"\"}"#),
    ("sql.query", r#"{\"sql\":\"select * from orders where id = "#, r#"\",\"timeout_ms\":500}"#),
    ("tickets.read", r#"{\"ticket\":\"T-"#, r#"\",\"fields\":[\"title\",\"état\"]}"#),
];

/// One result of so many is an error.
const TOOL_FAILS: u64 = 40;

/// Bytes of text in a tool's result, at least, and how many more at most.
const RESULT: u64 = 100;
const MORE_RESULT: u64 = 200;

/// The longest text of an output, in bytes.
const LONGEST_OUTPUT: u64 = 16 * 1024;

/// What the run puts out in the end.
pub(super) const REPORT: &str = "\"All nodes have ended; see their outputs.\"";

impl Flood {
    /// Writes the line of the event of this seq, with its newline, its output inline where it is asked for; nothing
    /// where there is no such event.
    pub fn write_line(&self, seq: u64, include_output: bool, buffer: &mut Vec<u8>) {
        if !(1..=self.config.events).contains(&seq) {
            return;
        }
        let mut out = Line(buffer);
        out.text(&self.head);
        out.number(seq);
        out.text(r#","ts":""#);
        self.clock.write(seq, out.0);
        out.text(r#"","type":""#);
        match seq {
            1 => self.of_run("run_compiled", &mut out),
            2 => self.of_run("run_started", &mut out),
            seq if seq == self.config.events => {
                self.of_run("run_completed", &mut out);
                let content = format!(r#"{{"report":{REPORT}}}"#);
                let key = format!("runs/{}/outputs", self.run_id);
                out.text(r#","outputs":"#);
                out.artifact(&key, &content, include_output);
            }
            seq => self.of_node(seq - 3, include_output, &mut out),
        }
        out.text("}\n");
    }

    fn of_run(&self, event_type: &str, out: &mut Line<'_>) {
        out.text(event_type);
        out.text(r#"","plan_hash":""#);
        out.text(&self.plan_hash);
        out.text("\"");
    }

    fn of_node(&self, event: u64, include_output: bool, out: &mut Line<'_>) {
        let place = self.lanes.place(event);
        let (node, traits) = (place.node, self.traits);
        let life = Life::new(place.length, traits.fails(node));
        match life.moment(place.position) {
            Moment::Started => out.of_node("node_started", node),
            Moment::Succeeded => out.of_node("node_succeeded", node),
            Moment::Failed => {
                let (code, message) = traits.failure(node);
                out.of_node("node_failed", node);
                out.text(r#","error":{"code":""#);
                out.text(code);
                out.text(r#"","message":"#);
                out.text(&serde_json::to_string(message).unwrap_or_default());
                out.text("}");
            }
            Moment::MessageStarted { step } => {
                out.delta(node, "message_start");
                out.response(traits, node, step);
                out.text(r#"","model":""#);
                out.text(MODELS[traits.model(node)].1);
                out.text("\"}");
            }
            Moment::Text { step, number } => {
                out.delta(node, "message_delta");
                out.text(r#","text_delta":""#);
                let (from, to) = (self.text_at(node, life, number), self.text_at(node, life, number + 1));
                self.prose.write(from, to, out.0);
                out.text("\"");
                out.response(traits, node, step);
                out.text("\"}");
            }
            Moment::MessageStopped { step } => {
                out.delta(node, "message_stop");
                out.response(traits, node, step);
                out.text("\"}");
            }
            Moment::LlmCall { step, is_last } => self.llm_call(node, step, is_last, out),
            Moment::ToolCall { step } => self.tool_call(node, step, out),
            Moment::ToolResult { step } => self.tool_result(node, step, out),
            Moment::Output => {
                let content = self.output(node, life);
                let name = Traits::name(node);
                let key = format!("runs/{}/nodes/{name}_{node}/output", self.run_id);
                out.of_node("node_output", node);
                out.text(r#","output":"#);
                out.artifact(&key, &content, include_output);
            }
        }
    }

    /// The place in the prose at which a text of a node begins; the one behind its last text is the end.
    fn text_at(&self, node: u64, life: Life, number: u64) -> u64 {
        let scaled = |number: u128| u64::try_from((number * self.text_per_delta) >> 32).unwrap_or(u64::MAX);
        let place = scaled(number.into());
        let start = self.traits.text_start(node);
        if number == 0 || number >= life.texts() {
            return start + place;
        }
        // Texts of one length would be too regular: the cuts between them are moved.
        let most = scaled(1) / 3;
        start + place + below(mix(self.config.seed, node, number), 2 * most + 1) - most
    }

    fn llm_call(&self, node: u64, step: u64, is_last: bool, out: &mut Line<'_>) {
        let (provider, model) = &MODELS[self.traits.model(node)];
        out.of_node("node_llm_call", node);
        out.text(r#","llm_call":{"#);
        out.step(self.traits, node, step);
        out.text(r#","provider":""#);
        out.text(provider.as_str());
        out.text(r#"","model":""#);
        out.text(model);
        out.text("\"");
        out.response(self.traits, node, step);
        out.text(r#"","stop_reason":""#);
        out.text(if is_last { "end_turn" } else { "tool_use" });
        out.text(r#"","usage":{"input_tokens":"#);
        let (read, written) = self.traits.tokens(node, step);
        out.number(read);
        out.text(r#","output_tokens":"#);
        out.number(written);
        out.text(r#","total_tokens":"#);
        out.number(read + written);
        out.text("}}");
    }

    fn tool_call(&self, node: u64, step: u64, out: &mut Line<'_>) {
        let draw = self.traits.tool(node, step);
        out.of_node("node_tool_call", node);
        out.text(r#","tool_call":{"#);
        out.step(self.traits, node, step);
        out.call(self.traits, node, step);
        let (_, before, behind) = call(draw);
        out.text(r#","arguments":""#);
        out.text(before);
        out.number(draw);
        out.text(behind);
        out.text("\"}}");
    }

    fn tool_result(&self, node: u64, step: u64, out: &mut Line<'_>) {
        let draw = self.traits.tool(node, step);
        out.of_node("node_tool_result", node);
        out.text(r#","tool_result":{"#);
        out.step(self.traits, node, step);
        out.call(self.traits, node, step);
        out.text(r#"},"output":""#);
        if draw.is_multiple_of(TOOL_FAILS) {
            out.text(r#"","error":"no answer within 500 ms"}"#);
            return;
        }
        self.prose.write(draw, draw + RESULT + draw % MORE_RESULT, out.0);
        out.text("\"}");
    }

    /// What a node puts out: the last message, or its beginning, with the last step's figures.
    pub(super) fn output(&self, node: u64, life: Life) -> String {
        let (from, to) = (self.text_at(node, life, life.last_message()), self.text_at(node, life, life.texts()));
        let mut content = Vec::new();
        let mut out = Line(&mut content);
        out.text(r#"{"output":[{"type":"message","role":"assistant","content":[{"type":"text","text":""#);
        self.prose.write(from, to.min(from.saturating_add(LONGEST_OUTPUT)), out.0);
        out.text(r#""}]}],"model":""#);
        out.text(MODELS[self.traits.model(node)].1);
        out.text(r#"","stop_reason":"end_turn","usage":{"input_tokens":"#);
        let (read, written) = self.traits.tokens(node, life.last_step());
        out.number(read);
        out.text(r#","output_tokens":"#);
        out.number(written);
        out.text("}}");
        String::from_utf8(content).unwrap_or_default()
    }
}

/// The tool that is called, with what stands before and behind a number in its arguments.
fn call(draw: u64) -> (&'static str, &'static str, &'static str) {
    CALLS[usize::try_from(draw % CALLS.len() as u64).unwrap_or_default()]
}

/// A line that is being written.
struct Line<'a>(&'a mut Vec<u8>);

impl Line<'_> {
    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.0.extend_from_slice(&digits[first..]);
    }

    /// The type and the node of an event.
    fn of_node(&mut self, event_type: &str, node: u64) {
        self.text(event_type);
        self.text(r#"","node_id":""#);
        self.text(Traits::name(node));
        self.text("_");
        self.number(node);
        self.text("\"");
    }

    /// The beginning of a delta.
    fn delta(&mut self, node: u64, kind: &str) {
        self.of_node("node_output_delta", node);
        self.text(r#","delta":{"kind":""#);
        self.text(kind);
        self.text("\"");
    }

    /// The id of a response, up to its closing quote.
    fn response(&mut self, traits: Traits, node: u64, step: u64) {
        self.text(r#","response_id":"msg_"#);
        self.hex(traits.response(node, step), 8);
    }

    /// The step and its request.
    fn step(&mut self, traits: Traits, node: u64, step: u64) {
        self.text(r#""step":"#);
        self.number(step);
        self.text(r#","request_id":""#);
        let (high, low) = traits.request(node, step);
        self.hex(high >> 32, 8);
        self.text("-");
        self.hex(high >> 16, 4);
        // The marks of a random UUID, which also keep it from being nil.
        self.text("-4");
        self.hex(high, 3);
        self.text("-a");
        self.hex(low >> 48, 3);
        self.text("-");
        self.hex(low, 12);
        self.text("\"");
    }

    /// A call with its id and its tool, open for what follows.
    fn call(&mut self, traits: Traits, node: u64, step: u64) {
        self.text(r#","tool_call":{"id":"call_"#);
        self.hex(traits.call(node, step), 16);
        self.text(r#"","name":""#);
        self.text(call(traits.tool(node, step)).0);
        self.text("\"");
    }

    /// The last digits of a number.
    fn hex(&mut self, number: u64, digits: u32) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 16];
        let used = &mut text[..digits as usize];
        let mut rest = number;
        for digit in used.iter_mut().rev() {
            *digit = DIGITS[usize::try_from(rest & 15).unwrap_or_default()];
            rest >>= 4;
        }
        self.0.extend_from_slice(used);
    }

    fn artifact(&mut self, key: &str, content: &str, included: bool) {
        self.text(r#"{"artifact_key":""#);
        self.text(key);
        self.text(r#"","info":{"bytes":"#);
        self.number(content.len() as u64);
        self.text(r#","sha256":""#);
        self.text(&hex(&Sha256::digest(content.as_bytes())));
        self.text(if included { r#"","included":true}"# } else { r#"","included":false}"# });
        if included {
            self.text(r#","content":"#);
            self.text(content);
        }
        self.text("}");
    }
}
