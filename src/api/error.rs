//! Everything that can go wrong between here and the server.
//!
//! A message says what is wrong, where, and what to do. Rule: no error holds a credential or a URL's query; hosts
//! are named, and what a server said is kept as it came (it is made inert where it is shown).

mod body;

use std::fmt::Write as _;
use std::time::Duration;

use super::event::ProtocolError;
use super::plan::Issue;
use super::retry;

pub use body::FieldError;
pub(super) use body::{http_date, retry_after};

/// Why a call has failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A setting is refused; nothing was sent.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The server answered, and refused.
    #[error(transparent)]
    Status(Box<StatusError>),
    /// The network failed; it is unknown whether the request arrived.
    #[error(transparent)]
    Transport(TransportError),
    /// The server sends the request elsewhere. Redirects are never followed: they would take the credentials along.
    #[error(
        "the server redirects to {target} ({status}), and redirects are not followed; if that host is right, set it as the base URL{}",
        tail(*attempts, request_id.as_deref())
    )]
    Redirect {
        /// The status, 3xx.
        status: u16,
        /// The host that it names, or words that say that it names none.
        target: String,
        /// The server's id of the request.
        request_id: Option<String>,
        /// How often it was tried.
        attempts: u32,
    },
    /// The answer is not of the type that was asked for.
    #[error(
        "expected {expected} from {host}, got {got}; check that the base URL is the API's{}",
        tail(*attempts, request_id.as_deref())
    )]
    ContentType {
        /// The host that answered.
        host: String,
        /// What was asked for.
        expected: &'static str,
        /// The type that was answered.
        got: String,
        /// The server's id of the request.
        request_id: Option<String>,
        /// How often it was tried.
        attempts: u32,
    },
    /// The answer is compressed though nobody asked for it.
    #[error(
        "{host} answered in the encoding {encoding:?} though none was asked for; a proxy between may be the cause{}",
        tail(*attempts, request_id.as_deref())
    )]
    Encoding {
        /// The host that answered.
        host: String,
        /// The encoding.
        encoding: String,
        /// The server's id of the request.
        request_id: Option<String>,
        /// How often it was tried.
        attempts: u32,
    },
    /// The answer cannot be read as what it should be.
    #[error(
        "the server's answer ({status}) cannot be read as {what}: {cause}{}",
        tail(*attempts, request_id.as_deref())
    )]
    Decode {
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        cause: String,
        /// The answer's status: 2xx, so the request itself was taken.
        status: u16,
        /// The server's id of the request.
        request_id: Option<String>,
        /// How often it was tried.
        attempts: u32,
    },
}

/// What an [`Error`] means for who made the call: coarser than the error, as exit codes and link states are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A setting must change first.
    Setting,
    /// The server says that the request itself is wrong: 400, and every other 4xx without a class of its own.
    Invalid,
    /// 401 or 403.
    Unauthorized,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// The network or the server is in trouble: trying again later may help.
    Unavailable,
    /// The answer is not what this API sends: wrong content type, encoding, redirect, unreadable body.
    Protocol,
}

