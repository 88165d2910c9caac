//! `relay-console simulate` in a process of its own, as a user starts it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use relay_console::api::client::{BaseUrl, Client, ClientConfig, Credentials};

/// A simulator in a process of its own.
pub(crate) struct Simulate {
    process: Child,
    pub(crate) base_url: String,
    pub(crate) api_key: String,
    runs: Vec<(String, String)>,
}

impl Simulate {
    pub(crate) fn start(speed: &str) -> Self {
        Self::start_with(speed, &[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(speed: &str, more: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_relay-console"))
            .args(["simulate", "--listen", "127.0.0.1:0", "--speed", speed])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let runs = ready["runs"].as_array().unwrap().iter().map(|run| (text(&run["scenario"]), text(&run["run_id"])));
        Self { runs: runs.collect(), base_url: text(&ready["base_url"]), api_key: text(&ready["api_key"]), process }
    }

    /// The run that plays a scenario.
    pub(crate) fn run_of(&self, scenario: &str) -> &str {
        &self.runs.iter().find(|(name, _)| name == scenario).unwrap().1
    }

    /// What a shell that follows its runs has in its environment.
    pub(crate) fn environment(&self) -> [(&str, &str); 2] {
        [("MODELRELAY_API_BASE_URL", &self.base_url), ("MODELRELAY_API_KEY", &self.api_key)]
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        let credentials = Credentials::api_key(&self.api_key).unwrap();
        Client::new(ClientConfig::new(BaseUrl::parse(&self.base_url, false).unwrap(), credentials)).unwrap()
    }

    /// Stops it with SIGTERM; returns its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        self.process.wait().unwrap().code()
    }
}

impl Drop for Simulate {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn simulate_starts_with_every_scenario_the_newcomers_first_and_ends_by_a_signal() {
    let mut simulate = Simulate::start("1");
    assert_eq!(simulate.runs[0].0, "incident");
    assert!(simulate.runs.len() >= 5, "{:?}", simulate.runs);
    assert!(simulate.api_key.starts_with("mr_sk_"));
    assert_eq!(simulate.terminate(), Some(143));
}
