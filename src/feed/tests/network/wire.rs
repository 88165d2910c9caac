//! One answer: the log's lines as the adversary lets them through.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};

use super::super::{Break, Ev, Garbled, Keepalive, Last, RUN, item};
use super::plan::{End, Kind, Odd, Wire};
use super::world::{Shared, World};
use crate::api::client::{EventsQuery, StreamItem};
use crate::api::error::StreamError;
use crate::api::event::{Decoded, decode};

type Item = Result<StreamItem, StreamError>;
pub(super) type Lines = Pin<Box<dyn Stream<Item = Item> + Send>>;

/// What is queued to be sent.
#[derive(Clone, Copy)]
enum Sent {
    Place(u64),
    Odd(Odd),
}

/// An answer that is being read.
pub(super) struct Answering {
    server: Shared,
    query: EventsQuery,
    wire: Wire,
    /// The last place that was looked at.
    cursor: u64,
    queue: VecDeque<Sent>,
    sent: u64,
    /// Whether the connection stands, on the server's side.
    stands: bool,
}

impl Answering {
    pub(super) fn open(server: Shared, query: EventsQuery, wire: Wire) -> Lines {
        let back = if wire.back == 255 { u64::MAX } else { u64::from(wire.back) };
        let cursor = query.after_seq.saturating_sub(back);
        let mut answering = Self { server, query, wire, cursor, queue: VecDeque::new(), sent: 0, stands: false };
        answering.stand(true);
        let lines = stream::unfold(answering, |mut answering| async move {
            let item = answering.next().await;
            item.map(|item| (item, answering))
        });
        Box::pin(lines.fuse())
    }

    /// Only the main streams count: a probe is no connection that anyone relies on.
    fn is_probe(&self) -> bool {
        self.query.limit > 0
    }

    fn stand(&mut self, stands: bool) {
        if self.stands != stands && !self.is_probe() {
            self.server.look(|world| if stands { world.open += 1 } else { world.open -= 1 });
        }
        self.stands = stands;
    }

    async fn next(&mut self) -> Option<Item> {
        loop {
            if let Some((_, end)) = self.wire.end.filter(|(behind, _)| u64::from(*behind) <= self.sent) {
                match end {
                    End::Stall => std::future::pending::<()>().await,
                    // A server that for ever denies what it has said has begun anew.
                    End::Close if self.is_probe() && !self.server.look(World::deny) => self.wire.end = None,
                    End::Close => {
                        self.stand(false);
                        return None;
                    }
                    End::Break => {
                        self.wire.end = Some((0, End::Close));
                        self.stand(false);
                        return item(&Break);
                    }
                }
            }
            if let Some(item) = self.queued().await {
                return Some(item);
            }
            if !self.fill() {
                if let Some(pause) = self.pause() {
                    tokio::time::sleep(pause).await;
                    if self.wire.keepalive > 0 && !self.fill() {
                        return self.line(Sent::Odd(Odd::Keepalive));
                    }
                } else {
                    self.stand(false);
                    return None;
                }
            }
        }
    }

    /// The next queued line; a pause is none.
    async fn queued(&mut self) -> Option<Item> {
        while let Some(sent) = self.queue.pop_front() {
            if let Sent::Odd(Odd::Pause(seconds)) = sent {
                tokio::time::sleep(Duration::from_secs(u64::from(seconds))).await;
                continue;
            }
            if let Some(item) = self.line(sent) {
                return Some(item);
            }
        }
        None
    }

    /// How long to wait for more; `None` where there is no more to wait for.
    fn pause(&self) -> Option<Duration> {
        let now = self.server.start.elapsed();
        let places = self.server.look(|world| world.log.len() as u64);
        let waits = self.query.wait != self.wire.misread_wait;
        if !waits || (self.cursor >= places && !self.wire.misread_wait) {
            return None;
        }
        let due = self.server.look(|world| world.place(self.cursor + 1).map(|(_, at)| at.saturating_sub(now)));
        let due = due.unwrap_or(Duration::from_secs(3600)).max(Duration::from_millis(1));
        Some(if self.wire.keepalive > 0 { due.min(Duration::from_secs(u64::from(self.wire.keepalive))) } else { due })
    }