impl Error {
    /// What it means.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Setting(_) => Class::Setting,
            Self::Status(error) => match error.status {
                401 | 403 => Class::Unauthorized,
                404 => Class::NotFound,
                409 => Class::Conflict,
                status if retry::is_retryable_status(status) => Class::Unavailable,
                _ => Class::Invalid,
            },
            Self::Transport(_) => Class::Unavailable,
            Self::Redirect { .. } | Self::ContentType { .. } | Self::Encoding { .. } | Self::Decode { .. } => {
                Class::Protocol
            }
        }
    }

    /// Whether asking the same again may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.class() == Class::Unavailable
    }

    /// The HTTP status, where the server answered with an error.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status(error) => Some(error.status),
            Self::Redirect { status, .. } | Self::Decode { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the server asked to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status(error) => error.retry_after,
            _ => None,
        }
    }

    /// The server's id of the request, for those who run the server.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Status(error) => error.request_id.as_deref(),
            Self::Redirect { request_id, .. }
            | Self::ContentType { request_id, .. }
            | Self::Encoding { request_id, .. }
            | Self::Decode { request_id, .. } => request_id.as_deref(),
            Self::Setting(_) | Self::Transport(_) => None,
        }
    }

    /// How often it was tried: 0 where nothing was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Setting(_) => 0,
            Self::Status(error) => error.attempts,
            Self::Transport(error) => error.attempts,
            Self::Redirect { attempts, .. }
            | Self::ContentType { attempts, .. }
            | Self::Encoding { attempts, .. }
            | Self::Decode { attempts, .. } => *attempts,
        }
    }

    /// The same error, saying that it was the last of `attempts`.
    #[must_use]
    pub(super) fn with_attempts(mut self, tried: u32) -> Self {
        match &mut self {
            Self::Setting(_) => {}
            Self::Status(error) => error.attempts = tried,
            Self::Transport(error) => error.attempts = tried,
            Self::Redirect { attempts, .. }
            | Self::ContentType { attempts, .. }
            | Self::Encoding { attempts, .. }
            | Self::Decode { attempts, .. } => *attempts = tried,
        }
        self
    }
}

/// What ends the message of every answer: how often it was tried, and the server's id of the request.
fn tail(attempts: u32, request_id: Option<&str>) -> String {
    let tried = if attempts > 1 { format!("; tried {attempts} times") } else { String::new() };
    let request = request_id.map(|id| format!(" [request {id}]")).unwrap_or_default();
    tried + &request
}

/// A setting that is refused before anything is sent. No message repeats a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// The base URL cannot be used.
    #[error("the base URL {reason}; expected one like https://api.modelrelay.ai/api/v1")]
    BaseUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// Plain http would send the credentials in clear.
    #[error("plain http to {host} would send the credentials unencrypted: use https, or allow it with --allow-http")]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// No credentials were given.
    #[error("no credentials: set MODELRELAY_API_KEY (a key that starts with mr_sk_) or MODELRELAY_TOKEN")]
    MissingCredentials,
    /// A publishable key may not call runs.
    #[error("this is a publishable key (mr_pk_…), which may not read runs: use a secret key (mr_sk_…)")]
    PublishableKey,
    /// The credential holds what a header cannot carry.
    #[error("the {0} holds characters that cannot be sent in a header, such as a line break")]
    Unsendable(&'static str),
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
    /// A setting from elsewhere (a file of credentials, a profile) cannot be used.
    #[error("{0}")]
    Other(String),
}

/// An answer that is neither 2xx nor 3xx.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusError {
    /// The HTTP status.
    pub status: u16,
    /// The server's code, such as `NOT_FOUND`.
    pub code: Option<String>,
    /// What the server says; may be empty.
    pub message: String,
    /// Which fields of the request are wrong.
    pub fields: Vec<FieldError>,
    /// What is wrong with a workflow spec.
    pub issues: Vec<Issue>,
    /// The server's id of the request.
    pub request_id: Option<String>,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
    /// How often it was tried.
    pub attempts: u32,
}

impl std::error::Error for StatusError {}

impl std::fmt::Display for StatusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = match self.status {
            401 => "the server does not accept these credentials".to_owned(),
            403 => "the server does not allow this with these credentials".to_owned(),
            404 => "the server does not know this".to_owned(),
            408 => "the server gave up waiting for the request".to_owned(),
            409 => "the server reports a conflict".to_owned(),
            429 => "the server asks to slow down".to_owned(),
            status if status >= 500 => "the server is in trouble".to_owned(),
            _ => "the server refuses the request".to_owned(),
        };
        let code = self.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
        // Writing into a String cannot fail.
        let _ = write!(text, " ({}{code})", self.status);
        if !self.message.is_empty() {
            let _ = write!(text, ": {}", self.message);
        }
        for field in &self.fields {
            let _ = write!(text, "; {field}");
        }
        for issue in &self.issues {
            let _ = write!(text, "; {issue}");
        }
        if let Some(wait) = self.retry_after {
            let _ = write!(text, "; try again in {} s", wait.as_secs());
        }
        text.push_str(&tail(self.attempts, self.request_id.as_deref()));
        f.write_str(&text)
    }
}

