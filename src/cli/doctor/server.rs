//! The server: its name, a connection, and what it says to the question for a run that does not exist.
//!
//! The rule that must stay true: credentials go to a base URL that is settled, or nowhere; where there are none, a
//! stand-in that is no secret asks in their place, and what the server says to it only shows that it is there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::net::{TcpStream, lookup_host};

use super::configuration::settled_base_url;
use super::report::Finding;
use crate::api::client::{BaseUrl, Client, ClientConfig, Credentials, Probe};
use crate::api::error::{Error, TransportKind};
use crate::api::ids::RunId;
use crate::cli::exit::Exit;
use crate::cli::failure::next_step;
use crate::cli::remote::exit_of;
use crate::settings::{Flags, Survey};

/// The longest wait for a name or a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest wait for an answer: a person waits for it.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);

/// What is shown to a server where there are no credentials.
const STAND_IN: &str = "relay-console-doctor-has-no-credentials";

/// Clocks that differ by more are worth a word: certificates and tokens have times in them.
const CLOCK_TOLERANCE_SECONDS: i64 = 30;

/// What was found of the server, and of its clock.
pub(super) struct Found {
    pub(super) server: Vec<Finding>,
    pub(super) clock: Vec<Finding>,
}

impl Found {
    /// Where it is not known which server is meant, and as whom.
    pub(super) fn not_looked_at() -> Self {
        let skipped = |item| Finding::note(item, "not looked at: it is not known which server is meant");
        Self { server: vec![skipped("answer").advise("mend the settings first")], clock: vec![skipped("difference")] }
    }
}

/// Looks at the server that the settings name.
pub(super) async fn look(survey: &Survey, flags: &Flags) -> Found {
    let Some(base_url) = settled_base_url(survey) else { return Found::not_looked_at() };
    let mut server = Vec::new();
    let proxied = !flags.no_proxy && base_url.system_proxy().is_some();
    if proxied {
        server.push(Finding::note("name", "left to the proxy"));
    } else if let Err(finding) = connect(base_url, &mut server).await {
        server.push(finding);
        let clock = vec![Finding::note("difference", "not known: the server cannot be reached")];
        return Found { server, clock };
    }
    let credentials = survey.credentials.as_ref().and_then(|credentials| credentials.as_ref().ok());
    let config = ClientConfig {
        customer_id: survey.customer_id.as_ref().and_then(|id| Some(id.as_ref().ok()?.as_ref()?.value.clone())),
        use_proxy: !flags.no_proxy,
        roots: survey.roots.clone().unwrap_or_default(),
        connect_timeout: PATIENCE,
        request_timeout: ANSWER_PATIENCE,
        ..ClientConfig::new(
            base_url.clone(),
            credentials.map_or_else(|| Credentials::Token(STAND_IN.into()), |credentials| credentials.value.clone()),
        )
    };
    let probe = match Client::new(config) {
        Ok(client) => client.probe(&RunId::random()).await,
        Err(error) => {
            server.push(Finding::problem("client", exit_of(error.class()), error.to_string()));
            return Found { server, clock: vec![Finding::note("difference", "not known")] };
        }
    };
    server.push(judge(&probe, credentials.is_some(), proxied));
    if !matches!(probe.outcome, Err(Error::Transport(_))) {
        server.push(round_trip(&probe));
        server.push(match &probe.request_id {
            Some(id) => Finding::fine("request id", id).fact("request_id", id.as_str()),
            None => Finding::note("request id", "the server gives none; ask its people with the time instead"),
        });
    }
    Found { server, clock: vec![clock(probe.date, probe.answered_at)] }
}

