//! The HTTP client of the runs API.
//!
//! Owns the requests, their headers and their time limits; the calls themselves are in `endpoints`. Rules: credentials
//! go to the base URL's host and nowhere else, redirects are not followed, this machine is never reached through a
//! proxy, and no answer is read beyond a bound.

mod answer;
mod base_url;
mod credentials;
mod endpoints;
mod probe;
mod roots;
mod source;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Response, Url, redirect};
use serde::de::DeserializeOwned;

use super::error::{Error, SettingError, TransportError};
use super::retry;

pub use base_url::{BaseUrl, DEFAULT_BASE_URL};
pub use credentials::Credentials;
pub use endpoints::Include;
pub use probe::Probe;
pub use roots::Roots;
pub use source::ClientSource;
pub use stream::{CancelHandle, EventStream, StreamItem};

const CLIENT_HEADER: HeaderName = HeaderName::from_static("x-modelrelay-client");
const CUSTOMER_HEADER: HeaderName = HeaderName::from_static("x-modelrelay-customer-id");
const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-modelrelay-request-id");

/// How this client names itself.
const NAME: &str = concat!("relay-console/", env!("CARGO_PKG_VERSION"));

/// How often a silent connection is checked by the protocols below.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// What a client is built from.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where requests go.
    pub base_url: BaseUrl,
    /// Who calls.
    pub credentials: Credentials,
    /// The customer that calls are attributed to.
    pub customer_id: Option<String>,
    /// The longest wait for a connection. Default 5 s.
    pub connect_timeout: Duration,
    /// The longest wait for a whole answer, and for the beginning of an event stream. Default 60 s.
    pub request_timeout: Duration,
    /// Whether the system's proxy is used; never for this machine. Default true.
    pub use_proxy: bool,
    /// Authorities that are trusted besides the system's. Default none.
    pub roots: Roots,
}

impl ClientConfig {
    /// The defaults of `wire/README.md`, "Errors", for this server and these credentials.
    #[must_use]
    pub fn new(base_url: BaseUrl, credentials: Credentials) -> Self {
        Self {
            base_url,
            credentials,
            customer_id: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            use_proxy: true,
            roots: Roots::default(),
        }
    }
}

/// A server's answer with what its headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<T> {
    /// The answer.
    pub value: T,
    /// The answer as it came.
    pub body: Bytes,
    /// The server's id of the request.
    pub request_id: Option<String>,
    /// The server's clock when it answered.
    pub date: Option<Timestamp>,
}

/// Which events to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventsQuery {
    /// Only events with a greater seq; 0 for all.
    pub after_seq: u64,
    /// At most so many events (1 to 10,000); 0 for no limit.
    pub limit: u32,
    /// Whether the stream stays open for events to come; otherwise it ends with what is there.
    pub wait: bool,
    /// Whether outputs come inline.
    pub include_output: bool,
}

impl Default for EventsQuery {
    fn default() -> Self {
        Self { after_seq: 0, limit: 0, wait: true, include_output: false }
    }
}

impl EventsQuery {
    /// The URL with the query; what is at its default is left out.
    fn append_to(self, mut url: Url) -> Url {
        let parameters = [
            (self.after_seq > 0, "after_seq", self.after_seq.to_string()),
            (self.limit > 0, "limit", self.limit.to_string()),
            (!self.wait, "wait", "false".to_owned()),
            (self.include_output, "include_output", "true".to_owned()),
        ];
        for (_, name, value) in parameters.iter().filter(|(given, _, _)| *given) {
            url.query_pairs_mut().append_pair(name, value);
        }
        url
    }
}

/// A client of one server, cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    config: Arc<ClientConfig>,
    retries: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("config", &self.config).field("retries", &self.retries).finish_non_exhaustive()
    }
}

