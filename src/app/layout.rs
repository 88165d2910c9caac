//! Where each region of the screen stands: pure geometry, used by the reducer for paging and by the view for drawing.
//!
//! ```text
//!  wide (100 columns and more)              stacked
//! ┌ first line ────────────────┐           ┌ first line ───────┐
//! │ nodes        │ detail      │           │ the pane that has │
//! │ cost         │             │           │ the focus         │
//! │ waiting for you            │           │ waiting for you   │
//! └ footer ────────────────────┘           └ footer ───────────┘
//! ```
//!
//! Answering opens over the lower part; the first line, which says what waits, stays.

use ratatui::layout::{Constraint, Layout as Split, Margin, Rect};

/// Columns from which the panes stand side by side.
pub const WIDE: u16 = 100;
/// The smallest window in which everything can be reached.
pub const MINIMUM: (u16, u16) = (60, 16);
/// Rows under which an answer takes the whole window.
const ANSWER_HALF: u16 = 30;

/// What the layout depends on beside the window's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape {
    /// Rows that the waiting pane would like to have.
    pub waiting_rows: usize,
    /// Rows that the cost pane would like to have.
    pub cost_rows: usize,
    /// Whether the panes are at an earlier event.
    pub past: bool,
    /// Whether an answer is open.
    pub answering: bool,
    /// Rows that a notice needs above the key hints.
    pub notice_rows: u16,
}

/// The regions. A region that is not shown is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    /// Whether the window is under [`MINIMUM`].
    pub too_small: bool,
    /// Whether the panes stand side by side.
    pub wide: bool,
    /// Run, status, link, money, waits.
    pub first_line: Rect,
    /// Which earlier event the panes are at; empty while they are at none.
    pub past: Rect,
    /// The nodes, with their border.
    pub nodes: Rect,
    /// The cost, with its border.
    pub cost: Rect,
    /// The detail, with its border.
    pub detail: Rect,
    /// The waiting calls, with their border.
    pub waiting: Rect,
    /// The arguments of the open answer, with their border.
    pub arguments: Rect,
    /// The editor of the open answer, with its border.
    pub editor: Rect,
    /// The state of the open draft.
    pub draft_state: Rect,
    /// Notices, and key hints in its last row. A notice takes its rows from the panes and covers none of theirs.
    pub footer: Rect,
}

impl Layout {
    /// The layout of a window of `columns` × `rows`.
    #[must_use]
    pub fn new((columns, rows): (u16, u16), shape: Shape) -> Self {
        let area = Rect::new(0, 0, columns, rows);
        let mut layout = Self { too_small: is_too_small((columns, rows)), wide: columns >= WIDE, ..Self::default() };
        let footer = Constraint::Length(1 + shape.notice_rows);
        let [first_line, body, footer] =
            Split::vertical([Constraint::Length(1), Constraint::Fill(1), footer]).areas(area);
        layout.first_line = first_line;
        let [past, body] = Split::vertical([Constraint::Length(shape.past.into()), Constraint::Fill(1)]).areas(body);
        layout.past = past;
        layout.footer = footer;
        let upper = if shape.answering { layout.place_answer(body) } else { layout.place_waiting(body, shape) };
        layout.place_panes(upper, shape);
        layout
    }

    /// The review, which stands where the answer stood, with its border.
    #[must_use]
    pub fn review(&self) -> Rect {
        self.arguments.union(self.editor).union(self.draft_state)
    }

    /// Rows of the review's text: inside its border, above the row that says which keys count.
    #[must_use]
    pub fn review_height(&self) -> usize {
        usize::from(self.review().height.saturating_sub(3))
    }

    /// Rows of the cost, under the row of its titles.
    #[must_use]
    pub fn cost_height(&self) -> usize {
        usize::from(inside(self.cost).height.saturating_sub(1))
    }

    fn place_waiting(&mut self, body: Rect, shape: Shape) -> Rect {
        if shape.waiting_rows == 0 {
            return body;
        }
        let wanted = u16::try_from(shape.waiting_rows).unwrap_or(u16::MAX).saturating_add(2);
        let height = wanted.clamp(3, (body.height / 3).max(3));
        let [upper, waiting] = Split::vertical([Constraint::Fill(1), Constraint::Length(height)]).areas(body);
        self.waiting = waiting;
        upper
    }

