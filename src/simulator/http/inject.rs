//! Carrying out the faults of a request: in place of its handler, around it, and on its answer.
//!
//! Owns what a fault does to an answer as a whole and to its connection. What goes wrong while a request is done stands
//! with the handlers, which find the request's faults among its extensions; what befalls events stands in
//! `simulator::faults`. Rule: without faults everything passes through untouched.

use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::ids::RunId;

use super::super::faults::{self, Drawn, Fault, HOSTILE, Phase, Route};
use super::breakage::{After, Breakage, Ending};
use super::connection::Hold;
use super::error::ApiError;
use super::guard::{self, RequestLabel};
use super::{PREFIX, Server};

/// The faults of a request, as its handler finds them.
pub(super) type Faults = axum::Extension<Arc<faults::Request>>;

/// Who answers a redirected client: nobody, by RFC 6761.
const ELSEWHERE: &str = "https://elsewhere.invalid";

/// How long a restart waits for a client that does not read.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Headers that hostile values go into besides those that an answer has.
const HOSTILE_HEADERS: &[&str] = &["x-modelrelay-request-id", "x-request-id", "retry-after", "server"];

/// Answers a request that was let in, with its faults.
pub(super) async fn answer(server: &Server, label: &RequestLabel, mut request: Request, next: Next) -> Response {
    let (route, run) = place(request.method(), request.uri());
    let known = run.is_none_or(|run| server.world.run(run).is_some() || server.world.flood(run).is_some());
    let faults = match route.filter(|_| known) {
        Some(route) => server.injector.request(route, run),
        None => faults::Request::harmless(&server.injector),
    };
    let faults = Arc::new(faults);
    let hold = request.extensions().get::<ConnectInfo<Hold>>().map(|info| info.0.clone());
    let uri = request.uri().clone();
    request.extensions_mut().insert(Arc::clone(&faults));
    let act = Act { server, label, faults: &faults, hold };
    match faults.before() {
        // A stream begins, and the restart comes while it is read.
        Some(drawn) if drawn.fault != Fault::Restart || route != Some(Route::Events) => {
            if route == Some(Route::ToolResults) {
                // Its handler does nothing but note what was offered.
                next.run(request).await;
            }
            act.refuse(drawn, &uri)
        }
        _ => {
            let response = next.run(request).await;
            act.spoil(response).await
        }
    }
}

/// Which call it is, and of which run.
fn place(method: &Method, uri: &Uri) -> (Option<Route>, Option<RunId>) {
    let words: Vec<&str> = uri.path().strip_prefix(PREFIX).unwrap_or_default().split('/').skip(1).collect();
    let run = words.get(1).and_then(|id| RunId::parse(id).ok());
    let route = match (method.as_str(), words.as_slice()) {
        ("POST", ["runs"]) => Some(Route::Create),
        ("POST", ["workflows", "compile"]) => Some(Route::Compile),
        ("POST", ["workflows", "lint"]) => Some(Route::Lint),
        ("GET", ["runs", _]) => Some(Route::Snapshot),
        ("GET", ["runs", _, "events"]) => Some(Route::Events),
        ("GET", ["runs", _, "pending-tools"]) => Some(Route::PendingTools),
        ("POST", ["runs", _, "tool-results"]) => Some(Route::ToolResults),
        ("GET", ["runs", _, "steps"]) => Some(Route::Steps),
        ("GET", ["runs", _, "tasks"]) => Some(Route::Tasks),
        ("GET", ["runs", _, "steps", _, "tool-calls", _]) => Some(Route::ToolCall),
        _ => None,
    };
    (route, run)
}

/// One request on its bad way.
struct Act<'a> {
    server: &'a Server,
    label: &'a RequestLabel,
    faults: &'a Arc<faults::Request>,
    hold: Option<Hold>,
}

