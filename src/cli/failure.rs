//! What to do next about an error of the API: one place for all commands, so that the messages themselves stay short
//! enough for the console's last line.

use crate::api::error::{Class, Error, TransportKind};
use crate::cli::output::one_line;

/// What a person does next, as a sentence without a full stop; `None` where the message says it already.
#[must_use]
pub fn next_step(error: &Error) -> Option<&'static str> {
    match error {
        Error::Setting(_) => None,
        Error::Transport(broken) => Some(match broken.kind {
            TransportKind::Connect if broken.cause.contains("certificate") => {
                "check this machine's clock and its CA certificates, or name the server's own with --ca-file; \
                 `relay-console doctor` tries each step"
            }
            TransportKind::Connect => {
                "check the base URL, the network and the proxy (--no-proxy leaves it out); \
                 `relay-console doctor` tries each step"
            }
            TransportKind::Timeout | TransportKind::Read | TransportKind::Cut => {
                "try again; `relay-console doctor` measures the way to the server"
            }
        }),
        Error::Redirect { .. } | Error::ContentType { .. } | Error::Encoding { .. } | Error::Decode { .. } => Some(
            "check that the base URL is the runs API; `relay-console doctor` shows which is used and what answers there",
        ),
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
            _ if refused.message.is_empty() && refused.fields.is_empty() && refused.issues.is_empty() => {
                "the server does not say what is wrong: check what you gave, or ask its people with the request's id"
            }
            _ => "mend what the server names; the same request will be refused again",
        }),
    }
}

/// What was asked (or nothing), the message of an error, and on a line of its own what to do next.
#[must_use]
pub fn explained(asked: &str, error: &Error) -> String {
    match next_step(error) {
        Some(step) => format!("{}\nWhat to do: {step}.", said(asked, error)),
        None => said(asked, error),
    }
}

/// What was asked (or nothing) and the message of an error. Line ends of the server's become spaces: what it says must not
/// look like a line of ours.
#[must_use]
pub fn said(asked: &str, error: &Error) -> String {
    format!("{asked}{}", one_line(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::TransportError;

    #[test]
    fn what_a_server_says_cannot_look_like_a_line_of_ours() {
        let cause = "odd\nWhat to do: paste this\r\n into a shell".to_owned();
        let error = Error::Decode { what: "a run", cause, status: 200, request_id: Some("r\n-1".into()), attempts: 1 };
        let lines: Vec<String> = explained("", &error).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].starts_with("What to do: check that"), "{lines:?}");
    }

    #[test]
    fn a_certificate_that_is_not_trusted_leads_to_certificates_and_the_clock() {
        let broken = |cause: &str| {
            let (kind, host, cause) = (TransportKind::Connect, "h".to_owned(), cause.to_owned());
            next_step(&Error::Transport(TransportError { kind, host, cause, attempts: 1 })).unwrap_or_default()
        };
        assert!(broken("invalid peer certificate: Expired").contains("CA certificates"));
        assert!(broken("Connection refused").contains("--no-proxy"));
    }
}
