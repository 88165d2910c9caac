//! What to do next about an error of the API: one place for all commands, so that the messages themselves stay short
//! enough for the console's last line.

use crate::api::error::{Class, Error, TransportKind};

/// What a person does next, as a sentence without a full stop; `None` where the message says it already.
#[must_use]
pub fn next_step(error: &Error) -> Option<&'static str> {
    match error {
        Error::Setting(_) => None,
        Error::Transport(broken) => Some(match broken.kind {
            TransportKind::Connect if broken.cause.contains("certificate") => {
                "check this machine's clock and its CA certificates; `relay-console doctor` tries each step"
            }
            TransportKind::Connect => {
                "check the base URL, the network and the proxy (--no-proxy leaves it out); \
                 `relay-console doctor` tries each step"
            }
            TransportKind::Timeout | TransportKind::Read | TransportKind::Cut => {
                "try again; `relay-console doctor` measures the way to the server"
            }
        }),
        Error::Redirect { .. } | Error::ContentType { .. } | Error::Encoding { .. } | Error::Decode { .. } => {
            Some("`relay-console doctor` shows which base URL is used, where it comes from and what answers there")
        }
        Error::Status(refused) => Some(match refused.status {
            401 => "`relay-console doctor` shows which key or token is sent and where it comes from",
            403 => "the key or token is known but may not do this: `relay-console doctor` shows which one is sent",
            404 => {
                "check the id; what it names may belong to another server, account or profile \
                 (--profile, --base-url; `relay-console doctor` shows which are used)"
            }
            409 => "something else came first: look again (`relay-console pending RUN_ID`) before another try",
            429 if refused.retry_after.is_some() => "wait as long as the server asks, then try again",
            429 => "wait a minute, then try again; fewer commands at once help",
            _ if error.class() == Class::Unavailable => {
                "wait a little and try again; if it stays, tell the server's people the time and the request's id"
            }
            _ => "mend what the server names; the same request will be refused again",
        }),
    }
}

/// The message of an error and what to do next, a line each.
#[must_use]
pub fn explained(error: &Error) -> String {
    match next_step(error) {
        Some(step) => format!("{error}\nWhat to do: {step}."),
        None => error.to_string(),
    }
}