impl Act<'_> {
    /// What is answered in place of doing what was asked for.
    fn refuse(&self, drawn: Drawn, uri: &Uri) -> Response {
        self.faults.happens(drawn);
        let value = self.faults.rule(drawn).and_then(faults::Rule::duration);
        match drawn.fault {
            Fault::Status { code, dated } => {
                let mut response = ApiError::fault(code, "a fault that was asked for").into_response();
                let after = value.map(|after| self.retry_after(after, dated));
                if let Some(after) = after.and_then(|after| HeaderValue::from_str(&after).ok()) {
                    response.headers_mut().insert(header::RETRY_AFTER, after);
                }
                response
            }
            Fault::HostileError => ApiError::fault(500, HOSTILE).into_response(),
            Fault::Redirect => {
                let target = format!("{ELSEWHERE}{}", uri.path_and_query().map_or("/", |path| path.as_str()));
                (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, target)]).into_response()
            }
            Fault::Restart => {
                self.server.gate.restart(value.unwrap_or_default());
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
            _ => self.reset(),
        }
    }

    fn retry_after(&self, after: Duration, dated: bool) -> String {
        let seconds = after.as_secs_f64().ceil();
        if !dated {
            return format!("{seconds}");
        }
        let at = self.server.world.now().checked_add(after).unwrap_or(jiff::Timestamp::MAX);
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
    }

    /// An answer that nobody gets.
    fn reset(&self) -> Response {
        if let Some(hold) = &self.hold {
            hold.reset();
        }
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    }

    /// Does to an answer what its faults say.
    async fn spoil(&self, mut response: Response) -> Response {
        // First what the answer is, then what befalls it.
        if let Some((drawn, code)) = self.faults.in_phase(Phase::After).find_map(|drawn| match drawn.fault {
            Fault::FalseStatus { code } => Some((drawn, code)),
            _ => None,
        }) {
            self.faults.happens(drawn);
            response = ApiError::fault(code, "what was asked for is done; the answer is a fault").into_response();
        }
        let mut broken = Vec::new();
        for drawn in self.faults.in_phase(Phase::After) {
            match drawn.fault {
                Fault::LostAnswer => {
                    self.faults.happens(drawn);
                    return self.reset();
                }
                Fault::NoAnswer => {
                    self.faults.happens(drawn);
                    let longest = self.faults.rule(drawn).and_then(faults::Rule::duration).unwrap_or(Duration::MAX);
                    let _ = tokio::time::timeout(longest, self.server.stop.cancelled()).await;
                    return self.reset();
                }
                Fault::FalseStatus { .. } => {}
                Fault::ContentType => {
                    self.faults.happens(drawn);
                    guard::write_error(&mut response, self.label);
                    let html = HeaderValue::from_static("text/html; charset=utf-8");
                    response.headers_mut().insert(header::CONTENT_TYPE, html);
                    // The last layer mends what the framework has refused; this is no such answer.
                    response.extensions_mut().insert(Spoiled);
                }
                Fault::HostileHeaders => {
                    self.faults.happens(drawn);
                    response.extensions_mut().insert(HostileHeaders);
                }
                _ => broken.push(drawn),
            }
        }
        broken.extend(self.faults.draws(Fault::Restart));
        if broken.is_empty() {
            return response;
        }
        guard::write_error(&mut response, self.label);
        let length = response.body().size_hint().exact();
        let mut breakage = Breakage::default();
        for drawn in broken {
            self.add(drawn, length, &mut breakage);
        }
        response.headers_mut().remove(header::CONTENT_LENGTH);
        if breakage.packed {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let stop = self.server.stop.clone();
        response.map(|body| breakage.apply(body, stop))
    }

    /// Adds one that befalls the body, whose length is known unless it is a stream.
    fn add(&self, drawn: Drawn, length: Option<u64>, breakage: &mut Breakage) {
        let Some(rule) = self.faults.rule(drawn) else { return };
        let at = length.map_or(faults::offset(drawn.draw), |length| drawn.draw % (length + 1));
        let faults = Arc::clone(self.faults);
        let tell = move || faults.happens(drawn);
        let given = rule.size();
        match drawn.fault {
            Fault::ContentEncoding => {
                tell();
                breakage.packed = true;
            }
            Fault::Trickle => {
                tell();
                breakage.rate = given;
            }
            Fault::Stall => {
                breakage.stall = Some((at, rule.duration().unwrap_or_default(), Box::new(tell)));
            }
            Fault::EarlyEnd => {
                let ending: Ending = Box::new(move || {
                    tell();
                    After::End
                });
                breakage.end = Some((given.unwrap_or(at), ending));
            }
            Fault::Cut => {
                let hold = self.hold.clone();
                let ending: Ending = Box::new(move || {
                    tell();
                    if let Some(hold) = hold {
                        hold.reset_after_flush();
                    }
                    After::Nothing
                });
                breakage.end = Some((given.unwrap_or(at), ending));
            }
            Fault::Restart => {
                let (gate, closed) = (Arc::clone(&self.server.gate), rule.duration().unwrap_or_default());
                let hold = self.hold.clone();
                let ending: Ending = Box::new(move || {
                    tell();
                    tokio::spawn(async move {
                        // First what was sent so far leaves, so that the stream breaks where it was to.
                        if let Some(hold) = hold {
                            hold.reset_after_flush();
                            let _ = tokio::time::timeout(FLUSH_TIMEOUT, hold.is_reset()).await;
                        }
                        gate.restart(closed);
                    });
                    After::Nothing
                });
                breakage.end = Some((at, ending));
            }
            _ => {}
        }
    }
}

/// An answer whose content type is meant to be wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spoiled;

/// An answer whose headers are to be hostile; the last layer, which sets some, makes them so.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostileHeaders;

impl HostileHeaders {
    /// Header values can carry every byte but the controls of ASCII.
    pub(super) fn apply(headers: &mut HeaderMap) {
        let text: String = HOSTILE.chars().filter(|c| !c.is_ascii_control()).collect();
        for name in HOSTILE_HEADERS.iter().copied() {
            let mut value = headers.get(name).map(|value| value.as_bytes().to_vec()).unwrap_or_default();
            value.extend_from_slice(text.as_bytes());
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}