/// Where on its way a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// No connection was made: the request has not arrived.
    Connect,
    /// A time limit passed.
    Timeout,
    /// The connection broke while sending or reading.
    Read,
    /// The stream ended in the middle of a line.
    Cut,
}

/// A failure of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    /// Where on its way the request failed.
    pub kind: TransportKind,
    /// The host.
    pub host: String,
    /// The innermost cause, in the system's words; may be empty.
    pub cause: String,
    /// How often it was tried.
    pub attempts: u32,
}

impl std::error::Error for TransportError {}

impl std::fmt::Display for TransportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = &self.host;
        match self.kind {
            TransportKind::Connect => write!(f, "cannot connect to {host}")?,
            TransportKind::Timeout => write!(f, "{host} did not answer in time")?,
            TransportKind::Read => write!(f, "the connection to {host} broke")?,
            TransportKind::Cut => write!(f, "the stream from {host} ended in the middle of a line")?,
        }
        if !self.cause.is_empty() {
            write!(f, ": {}", self.cause)?;
        }
        if self.attempts > 1 {
            write!(f, " (tried {} times)", self.attempts)?;
        }
        Ok(())
    }
}

impl TransportError {
    /// Reads reqwest's error: its kind and its innermost cause, without the URL.
    pub(super) fn from_reqwest(error: &reqwest::Error, host: &str) -> Self {
        let kind = if error.is_connect() {
            TransportKind::Connect
        } else if error.is_timeout() {
            TransportKind::Timeout
        } else {
            TransportKind::Read
        };
        let mut innermost: &dyn std::error::Error = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        // reqwest's own text would repeat the URL with its query; only a cause below it is taken.
        let cause = if std::ptr::addr_eq(innermost, error) { String::new() } else { innermost.to_string() };
        Self { kind, host: host.to_owned(), cause, attempts: 1 }
    }
}

/// Why an event stream brought no event.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StreamError {
    /// A line breaks the protocol; the stream goes on with the next.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The stream broke; it has ended.
    #[error(transparent)]
    Transport(TransportError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> StatusError {
        StatusError {
            status,
            code: None,
            message: String::new(),
            fields: Vec::new(),
            issues: Vec::new(),
            request_id: None,
            retry_after: None,
            attempts: 1,
        }
    }

    #[test]
    fn a_message_says_what_where_and_what_to_do() {
        let full = StatusError {
            code: Some("RATE_LIMIT".into()),
            message: "too many reads".into(),
            fields: vec![FieldError { field: Some("limit".into()), message: "too large".into() }],
            request_id: Some("r-1".into()),
            retry_after: Some(Duration::from_secs(7)),
            attempts: 3,
            ..status(429)
        };
        assert_eq!(
            full.to_string(),
            "the server asks to slow down (429 RATE_LIMIT): too many reads; limit: too large; try again in 7 s; tried 3 times [request r-1]"
        );
        assert_eq!(status(404).to_string(), "the server does not know this (404)");
    }

    #[test]
    fn every_status_has_the_class_that_callers_act_on() {
        let class = |code| Error::Status(Box::new(status(code))).class();
        assert_eq!(class(400), Class::Invalid);
        assert_eq!(class(401), Class::Unauthorized);
        assert_eq!(class(403), Class::Unauthorized);
        assert_eq!(class(404), Class::NotFound);
        assert_eq!(class(409), Class::Conflict);
        assert_eq!(class(408), Class::Unavailable);
        assert_eq!(class(422), Class::Invalid);
        assert_eq!(class(503), Class::Unavailable);
    }
}
