//! Tables for people.
//!
//! Rules: every cell is made inert and stands on one line; columns are as wide as their widest cell; on a terminal a row
//! that is too long loses the end of its last column, then of its widest ones, and says so with an ellipsis; elsewhere
//! nothing is cut.

use crate::cli::exit::Failure;
use crate::cli::output;
use crate::cli::output::{PLAIN, one_line};
use crate::view::text;

/// Columns between two columns.
const GAP: usize = 2;

/// The least that is left of a column in a narrow terminal, and in one where that is too much.
const LEAST: [usize; 2] = [8, 3];

/// The widest that a column is made for the sake of its widest cell, which then sticks out: one endless name must not
/// fill every other row with spaces.
const WIDEST: usize = 120;

/// How the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Figures.
    Right,
}

/// Rows of cells under a header.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// One row more; what is foreign in it is made inert here.
    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| text::plain(&one_line(cell), PLAIN)).collect());
    }

    /// Whether it has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines, at most `width` columns each where one is given.
    #[must_use]
    pub fn render(&self, width: Option<usize>) -> String {
        let header: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let lines = || std::iter::once(&header).chain(&self.rows);
        let widths: Vec<usize> = (0..header.len())
            .map(|column| lines().filter_map(|row| row.get(column)).map(|cell| text::width(cell, PLAIN)).max())
            .map(Option::unwrap_or_default)
            .collect();
        let rooms = width.map(|width| self.rooms(&widths, width));
        let mut rendered = String::new();
        for row in lines() {
            rendered.push_str(self.line(row, &widths, rooms.as_deref()).trim_end());
            rendered.push('\n');
        }
        rendered
    }

    /// The columns that each column gets of `most`: the last one gives way first, then the widest of text. A figure is
    /// never cut.
    fn rooms(&self, widths: &[usize], most: usize) -> Vec<usize> {
        let mut rooms = widths.to_vec();
        let gaps = GAP * widths.len().saturating_sub(1);
        let is_text = |column: usize| self.columns.get(column).is_some_and(|(_, align)| *align == Align::Left);
        for least in LEAST {
            let mut excess = (gaps + rooms.iter().sum::<usize>()).saturating_sub(most);
            if let Some(last) = rooms.last_mut() {
                let given = excess.min(last.saturating_sub(least));
                *last -= given;
                excess -= given;
            }
            while excess > 0 {
                let widest = (0..rooms.len()).filter(|column| is_text(*column)).max_by_key(|column| rooms[*column]);
                let Some(widest) = widest.filter(|column| rooms[*column] > least) else { break };
                rooms[widest] -= 1;
                excess -= 1;
            }
        }
        rooms
    }

    fn line(&self, row: &[String], widths: &[usize], rooms: Option<&[usize]>) -> String {
        let mut line = String::new();
        for (index, cell) in row.iter().enumerate() {
            let room = rooms.and_then(|rooms| rooms.get(index)).copied().unwrap_or(usize::MAX);
            let cell = text::cut_plain(cell, room, PLAIN);
            let width = widths.get(index).copied().unwrap_or_default().min(room).min(WIDEST);
            let padding = " ".repeat(width.saturating_sub(text::width(&cell, PLAIN)));
            match self.columns.get(index) {
                Some((_, Align::Right)) => line.extend([padding.as_str(), cell.as_str()]),
                _ => line.extend([cell.as_str(), padding.as_str()]),
            }
            if index + 1 < row.len() {
                line.push_str(&" ".repeat(GAP));
            }
        }
        line
    }

    /// Writes the table to standard output, as wide as the terminal is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn print(&self) -> Result<(), Failure> {
        output::text(&self.render(output::columns()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[("node", Align::Left), ("in", Align::Right), ("says", Align::Left)]);
        table.row(["diagnose", "12", "all is well, as far as anybody can see"]);
        table.row(["b\u{1b}[2J", "1,234", "two\nlines"]);
        table
    }

    #[test]
    fn columns_stand_under_their_names_and_nothing_in_a_cell_acts() {
        let expected = "node         in  says\n\
                        diagnose     12  all is well, as far as anybody can see\n\
                        b␛[2J     1,234  two lines\n";
        assert_eq!(table().render(None), expected);
    }

    #[test]
    fn a_row_that_is_too_long_loses_the_end_of_its_last_column() {
        let rendered = table().render(Some(30));
        assert!(rendered.lines().all(|line| line.chars().count() <= 30), "{rendered}");
        assert!(rendered.contains("all is well,"), "{rendered}");
        assert!(rendered.contains('…'), "{rendered}");
    }

    #[test]
    fn where_the_last_column_is_not_enough_the_widest_texts_give_way_and_figures_do_not() {
        let mut table = Table::new(&[("node", Align::Left), ("tokens", Align::Right), ("model", Align::Left)]);
        table.row(["a_node_with_a_very_long_name_indeed", "1,234,567", "claude-sonnet-4-5"]);
        let rendered = table.render(Some(36));
        assert!(rendered.lines().all(|line| line.chars().count() <= 36), "{rendered}");
        assert_eq!(rendered, "node                tokens  model\na_node_with_a_…  1,234,567  claude-…\n");
        assert_eq!(table.render(Some(22)), "node       tokens  mo…\na_nod…  1,234,567  cl…\n");
    }

    #[test]
    fn an_endless_cell_sticks_out_and_does_not_widen_the_other_rows() {
        let mut table = Table::new(&[("model", Align::Left), ("in", Align::Right)]);
        table.row([&"m".repeat(1_000_000), "1"]);
        table.row(["short", "2"]);
        let rendered = table.render(None);
        assert!(rendered.contains(&"m".repeat(1_000_000)));
        assert!(rendered.lines().nth(2).unwrap().len() <= WIDEST + GAP + 2, "{}", rendered.len());
    }
}
