//! An HTTP server on a bare socket that answers byte for byte as a test scripts it, misbehaviour included.
//!
//! Each connection carries one request. Nothing here sleeps to wait for anything: tests wait for what was received.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The longest wait for a named condition.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request as it was received.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method and target, such as `GET /api/runs/1?wait=false`.
    pub(crate) line: String,
    /// Headers, names in lowercase.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What to do with a connection, in order; at the end it is closed.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Send(Vec<u8>),
    /// Send each byte by itself, so that every chunk is one byte.
    Trickle(Vec<u8>),
    /// Keep the connection open until the client closes it.
    Hold,
    /// Break the connection instead of closing it.
    Reset,
}

/// What was received so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) requests: Vec<Request>,
    /// Connections that the client closed while they were held.
    pub(crate) hung_up: usize,
}

type Script = dyn Fn(&Request, usize) -> Vec<Act> + Send + Sync;

pub(crate) struct RawServer {
    pub(crate) address: String,
    seen: watch::Receiver<Seen>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl RawServer {
    /// Listens on a free port; `script` answers each request, given how many came before it.
    pub(crate) async fn start(script: impl Fn(&Request, usize) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (tx, seen) = watch::channel(Seen::default());
        let script: Arc<Script> = Arc::new(script);
        let tx = Arc::new(tx);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&tx)));
            }
        });
        Self { address, seen, accepting }
    }

    /// Answers the requests one after the other as listed, and the last answer from then on.
    pub(crate) async fn answering(answers: Vec<Vec<Act>>) -> Self {
        Self::start(move |_, before| answers[before.min(answers.len() - 1)].clone()).await
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/api/v1", self.address)
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits until what was received fulfils `condition`.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Seen) -> bool) {
        let mut seen = self.seen.clone();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| condition(seen))).await;
        assert!(matches!(waited, Ok(Ok(_))), "it never came to this: {what}; seen: {:?}", self.seen());
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, seen: Arc<watch::Sender<Seen>>) {
    let Some(request) = read_request(&mut stream).await else { return };
    let mut before = 0;
    seen.send_modify(|seen| {
        before = seen.requests.len();
        seen.requests.push(request.clone());
    });
    stream.set_nodelay(true).unwrap();
    for act in script(&request, before) {
        let sent = match act {
            Act::Send(bytes) => stream.write_all(&bytes).await,
            Act::Trickle(bytes) => trickle(&mut stream, &bytes).await,
            Act::Hold => {
                // Ends when the client closes its side, by an end or an error.
                while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
                seen.send_modify(|seen| seen.hung_up += 1);
                return;
            }
            Act::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

async fn trickle(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head_end + 4..].to_vec()).unwrap();
    Some(Request { line, headers, body })
}

/// A whole answer with the given extra header lines.
pub(crate) fn answer(status: u16, headers: &[&str], body: &str) -> Vec<Act> {
    let own = [format!("content-length: {}", body.len()), "connection: close".to_owned()];
    let headers: Vec<&str> = headers.iter().copied().chain(own.iter().map(String::as_str)).collect();
    vec![Act::Send(format!("HTTP/1.1 {status} X\r\n{}\r\n\r\n{body}", headers.join("\r\n")).into_bytes())]
}

pub(crate) fn json(body: &str) -> Vec<Act> {
    answer(200, &["content-type: application/json"], body)
}

/// The head of an event stream whose end is the connection's end.
pub(crate) fn stream_head() -> Act {
    Act::Send(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nx-modelrelay-request-id: server-1\r\nconnection: close\r\n\r\n"
            .to_vec(),
    )
}

/// The head of an event stream in chunks, as [`chunk`] makes them.
pub(crate) fn chunked_head() -> Act {
    Act::Send(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_vec(),
    )
}

pub(crate) fn chunk(data: &[u8]) -> Act {
    let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\r\n");
    Act::Send(bytes)
}
