//! A simulator and clients for it, as the other files need them.

use std::time::Duration;

use relay_console::api;
use relay_console::api::client::{BaseUrl, ClientConfig, Credentials};
use relay_console::api::event::{self, Decoded, EventBody};
use relay_console::api::ids::RunId;
use relay_console::api::run::RunSnapshot;
use relay_console::api::tool::{PendingTools, ToolResultsRequest};
use relay_console::simulator::{Scenario, Simulator, SimulatorConfig};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::scenarios::answer_to;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);
pub(super) const KEY: &str = "X-ModelRelay-Api-Key";
pub(super) const REQUEST_ID: &str = "X-ModelRelay-Request-Id";

/// A simulator that plays one scenario very fast, and a client for it.
pub(super) struct Bench {
    pub(super) simulator: Simulator,
    pub(super) client: Client,
    pub(super) run_id: RunId,
}

impl Bench {
    pub(super) async fn of(scenario: &str) -> Self {
        let scenarios = vec![Scenario::find(scenario).unwrap()];
        Self::with(SimulatorConfig { scenarios, speed: 200.0, ..SimulatorConfig::default() }).await
    }

    /// A simulator without a run of its own.
    pub(super) async fn empty() -> Self {
        let config = SimulatorConfig { scenarios: Vec::new(), speed: 1000.0, seed: 5, ..SimulatorConfig::default() };
        Self::with(config).await
    }

    pub(super) async fn with(config: SimulatorConfig) -> Self {
        let simulator = Simulator::start(config).await.unwrap();
        // Loopback needs no proxy and no certificates; a machine may have neither.
        let client = Client::builder().no_proxy().tls_certs_only(Vec::new()).build().unwrap();
        let run_id = simulator.runs().first().map_or_else(RunId::random, |run| run.run_id);
        Self { simulator, client, run_id }
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/runs/{}{path}", self.simulator.base_url(), self.run_id);
        self.client.request(method, url).header(KEY, self.simulator.api_key()).timeout(PATIENCE)
    }

    /// A request to a path that is not about the run.
    pub(super) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.simulator.base_url());
        self.client.request(method, url).header(KEY, self.simulator.api_key()).timeout(PATIENCE)
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Response {
        self.call(Method::POST, path).json(body).send().await.unwrap()
    }

    /// Creates a run and makes it the one that this bench is about.
    pub(super) async fn created(&mut self, body: &Value) -> Value {
        let response = self.post("/runs", body).await;
        let (status, answer) = (response.status(), response.json::<Value>().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{answer}");
        self.run_id = RunId::parse(answer["run_id"].as_str().unwrap()).unwrap();
        answer
    }

    /// The client of this program itself.
    pub(super) fn api(&self) -> api::client::Client {
        let credentials = Credentials::api_key(self.simulator.api_key()).unwrap();
        let base_url = BaseUrl::parse(self.simulator.base_url(), false).unwrap();
        api::client::Client::new(ClientConfig::new(base_url, credentials)).unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(super) async fn snapshot(&self) -> RunSnapshot {
        self.get("").await.json().await.unwrap()
    }

    pub(super) async fn pending(&self) -> PendingTools {
        self.get("/pending-tools").await.json().await.unwrap()
    }

    pub(super) async fn submit(&self, body: &impl serde::Serialize) -> Response {
        self.request(Method::POST, "/tool-results").json(body).send().await.unwrap()
    }

    /// Reads the event stream until the run waits for something new: what waits and the seq of the event that said
    /// so; `None` when the run ends first.
    pub(super) async fn until_waiting(&self, after_seq: u64) -> Option<(PendingTools, u64)> {
        let mut stream = self.get(&format!("/events?after_seq={after_seq}")).await;
        let mut rest = Vec::new();
        while let Some(piece) = stream.chunk().await.unwrap() {
            rest.extend_from_slice(&piece);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let Decoded::Event(event) = event::decode(line.trim_ascii_end()).unwrap() else { continue };
                if matches!(event.body, EventBody::NodeWaiting(_)) {
                    return Some((self.pending().await, event.seq));
                }
            }
        }
        None
    }

    pub(super) async fn first_wait(&self) -> ToolResultsRequest {
        answer_to(&self.until_waiting(0).await.unwrap().0).unwrap()
    }

    /// Results for what this answer says is pending.
    pub(super) fn results_for(pending: &PendingTools) -> ToolResultsRequest {
        answer_to(pending).unwrap()
    }

    /// Answers everything from the event `after_seq` on until the run ends; the whole log.
    pub(super) async fn to_the_end(&self, after_seq: u64) -> String {
        let mut seq = after_seq;
        while let Some((pending, waited)) = self.until_waiting(seq).await {
            seq = waited;
            if let Some(submission) = answer_to(&pending) {
                let status = self.submit(&submission).await.status();
                // A run may be canceled between the two.
                assert!(matches!(status, StatusCode::OK | StatusCode::CONFLICT), "{status}");
            }
        }
        self.get("/events?include_output=true").await.text().await.unwrap()
    }
}

pub(super) async fn error_of(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let header = response.headers()[REQUEST_ID].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["request_id"], json!(header), "{body}");
    let text = |name: &str| body["error"][name].as_str().unwrap().to_owned();
    (status, text("code"), text("message"))
}
