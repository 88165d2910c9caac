//! One request that finds out whether the server is there, is the API, and knows the credentials.
//!
//! Rule: a probe changes nothing at the server and is one attempt; whatever happens is told, nothing is an error.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use super::{Client, answer};
use crate::api::error::Error;
use crate::api::ids::RunId;

/// What came of a probe.
#[derive(Debug)]
pub struct Probe {
    /// Nothing wrong for a 2xx answer; a server that works says 404.
    pub outcome: Result<(), Error>,
    /// The answer's media type, where it says one.
    pub content_type: Option<String>,
    /// The server's id of the request.
    pub request_id: Option<String>,
    /// The server's clock when it answered.
    pub date: Option<Timestamp>,
    /// Our clock when the answer began.
    pub answered_at: Timestamp,
    /// From asking to the beginning of the answer, the making of a connection included.
    pub round_trip: Duration,
}

impl Client {
    /// Reads a run that should not exist.
    pub async fn probe(&self, run: &RunId) -> Probe {
        let url = self.config.base_url.join(&["runs", &run.to_string()]);
        let request = self.http.get(url).header(ACCEPT, "application/json").timeout(self.config.request_timeout);
        let begun = Instant::now();
        let sent = self.send(request).await;
        let (answered_at, round_trip) = (Timestamp::now(), begun.elapsed());
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                let outcome = Err(error);
                return Probe { outcome, content_type: None, request_id: None, date: None, answered_at, round_trip };
            }
        };
        let headers = response.headers();
        Probe {
            content_type: headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(answer::media_type),
            request_id: answer::request_id(headers),
            date: answer::date(headers),
            outcome: answer::accepted(response, &self.config).await.map(|_| ()),
            answered_at,
            round_trip,
        }
    }
}
