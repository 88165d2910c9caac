//! A client on a bare socket, which sees every byte of an answer and how it ended.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bench::{Bench, KEY, PATIENCE};

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The server closed the connection in order.
    Closed,
    /// The connection was reset.
    Reset,
    /// Nothing more came for as long as was waited.
    Silence,
}

/// An answer, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status line and the headers; empty where none came.
    pub(super) head: String,
    /// The body, out of its chunks.
    pub(super) body: Vec<u8>,
    /// How large its chunks were.
    pub(super) chunks: Vec<usize>,
    /// Whether the body came to its own end.
    pub(super) whole: bool,
    pub(super) end: End,
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.head.lines().filter_map(|line| line.split_once(": ")).find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The seqs of the events in it, in their order; what is no event is left out.
    pub(super) fn seqs(&self) -> Vec<u64> {
        let lines = self.body.split(|byte| *byte == b'\n');
        let values = lines.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
        values.filter_map(|value| value["seq"].as_u64()).collect()
    }

    fn read(bytes: &[u8], end: End) -> Self {
        let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Self { head: String::new(), body: bytes.to_vec(), chunks: Vec::new(), whole: false, end };
        };
        let (head, rest) = (String::from_utf8_lossy(&bytes[..at]).into_owned(), &bytes[at + 4..]);
        let mut answer = Self { head, body: Vec::new(), chunks: Vec::new(), whole: false, end };
        if answer.header("transfer-encoding") == Some("chunked") {
            (answer.body, answer.chunks, answer.whole) = dechunk(rest);
        } else {
            answer.body = rest.to_vec();
            answer.whole = answer.header("content-length") == Some(&rest.len().to_string());
        }
        answer
    }
}

fn dechunk(mut bytes: &[u8]) -> (Vec<u8>, Vec<usize>, bool) {
    let (mut body, mut chunks) = (Vec::new(), Vec::new());
    while let Some(at) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..at]).unwrap(), 16).unwrap();
        bytes = &bytes[at + 2..];
        if size == 0 {
            return (body, chunks, true);
        }
        chunks.push(size);
        let there = size.min(bytes.len());
        body.extend_from_slice(&bytes[..there]);
        bytes = &bytes[(size + 2).min(bytes.len())..];
    }
    (body, chunks, false)
}

/// Asks, and reads until the answer ends or `patience` is over.
pub(super) async fn ask(bench: &Bench, line: &str, headers: &[&str], body: &str, patience: Duration) -> Answer {
    let base = bench.simulator.base_url().strip_prefix("http://").unwrap();
    let (host, prefix) = base.split_once('/').unwrap();
    let (method, path) = line.split_once(' ').unwrap();
    let own = [
        format!("{method} /{prefix}/runs/{}{path} HTTP/1.1", bench.run_id),
        format!("host: {host}"),
        format!("{KEY}: {}", bench.simulator.api_key()),
        format!("content-length: {}", body.len()),
        "connection: close".to_owned(),
    ];
    let lines: Vec<&str> = own.iter().map(String::as_str).chain(headers.iter().copied()).collect();
    let request = format!("{}\r\n\r\n{body}", lines.join("\r\n"));
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = loop {
        match tokio::time::timeout(patience, stream.read_buf(&mut bytes)).await {
            Err(_) => break End::Silence,
            Ok(Ok(0)) => break End::Closed,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                break End::Reset;
            }
        }
    };
    Answer::read(&bytes, end)
}

/// Asks without a body, with the patience of a test.
pub(super) async fn get(bench: &Bench, path: &str) -> Answer {
    ask(bench, &format!("GET {path}"), &[], "", PATIENCE).await
}