    /// Queues what is written and was not sent, with what the adversary adds; false where there is nothing.
    fn fill(&mut self) -> bool {
        let now = self.server.start.elapsed();
        let room = if self.is_probe() && !self.wire.misread_limit {
            u64::from(self.query.limit).saturating_sub(self.sent)
        } else {
            u64::MAX
        };
        let window = u64::from(self.wire.window).max(1).min(room);
        let mut places: Vec<u64> = Vec::new();
        let (cursor, skips) = (&mut self.cursor, &self.wire.skips);
        let exhausted = self.server.look(|world| {
            while (places.len() as u64) < window {
                let Some((kind, at)) = world.place(*cursor + 1) else { break };
                if at > now {
                    break;
                }
                *cursor += 1;
                let skipped = skips.iter().any(|skip| u64::from(*skip) + 1 == *cursor);
                if kind == Kind::Never || (skipped && world.withhold(*cursor)) {
                    continue;
                }
                places.push(*cursor);
            }
            places.is_empty()
        });
        if exhausted {
            return false;
        }
        if self.wire.window > 1 {
            let highest = places.last().copied().unwrap_or_default();
            let late = |world: &mut World| places.iter().filter(|seq| **seq < highest).all(|seq| world.withhold(*seq));
            if self.server.look(late) {
                places.reverse();
            }
        }
        for seq in places {
            let at = self.sent + self.queue.len() as u64;
            self.queue.push_back(Sent::Place(seq));
            let odd = self.wire.odd.iter().filter(|(behind, _)| u64::from(*behind) == at);
            self.queue.extend(odd.map(|(_, odd)| match odd {
                Odd::Again => Sent::Place(seq),
                odd => Sent::Odd(*odd),
            }));
        }
        true
    }

    /// The line as the client gives it; what a main stream brings is counted.
    fn line(&mut self, sent: Sent) -> Option<Item> {
        self.sent += 1;
        let now = self.server.start.elapsed();
        let probe = self.is_probe();
        self.server.look(|world| {
            world.sign_at = now;
            if !matches!(sent, Sent::Odd(Odd::Keepalive)) {
                world.said_at = now;
            }
            world.made += 1;
            let made = world.made;
            let mut rejects = |text: String| {
                if !probe {
                    let known =
                        if matches!(sent, Sent::Odd(Odd::WildEvent)) { &mut world.wild } else { &mut world.rejected };
                    known.push(text.clone());
                }
                Some(match decode(text.as_bytes()) {
                    Ok(Decoded::Event(event)) => Ok(StreamItem::Event { event, line: Bytes::from(text) }),
                    Ok(other) => panic!("{other:?}"),
                    Err(error) => Err(StreamError::Protocol(error)),
                })
            };
            match sent {
                Sent::Place(seq) => {
                    if !probe {
                        world.lines.push(seq);
                    }
                    let kind = world.place(seq).unwrap().0;
                    if kind == Kind::Unreadable {
                        let garbled = item(&Garbled(seq));
                        if let Some(Err(StreamError::Protocol(error))) = &garbled
                            && !probe
                        {
                            let text = String::from_utf8_lossy(&error.line).into_owned();
                            if !world.rejected.contains(&text) {
                                world.rejected.push(text);
                            }
                        }
                        return garbled;
                    }
                    let last = world.log.len() as u64 == seq;
                    item(&if last { Last(seq) } else { Ev(seq) })
                }
                Sent::Odd(Odd::Garbage) => rejects(format!("garbage {made}")),
                Sent::Odd(Odd::Foreign) => rejects(event("550e8400-e29b-41d4-a716-446655440009", made)),
                Sent::Odd(Odd::WildClaim) => rejects(format!(r#"{{"seq":{},"type":"x"}}"#, WILD + made * FAR)),
                Sent::Odd(Odd::WildEvent) => rejects(event(RUN, 2 * WILD + made * FAR)),
                Sent::Odd(Odd::Keepalive | Odd::Again | Odd::Pause(_)) => item(&Keepalive),
            }
        })
    }
}

/// Seqs that no log reaches, each far from every other.
const WILD: u64 = 1_000_000_000_000;
const FAR: u64 = 10_000_000;

fn event(run: &str, seq: u64) -> String {
    format!(
        r#"{{"envelope_version":"v2","run_id":"{run}","seq":{seq},"ts":"2026-01-01T00:00:00Z","type":"node_started","node_id":"n"}}"#
    )
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.stand(false);
    }
}
