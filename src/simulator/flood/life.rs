//! What happens in the life of a node, event by event.
//!
//! Owns the order: a start; steps in which a model streams a message, is billed and calls a tool; a last message; the
//! output; the end. A node that fails puts nothing out. Rule: what happens at a position, and how often something has
//! happened before it, are formulas of the life's length.

/// The events of a step that goes on: a message's start, its texts and its stop, the model's call, a tool's call and
/// its result.
const STEP: u64 = 20;

/// The texts of such a step.
const TEXTS: u64 = STEP - 5;

/// The fewest events of a last step with a whole message: start, text, stop, the model's call.
const LAST: u64 = 4;

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Started,
    MessageStarted {
        step: u64,
    },
    /// A text, by its number among all texts of the node.
    Text {
        step: u64,
        number: u64,
    },
    MessageStopped {
        step: u64,
    },
    LlmCall {
        step: u64,
        is_last: bool,
    },
    ToolCall {
        step: u64,
    },
    ToolResult {
        step: u64,
    },
    Output,
    Succeeded,
    Failed,
}

/// How often something has happened in a life so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) llm_calls: u64,
    pub(super) tool_calls: u64,
}

/// A life of so many events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    length: u64,
    fails: bool,
    /// Steps that call a tool, and the events of the one after them.
    steps: u64,
    last: u64,
}

impl Life {
    /// At least two events.
    pub(super) fn new(length: u64, fails: bool) -> Self {
        let mut life = Self { length, fails, steps: 0, last: 0 };
        let work = life.length.saturating_sub(2 + u64::from(life.puts_out()));
        life.steps = work.saturating_sub(LAST) / STEP;
        life.last = work - life.steps * STEP;
        life
    }

    /// Whether there is an output before the end.
    pub(super) fn puts_out(self) -> bool {
        !self.fails && self.length >= 4
    }

    pub(super) fn moment(self, position: u64) -> Moment {
        if position == 0 {
            return Moment::Started;
        }
        if position + 1 >= self.length {
            return if self.fails { Moment::Failed } else { Moment::Succeeded };
        }
        if self.puts_out() && position + 2 == self.length {
            return Moment::Output;
        }
        let (step, offset) = ((position - 1) / STEP, (position - 1) % STEP);
        if step < self.steps {
            return match offset {
                0 => Moment::MessageStarted { step },
                16 => Moment::MessageStopped { step },
                17 => Moment::LlmCall { step, is_last: false },
                18 => Moment::ToolCall { step },
                19 => Moment::ToolResult { step },
                offset => Moment::Text { step, number: step * TEXTS + offset - 1 },
            };
        }
        // The last step may be longer than one that goes on.
        let step = self.steps;
        let offset = position - 1 - step * STEP;
        let is_whole = self.last >= LAST;
        match offset {
            offset if offset + 1 == self.last => Moment::LlmCall { step, is_last: true },
            0 if is_whole => Moment::MessageStarted { step },
            offset if is_whole && offset + 2 == self.last => Moment::MessageStopped { step },
            offset => Moment::Text { step, number: step * TEXTS + offset - u64::from(is_whole) },
        }
    }

    /// Texts in all.
    pub(super) fn texts(self) -> u64 {
        let of_last = if self.last >= LAST { self.last - 3 } else { self.last.saturating_sub(1) };
        self.steps * TEXTS + of_last
    }

    /// The number of the first text of the last message.
    pub(super) fn last_message(self) -> u64 {
        self.steps * TEXTS
    }

    /// The number of its last step.
    pub(super) fn last_step(self) -> u64 {
        self.steps
    }

    /// What has happened in its first `events` events.
    pub(super) fn counts(self, events: u64) -> Counts {
        let work = events.saturating_sub(1).min(self.steps * STEP + self.last);
        let whole = (work / STEP).min(self.steps);
        let rest = work - whole * STEP;
        let goes_on = whole < self.steps;
        let called = if goes_on { rest > 17 } else { self.last > 0 && rest >= self.last };
        Counts { llm_calls: whole + u64::from(called), tool_calls: whole + u64::from(goes_on && rest > 18) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_of_any_length_starts_and_ends_once_and_counts_what_happens() {
        for (length, fails) in (2..200).flat_map(|length| [(length, false), (length, true)]) {
            let life = Life::new(length, fails);
            let moments: Vec<Moment> = (0..length).map(|position| life.moment(position)).collect();
            let count = |wanted: fn(&Moment) -> bool, events: u64| {
                moments.iter().take(usize::try_from(events).unwrap()).filter(|moment| wanted(moment)).count() as u64
            };
            let is_end = |moment: &Moment| matches!(moment, Moment::Succeeded | Moment::Failed);
            assert_eq!((moments[0], count(|moment| *moment == Moment::Started, length)), (Moment::Started, 1));
            assert_eq!((is_end(moments.last().unwrap()), count(is_end, length)), (true, 1), "length {length}");
            for events in 0..=length {
                let expected = Counts {
                    llm_calls: count(|moment| matches!(moment, Moment::LlmCall { .. }), events),
                    tool_calls: count(|moment| matches!(moment, Moment::ToolCall { .. }), events),
                };
                assert_eq!(life.counts(events), expected, "{events} events of {length}, fails: {fails}");
            }
            let numbers: Vec<u64> = moments
                .iter()
                .filter_map(|moment| if let Moment::Text { number, .. } = moment { Some(*number) } else { None })
                .collect();
            assert_eq!(numbers, (0..life.texts()).collect::<Vec<_>>(), "length {length}");
        }
    }

    #[test]
    fn a_message_stops_before_the_next_one_starts_and_a_call_has_its_result() {
        for length in 7..200 {
            let life = Life::new(length, false);
            let mut open = None;
            for moment in (0..length).map(|position| life.moment(position)) {
                match moment {
                    Moment::MessageStarted { step } => assert_eq!(open.replace(step), None),
                    Moment::Text { step, .. } => assert_eq!(open, Some(step)),
                    Moment::MessageStopped { step } => assert_eq!(open.take(), Some(step)),
                    _ => assert_eq!(open, None, "length {length}"),
                }
            }
        }
    }
}
