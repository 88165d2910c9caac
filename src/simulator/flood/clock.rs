//! When an event of a flood happens.
//!
//! Rule: an event's time follows from its seq, and writing it costs a few divisions: the dates are made beforehand.

use std::time::Duration;

use jiff::Timestamp;

/// Events a second by the times that they carry, where they have all happened already.
const PAST_RATE: u64 = 1000;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// The times of a flood's events.
#[derive(Debug)]
pub(super) struct Clock {
    /// Milliseconds since the epoch.
    start: i64,
    rate: u64,
    /// The dates from the first event's to the last one's.
    dates: Vec<String>,
}

impl Clock {
    /// So many events, so many of them a second; 0 where they have all happened already.
    pub(super) fn new(start: Timestamp, events: u64, rate: u64) -> Self {
        let rate = if rate == 0 { PAST_RATE } else { rate };
        let mut clock = Self { start: start.as_millisecond(), rate, dates: Vec::new() };
        let (first, last) = (clock.millisecond(1).div_euclid(DAY), clock.millisecond(events).div_euclid(DAY));
        let date = |day: i64| {
            let time = Timestamp::from_millisecond(day * DAY).unwrap_or(Timestamp::MAX);
            time.strftime("%Y-%m-%d").to_string()
        };
        clock.dates = (first..=last).map(date).collect();
        clock
    }

    /// How long after the first event it is.
    pub(super) fn elapsed(&self, seq: u64) -> Duration {
        Duration::from_millis(seq.saturating_sub(1) * 1000 / self.rate)
    }

    /// The time of an event.
    pub(super) fn timestamp(&self, seq: u64) -> Timestamp {
        Timestamp::from_millisecond(self.millisecond(seq)).unwrap_or(Timestamp::MAX)
    }

    fn millisecond(&self, seq: u64) -> i64 {
        self.start.saturating_add_unsigned(seq.saturating_sub(1) * 1000 / self.rate)
    }

    /// Writes the time of an event as RFC 3339.
    pub(super) fn write(&self, seq: u64, buffer: &mut Vec<u8>) {
        let time = self.millisecond(seq);
        let day = time.div_euclid(DAY) - self.start.div_euclid(DAY);
        let date = usize::try_from(day).ok().and_then(|day| self.dates.get(day)).map_or("", String::as_str);
        buffer.extend_from_slice(date.as_bytes());
        let milliseconds = time.rem_euclid(DAY);
        let (seconds, minutes, hours) = (milliseconds / 1000, milliseconds / 60_000, milliseconds / 3_600_000);
        buffer.push(b'T');
        two(hours, buffer);
        buffer.push(b':');
        two(minutes % 60, buffer);
        buffer.push(b':');
        two(seconds % 60, buffer);
        buffer.push(b'.');
        buffer.push(digit(milliseconds / 100 % 10));
        two(milliseconds % 100, buffer);
        buffer.push(b'Z');
    }
}

/// Two digits of a number below 100.
fn two(number: i64, buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(&[digit(number / 10), digit(number % 10)]);
}

fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_it_is_also_when_days_go_by() {
        let start: Timestamp = "2026-02-28T23:59:58.987Z".parse().unwrap();
        let clock = Clock::new(start, 200_000, 1);
        for seq in [1, 2, 3, 4, 60, 86_400, 86_404, 200_000] {
            let mut text = Vec::new();
            clock.write(seq, &mut text);
            let text = String::from_utf8(text).unwrap();
            assert_eq!(text.parse::<Timestamp>().unwrap(), clock.timestamp(seq), "{text}");
            assert_eq!(clock.timestamp(seq), start.checked_add(clock.elapsed(seq)).unwrap());
            assert_eq!(text.len(), "2026-02-28T23:59:58.987Z".len());
        }
    }
}
