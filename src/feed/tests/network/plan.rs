//! What a case is made of. Everything here is data, so that a failing case can be shrunk, printed and played again.

use proptest::collection::vec;
use proptest::prelude::*;

/// A whole case.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The places of the log behind one another; the run's last event is the last.
    pub(super) log: Vec<Place>,
    /// What becomes of each request for events, in the order of asking; the server is perfect behind them.
    pub(super) streams: Vec<Answer>,
    /// What becomes of each request for the snapshot.
    pub(super) snapshots: Vec<Glance>,
    /// What the operator does, and after how many seconds.
    pub(super) acts: Vec<(u16, Act)>,
    /// The channel's room, in updates.
    pub(super) room: usize,
    /// The idle timeout in seconds.
    pub(super) idle: u64,
}

/// One place of the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    /// How long after the place before it it is written, in tenths of a second.
    pub(super) after: u16,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Event,
    /// A line that cannot be read, with its seq.
    Unreadable,
    /// The server never gives it out.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Act {
    Reconnect,
    Probe,
}

/// What becomes of a request for events.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// An error: its status, and `Retry-After` in seconds.
    Status(u16, Option<u32>),
    /// No connection.
    Unreachable,
    /// Another content type.
    Html,
    Stream(Box<Wire>),
}

/// How an answer's lines go through.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Wire {
    /// So many seconds pass before the answer begins.
    pub(super) slow: u8,
    /// It begins so many places too early; 255 for the log's beginning.
    pub(super) back: u8,
    /// Places (by their number modulo the log's length) that are left out of this answer.
    pub(super) skips: Vec<u8>,
    /// So many lines that are there together are turned round.
    pub(super) window: u8,
    /// Behind so many lines comes something odd.
    pub(super) odd: Vec<(u8, Odd)>,
    /// What happens behind so many lines, where anything does.
    pub(super) end: Option<(u8, End)>,
    /// Whether `wait` is misread: an answer that is to end stays open, one that is to wait ends.
    pub(super) misread_wait: bool,
    pub(super) misread_limit: bool,
    /// Keepalives every so many seconds while there is nothing to say; 0 for none.
    pub(super) keepalive: u8,
}

/// A line that is no event of the run's log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Odd {
    Keepalive,
    /// The line before it once more.
    Again,
    Garbage,
    /// An event of another run.
    Foreign,
    /// An unreadable line that claims a wild seq.
    WildClaim,
    /// An event with a seq far beyond every other.
    WildEvent,
    /// A pause of so many seconds.
    Pause(u8),
}

/// How an answer is cut short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    /// With an error.
    Break,
    /// As if all had been said.
    Close,
    /// Nothing more comes, and it stays open.
    Stall,
}

/// What becomes of a request for the snapshot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Glance {
    True,
    Status(u16),
    /// The status of a run that has not ended, or that has.
    Behind,
    Ahead,
    Never,
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    let place = (
        prop_oneof![12 => Just(Kind::Event), 1 => Just(Kind::Unreadable), 1 => Just(Kind::Never)],
        prop_oneof![
            4 => Just(0_u16),
            3 => 0..20_u16,
            1 => 0..400_u16
        ],
    )
        .prop_map(|(kind, after)| Place { kind, after });
    let glance = prop_oneof![
        4 => Just(Glance::True),
        1 => prop::sample::select(vec![408_u16, 429, 500, 502, 503, 401]).prop_map(Glance::Status),
        1 => Just(Glance::Behind),
        1 => Just(Glance::Ahead),
        1 => Just(Glance::Never),
    ];
    let acts = vec((0..300_u16, prop_oneof![Just(Act::Reconnect), Just(Act::Probe)]), 0..4);
    let room = prop_oneof![Just(1_usize), Just(4), Just(64)];
    (vec(place, 0..24), vec(answer(), 0..10), vec(glance, 0..8), acts, room, 2..20_u64).prop_map(
        |(mut log, streams, snapshots, acts, room, idle)| {
            log.push(Place { kind: Kind::Event, after: 1 });
            Case { log, streams, snapshots, acts, room, idle }
        },
    )
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        1 => (prop::sample::select(vec![408_u16, 429, 500, 502, 503]), prop::option::of(0..90_u32))
            .prop_map(|(status, retry_after)| Answer::Status(status, retry_after)),
        1 => prop::sample::select(vec![401_u16, 403]).prop_map(|status| Answer::Status(status, None)),
        1 => Just(Answer::Unreachable),
        1 => Just(Answer::Html),
        9 => wire().prop_map(|wire| Answer::Stream(Box::new(wire))),
    ]
}

fn wire() -> impl Strategy<Value = Wire> {
    let odd = prop_oneof![
        2 => Just(Odd::Keepalive),
        2 => Just(Odd::Again),
        1 => Just(Odd::Garbage),
        1 => Just(Odd::Foreign),
        1 => Just(Odd::WildClaim),
        1 => Just(Odd::WildEvent),
        2 => (0..40_u8).prop_map(Odd::Pause),
    ];
    let end = prop_oneof![2 => Just(End::Break), 1 => Just(End::Close), 2 => Just(End::Stall)];
    (
        prop_oneof![5 => Just(0_u8), 1 => 0..30_u8],
        prop_oneof![4 => Just(0_u8), 2 => 0..6_u8, 1 => Just(255_u8)],
        vec(0..24_u8, 0..3),
        prop_oneof![3 => Just(0_u8), 1 => 2..6_u8],
        vec((0..12_u8, odd), 0..4),
        prop::option::of((0..12_u8, end)),
        prop::bool::weighted(0.15),
        any::<bool>(),
        prop_oneof![2 => Just(0_u8), 1 => 1..20_u8],
    )
        .prop_map(|(slow, back, skips, window, odd, end, misread_wait, misread_limit, keepalive)| Wire {
            slow,
            back,
            skips,
            window,
            odd,
            end,
            misread_wait,
            misread_limit,
            keepalive,
        })
}