impl Client {
    /// Builds a client. Nothing is sent yet.
    ///
    /// # Errors
    /// When the customer id cannot be sent, or the system's certificates cannot be read for an https base URL.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(CLIENT_HEADER, HeaderValue::from_static(NAME));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (name, value) = config.credentials.header()?;
        headers.insert(name, value);
        if let Some(customer) = &config.customer_id {
            let value = HeaderValue::from_str(customer).map_err(|_| SettingError::Unsendable("customer id"))?;
            headers.insert(CUSTOMER_HEADER, value);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(NAME)
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(config.connect_timeout)
            // HTTP/1.1 only: each request has a connection of its own then, so that an answer to a call never waits
            // behind a stream that floods, or that nobody reads.
            .tcp_keepalive(KEEPALIVE);
        if config.base_url.is_loopback() || !config.use_proxy {
            builder = builder.no_proxy();
        }
        builder = if config.base_url.is_https() {
            builder.tls_certs_merge(config.roots.certificates())
        } else {
            // Plain http needs no certificates, and a bare container has none: loading them would fail.
            builder.tls_certs_only([])
        };
        let http = builder.build().map_err(|error| {
            let hint = "https needs the system's CA certificates (often a package named ca-certificates), or --ca-file";
            SettingError::Client(format!("{}; {hint}", innermost(&error)))
        })?;
        Ok(Self { http, config: Arc::new(config), retries: true })
    }

    /// The same client, but every read is one attempt: for callers that report each failure themselves.
    #[must_use]
    pub fn without_retries(&self) -> Self {
        Self { retries: false, ..self.clone() }
    }

    /// Where its requests go.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.config.base_url
    }

    /// Asks for a value, and again while that may help.
    async fn read<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> RequestBuilder,
        what: &'static str,
    ) -> Result<Reply<T>, Error> {
        self.read_checked(request, what, Ok).await
    }

    /// As [`Client::read`]; an answer that does not pass the check is an error of the attempt that brought it.
    async fn read_checked<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> RequestBuilder,
        what: &'static str,
        check: impl Fn(Reply<T>) -> Result<Reply<T>, Error>,
    ) -> Result<Reply<T>, Error> {
        self.read_noted(request, what, check, |_| {}).await
    }

    /// As [`Self::read_checked`]; `note` hears of every attempt that fails.
    async fn read_noted<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> RequestBuilder,
        what: &'static str,
        check: impl Fn(Reply<T>) -> Result<Reply<T>, Error>,
        note: impl Fn(&Error),
    ) -> Result<Reply<T>, Error> {
        let (check, note) = (&check, &note);
        let attempt = || {
            let request = request().header(ACCEPT, "application/json").timeout(self.config.request_timeout);
            async move {
                let read = async { check(answer::json(self.send(request).await?, &self.config, what).await?) };
                read.await.inspect_err(note)
            }
        };
        if self.retries { retry::repeat(what, attempt).await } else { attempt().await }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let sent = request.send().await;
        let mut response =
            sent.map_err(|error| Error::Transport(TransportError::from_reqwest(&error, &self.config.base_url.host())))?;
        // Ids, types and targets are shown and logged, and a server may repeat in them what it was sent.
        response.headers_mut().values_mut().for_each(|value| self.config.credentials.redact_header(value));
        Ok(response)
    }
}

/// The innermost cause of an error: the part that says what happened.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_at_their_default_are_left_out() {
        let url = Url::parse("http://host/events").unwrap();
        assert_eq!(EventsQuery::default().append_to(url.clone()).as_str(), "http://host/events");
        let query = EventsQuery { after_seq: 7, limit: 1, wait: false, include_output: true };
        assert_eq!(
            query.append_to(url).as_str(),
            "http://host/events?after_seq=7&limit=1&wait=false&include_output=true"
        );
    }

    #[test]
    fn a_client_prints_no_credentials() {
        let base_url = BaseUrl::parse("http://127.0.0.1:1/api", false).unwrap();
        let credentials = Credentials::api_key("mr_sk_0123456789").unwrap();
        let client = Client::new(ClientConfig::new(base_url, credentials)).unwrap();
        let shown = format!("{client:?} {:?}", client.http.get(client.config.base_url.join(&["runs"])));
        assert!(!shown.contains("0123456789"), "{shown}");
    }

    #[test]
    fn a_customer_id_that_no_header_can_carry_is_refused() {
        let base_url = BaseUrl::parse("http://127.0.0.1:1/api", false).unwrap();
        let mut config = ClientConfig::new(base_url, Credentials::api_key("mr_sk_0123456789").unwrap());
        config.customer_id = Some("a\nb".into());
        assert_eq!(Client::new(config).unwrap_err(), Error::Setting(SettingError::Unsendable("customer id")));
    }
}