    fn place_answer(&mut self, body: Rect) -> Rect {
        let height = if body.height >= ANSWER_HALF { body.height / 2 } else { body.height };
        let [upper, answer] = Split::vertical([Constraint::Fill(1), Constraint::Length(height)]).areas(body);
        let [panes, state] = Split::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(answer);
        self.draft_state = state;
        [self.arguments, self.editor] = if self.wide {
            Split::horizontal([Constraint::Percentage(42), Constraint::Fill(1)]).areas(panes)
        } else {
            Split::vertical([Constraint::Percentage(45), Constraint::Fill(1)]).areas(panes)
        };
        upper
    }

    fn place_panes(&mut self, area: Rect, shape: Shape) {
        if self.wide {
            let [left, detail] = Split::horizontal([Constraint::Percentage(50), Constraint::Fill(1)]).areas(area);
            let wanted = u16::try_from(shape.cost_rows).unwrap_or(u16::MAX).saturating_add(3);
            let cost = wanted.clamp(4, (left.height * 2 / 5).max(4)).min(left.height);
            let [nodes, cost] = Split::vertical([Constraint::Fill(1), Constraint::Length(cost)]).areas(left);
            (self.nodes, self.cost, self.detail) = (nodes, cost, detail);
        } else {
            (self.nodes, self.cost, self.detail) = (area, area, area);
        }
    }
}

/// Whether a window is under [`MINIMUM`].
#[must_use]
pub fn is_too_small((columns, rows): (u16, u16)) -> bool {
    columns < MINIMUM.0 || rows < MINIMUM.1
}

/// The inside of a bordered region.
#[must_use]
pub fn inside(region: Rect) -> Rect {
    region.inner(Margin::new(1, 1))
}

/// The first row that is shown of `rows` in a window of `height`, so that `selected` is in sight.
#[must_use]
pub fn first_shown(selected: usize, rows: usize, height: usize) -> usize {
    let centred = selected.saturating_sub(height / 2);
    centred.min(rows.saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn regions(layout: &Layout) -> Vec<Rect> {
        let panes = if layout.wide { vec![layout.nodes, layout.cost, layout.detail] } else { vec![layout.nodes] };
        [
            layout.first_line,
            layout.past,
            layout.waiting,
            layout.arguments,
            layout.editor,
            layout.draft_state,
            layout.footer,
        ]
        .into_iter()
        .chain(panes)
        .filter(|region| !region.is_empty())
        .collect()
    }

    proptest! {
        #[test]
        fn regions_fill_the_window_and_never_overlap(
            columns in 1_u16..260, rows in 1_u16..90, waiting_rows in 0_usize..50, cost_rows in 0_usize..20, answering: bool,
            notice_rows in 0_u16..4, past: bool,
        ) {
            let layout = Layout::new((columns, rows), Shape { waiting_rows, cost_rows, past, answering, notice_rows });
            let regions = regions(&layout);
            let mut cells = 0_u32;
            for (i, region) in regions.iter().enumerate() {
                prop_assert!(region.right() <= columns && region.bottom() <= rows, "{region:?}");
                cells += region.area();
                for other in &regions[..i] {
                    prop_assert!(!region.intersects(*other), "{region:?} {other:?}");
                }
            }
            prop_assert_eq!(cells, u32::from(columns) * u32::from(rows));
        }

        #[test]
        fn the_selected_row_is_always_in_sight(selected in 0_usize..500, extra in 0_usize..500, height in 1_usize..60) {
            let rows = selected + 1 + extra;
            let first = first_shown(selected, rows, height);
            prop_assert!(first <= selected && selected < first + height);
        }
    }

    #[test]
    fn at_the_smallest_window_an_answer_has_room_for_its_arguments_and_its_text() {
        for (notice_rows, least) in [(0, 3), (3, 2)] {
            let layout = Layout::new(
                MINIMUM,
                Shape { waiting_rows: 2, cost_rows: 3, past: false, answering: true, notice_rows },
            );
            assert!(!layout.too_small);
            assert!(inside(layout.arguments).height >= least, "{layout:?}");
            assert!(inside(layout.editor).height >= least, "{layout:?}");
        }
    }
}
