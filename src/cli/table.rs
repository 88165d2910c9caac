//! Tables for people.
//!
//! Rules: every cell is made inert and stands on one line; columns are as wide as their widest cell; on a terminal a row
//! that is too long loses the end of its last column and says so with an ellipsis; elsewhere nothing is cut.

use super::output::{self, PLAIN};
use crate::view::text;

/// Columns between two columns.
const GAP: usize = 2;

/// The least that is left of a last column, however narrow the terminal.
const LEAST: usize = 8;

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
        let mut rendered = String::new();
        for row in lines() {
            rendered.push_str(self.line(row, &widths, width).trim_end());
            rendered.push('\n');
        }
        rendered
    }

    fn line(&self, row: &[String], widths: &[usize], most: Option<usize>) -> String {
        let mut line = String::new();
        let mut before = 0;
        for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
            let last = index + 1 == widths.len();
            let room = most.filter(|_| last).map_or(usize::MAX, |most| most.saturating_sub(before).max(LEAST));
            let cell = text::cut_plain(cell, room, PLAIN);
            let padding = " ".repeat(width.saturating_sub(text::width(&cell, PLAIN)));
            match self.columns.get(index) {
                Some((_, Align::Right)) => line.extend([padding.as_str(), cell.as_str()]),
                _ => line.extend([cell.as_str(), padding.as_str()]),
            }
            if !last {
                line.push_str(&" ".repeat(GAP));
            }
            before += width + GAP;
        }
        line
    }

    /// Writes the table to standard output, as wide as the terminal is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn print(&self) -> Result<(), super::Failure> {
        output::text(&self.render(output::columns()))
    }
}

/// Each run of white space as one space.
fn one_line(cell: &str) -> String {
    cell.split_whitespace().collect::<Vec<_>>().join(" ")
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
}