/// Finds the addresses and makes a connection to one. Without either there is no answer to wait for.
async fn connect(base_url: &BaseUrl, server: &mut Vec<Finding>) -> Result<(), Finding> {
    let (host, port) = base_url.address();
    let unknown = |why: String| {
        Finding::problem("name", Exit::Unreachable, format!("{host} has no address that this machine can find: {why}"))
            .advise("check the spelling of the base URL, the network, and whether a VPN is needed")
    };
    let addresses: Vec<SocketAddr> = match tokio::time::timeout(PATIENCE, lookup_host((host.as_str(), port))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(unknown(error.to_string())),
        Err(_) => return Err(unknown(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    let named: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let text =
        if named.contains(&host) { format!("{host}, an address") } else { format!("{host} is {}", named.join(", ")) };
    server.push(Finding::fine("name", text).fact("addresses", named));
    let begun = Instant::now();
    let outcome = tokio::time::timeout(PATIENCE, TcpStream::connect(addresses.as_slice())).await;
    let why = match outcome {
        Ok(Ok(connection)) => {
            let to = connection.peer_addr().map_or_else(|_| format!("port {port}"), |address| address.to_string());
            server.push(Finding::fine("connection", format!("to {to} in {}", milliseconds(begun.elapsed()))));
            return Ok(());
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("nobody answered within {} s", PATIENCE.as_secs()),
    };
    let refused = format!("cannot connect to {host} port {port}: {why}");
    Err(Finding::problem("connection", Exit::Unreachable, refused)
        .advise("check host and port, whether the server runs, and whether a firewall or a missing proxy is between"))
}

/// What an answer, or none, means; `proxied` where a proxy may stand between.
fn judge(probe: &Probe, authorised: bool, proxied: bool) -> Finding {
    let error = match &probe.outcome {
        Ok(()) => {
            let text = "the server has found a run that cannot exist; it is not the API, or a cache is between";
            return Finding::problem("answer", Exit::Protocol, text)
                .advise("check that the base URL is the API's, with its path (/api/v1)");
        }
        Err(error) => error,
    };
    let is_json = probe.content_type.as_deref().is_some_and(|media_type| media_type.ends_with("json"));
    match error.status() {
        Some(404) if !is_json => {
            let got = probe.content_type.as_deref().unwrap_or("no content type");
            let text = format!("404, but not as the API says it ({got}, not application/json)");
            Finding::problem("answer", Exit::Protocol, text)
                .advise("check that the base URL is the API's, with its path (/api/v1)")
        }
        Some(404) if authorised => {
            Finding::fine("answer", "404 to a run that does not exist: reachable and authorised")
        }
        Some(404) => Finding::fine("answer", "404 to a run that does not exist: reachable; it asks for no credentials"),
        Some(status @ (401 | 403)) if !authorised => {
            Finding::fine("answer", format!("{status}: reachable; whether credentials are taken is not known yet"))
        }
        _ => {
            let finding = Finding::problem("answer", exit_of(error.class()), error.to_string());
            match advice(error, proxied) {
                Some(advice) => finding.advise(advice),
                None => finding,
            }
        }
    }
    .fact("status", error.status())
}

/// What to do about an error. Never to run this command: it runs.
fn advice(error: &Error, proxied: bool) -> Option<String> {
    let words = match error {
        Error::Status(refused) if refused.status == 401 => {
            "the key or token above is wrong, old or of another server: make or copy a new one"
        }
        Error::Status(refused) if refused.status == 403 => {
            "the key or token above is known and may not read runs: ask for the right"
        }
        Error::Transport(broken) => match broken.kind {
            TransportKind::Connect if broken.cause.contains("certificate") => {
                "the server's certificate is not trusted: check the clock, the system's CA certificates (a company's \
                 proxy may need its own: --ca-file FILE), and the host's name"
            }
            TransportKind::Connect if proxied => {
                "check that the proxy above is right and runs, or go without it: --no-proxy, or NO_PROXY with the host"
            }
            // The connection itself was made: what failed is what comes after it.
            TransportKind::Connect => {
                "the connection is made, but not the encryption: check that the port speaks https, and the proxy"
            }
            TransportKind::Timeout | TransportKind::Read | TransportKind::Cut => {
                "something listens there and does not answer as a web server does: check port and scheme of the base \
                 URL, and try again; if it stays, the server is overloaded or not the API"
            }
        },
        Error::Redirect { .. } | Error::ContentType { .. } | Error::Encoding { .. } | Error::Decode { .. } => {
            "check that the base URL is the API's, with its path (/api/v1)"
        }
        Error::Setting(_) | Error::Status(_) => return next_step(error).map(ToOwned::to_owned),
    };
    Some(words.to_owned())
}

fn round_trip(probe: &Probe) -> Finding {
    let took = probe.round_trip;
    let text = format!("{}, the making of a connection included", milliseconds(took));
    let finding = if took > Duration::from_secs(2) {
        Finding::note("round trip", text).advise("slow: the console works, but keys that ask the server take as long")
    } else {
        Finding::fine("round trip", text)
    };
    finding.fact("round_trip_ms", u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}

/// Our clock held against the server's, which counts whole seconds.
fn clock(server: Option<Timestamp>, ours: Timestamp) -> Finding {
    let Some(server) = server else {
        return Finding::note("difference", "not known: the server does not say what time it is");
    };
    let ahead = ours.duration_since(server).as_secs();
    let direction = if ahead < 0 { "behind" } else { "ahead of" };
    let text = format!("this machine is {} s {direction} the server", ahead.abs());
    let finding = if ahead.abs() > CLOCK_TOLERANCE_SECONDS {
        Finding::note("difference", text).advise(
            "set this machine's clock (NTP); ages in the console are corrected, certificates and tokens are not",
        )
    } else {
        Finding::fine("difference", text)
    };
    finding.fact("ahead_seconds", ahead)
}

fn milliseconds(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

#[cfg(test)]
mod tests {
    use super::super::report::State;
    use super::*;

    #[test]
    fn a_clock_that_is_more_than_30_seconds_off_is_worth_a_word() {
        let ours: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let held = |server: &str| clock(Some(server.parse().unwrap()), ours);
        assert_eq!(held("2026-01-01T00:00:30Z").state, State::Fine);
        assert_eq!(held("2026-01-01T00:01:30Z").state, State::Fine);
        assert_eq!(held("2026-01-01T00:00:29Z").text, "this machine is 31 s ahead of the server");
        assert_eq!(held("2026-01-01T00:00:29Z").state, State::Note);
        let behind = held("2026-01-01T01:01:00Z");
        assert_eq!((behind.state, &behind.facts["ahead_seconds"]), (State::Note, &(-3600).into()));
        assert_eq!(clock(None, ours).state, State::Note);
    }
}
