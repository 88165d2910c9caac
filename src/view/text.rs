//! The one place that makes foreign text inert, and that measures, wraps and cuts it in display columns.
//!
//! Rules: no character that [`inert::mark`] knows leaves this module; the width that is told is the width that ratatui
//! draws (the sum over grapheme clusters, which is what its buffer does); a wide character is never split; nothing but
//! spaces at a line break is left out by wrapping.

use std::borrow::Cow;

use ratatui::buffer::CellWidth;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use super::theme::{Role, Sign, Theme};
use crate::app::inert;

/// Columns between tab stops.
const TAB: usize = 4;
/// Characters of one grapheme cluster that are drawn: more is a pile of accents, or an attack.
const CLUSTER: usize = 1 + inert::ACCENTS;
/// Columns of one grapheme cluster that stays whole; some scripts join letters to wide ones.
const WIDEST: usize = 6;

/// One drawn cluster of an inert text.
#[derive(Debug, Clone, Copy)]
struct Glyph {
    /// Where it ends in the text, in bytes.
    end: usize,
    /// Where the cluster that it comes from begins in the line as it was given, in bytes.
    source: u32,
    /// Display columns, 1 to [`WIDEST`].
    width: usize,
    /// Whether it stands for something that cannot be shown.
    marked: bool,
    /// Whether a line may break after it.
    space: bool,
}

/// A line of text without anything that acts on a terminal.
#[derive(Debug, Default)]
struct Inert {
    text: String,
    glyphs: Vec<Glyph>,
    /// Where the cluster that is being taken in begins.
    source: u32,
}

impl Inert {
    /// Makes one line inert. Tabs become spaces up to the next stop; a line feed becomes its mark.
    fn new(line: &str, theme: Theme) -> Self {
        Self::behind(0, line, theme)
    }

    /// The same for the rest of a line, behind so many columns of it.
    fn behind(mut columns: usize, line: &str, theme: Theme) -> Self {
        let mut inert = Self::default();
        for (at, cluster) in line.grapheme_indices(true) {
            inert.source = u32::try_from(at).unwrap_or(u32::MAX);
            let before = inert.glyphs.len();
            inert.push_cluster(cluster, columns, theme);
            columns += inert.glyphs[before..].iter().map(|glyph| glyph.width).sum::<usize>();
        }
        inert
    }

    fn push_cluster(&mut self, cluster: &str, column: usize, theme: Theme) {
        if cluster == "\t" {
            for _ in 0..TAB - column % TAB {
                self.push(" ", 1, false);
            }
            return;
        }
        let bare = without_presentation(cluster);
        let cluster = bare.as_ref();
        let width = columns_of(cluster);
        let long = cluster.chars().nth(CLUSTER).is_some();
        let is_sound = !long && (1..=WIDEST).contains(&width) && hanging(cluster) == 0;
        if is_sound && !cluster.chars().any(|c| inert::mark(c).is_some()) {
            self.push(cluster, width, false);
            return;
        }
        let mut stretch = String::new();
        for c in cluster.chars().take(CLUSTER) {
            if inert::mark(c).is_none() {
                stretch.push(c);
                continue;
            }
            self.push_stretch(&std::mem::take(&mut stretch), theme);
            self.push_mark(c, theme);
        }
        self.push_stretch(&stretch, theme);
        if long {
            self.push(theme.sign(Sign::Ellipsis), 1, true);
        }
    }

    /// Harmless characters that stood together between marks. An accent without a letter gets a mark: on its own it
    /// would be drawn on whatever stands before it.
    fn push_stretch(&mut self, stretch: &str, theme: Theme) {
        for cluster in stretch.graphemes(true) {
            let (alone, cluster) = cluster.split_at(hanging(cluster));
            alone.chars().for_each(|c| self.push_mark(c, theme));
            match columns_of(cluster) {
                width @ 1..=WIDEST => self.push(cluster, width, false),
                _ => cluster.chars().for_each(|c| self.push_mark(c, theme)),
            }
        }
    }

    fn push_mark(&mut self, c: char, theme: Theme) {
        let mark = if theme.ascii { '?' } else { inert::mark(c).unwrap_or('¿') };
        self.push(mark.encode_utf8(&mut [0; 4]), 1, true);
    }

    fn push(&mut self, text: &str, width: usize, marked: bool) {
        self.text.push_str(text);
        self.glyphs.push(Glyph { end: self.text.len(), source: self.source, width, marked, space: text == " " });
    }

    fn width(&self) -> usize {
        self.glyphs.iter().map(|glyph| glyph.width).sum()
    }

    fn start(&self, glyph: usize) -> usize {
        glyph.checked_sub(1).map_or(0, |before| self.glyphs[before].end)
    }

    /// The glyphs `from..to` as spans, marks in their own style.
    fn spans(&self, from: usize, to: usize, style: Style, theme: Theme) -> Vec<Span<'static>> {
        self.spans_by(from, to, theme, |_| style)
    }

    /// The same, with a style for each glyph.
    fn spans_by(&self, from: usize, to: usize, theme: Theme, style: impl Fn(usize) -> Style) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        let mut at = from;
        while at < to {
            let look = |glyph: usize| (self.glyphs[glyph].marked, style(glyph));
            let (marked, style) = look(at);
            let next = (at..to).find(|i| look(*i) != (marked, style)).unwrap_or(to);
            let style = if marked { style.patch(theme.style(Role::Mark)) } else { style };
            spans.push(Span::styled(self.text[self.start(at)..self.start(next)].to_owned(), style));
            at = next;
        }
        spans
    }

    /// The line's rows of `columns`; at least one.
    fn wrap_into(&self, rows: &mut Vec<Line<'static>>, columns: usize, theme: Theme, style: impl Fn(usize) -> Style) {
        self.wrap_each(rows, columns, theme, style, |_, _| {});
    }

    /// The same; `begins` is told where each row but the first begins: its place among `rows`, and its first glyph.
    fn wrap_each(
        &self,
        rows: &mut Vec<Line<'static>>,
        columns: usize,
        theme: Theme,
        style: impl Fn(usize) -> Style,
        mut begins: impl FnMut(usize, usize),
    ) {
        // No text is ever drawn in fewer columns; here it only keeps a row from being empty for ever.
        let columns = columns.max(WIDEST);
        let mut start = 0;
        loop {
            let (end, next) = self.row(start, columns);
            rows.push(Line::from(self.spans_by(start, end, theme, &style)));
            if next >= self.glyphs.len() {
                return;
            }
            start = next;
            begins(rows.len(), start);
        }
    }

    /// Whether a row that begins at this glyph begins with a whole cluster, so that the line can be taken up there.
    fn is_whole_from(&self, glyph: usize) -> bool {
        glyph > 0 && self.glyphs[glyph].source != self.glyphs[glyph - 1].source
    }

    /// What is drawn, glyph by glyph.
    fn drawn(&self) -> Vec<&str> {
        (0..self.glyphs.len()).map(|glyph| &self.text[self.start(glyph)..self.glyphs[glyph].end]).collect()
    }

    /// The glyphs from `start` that fit into `width` columns, and where the next row begins.
    fn row(&self, start: usize, width: usize) -> (usize, usize) {
        let (mut used, mut may_break, mut word_seen) = (0, None, false);
        for (at, glyph) in self.glyphs.iter().enumerate().skip(start) {
            if used + glyph.width > width {
                if glyph.space {
                    // Spaces hang over the end of their row.
                    let next = (at..self.glyphs.len()).find(|i| !self.glyphs[*i].space);
                    return (at, next.unwrap_or(self.glyphs.len()));
                }
                let end = may_break.unwrap_or(at).max(start + usize::from(at == start));
                return (end, end);
            }
            used += glyph.width;
            word_seen |= !glyph.space;
            if glyph.space && word_seen {
                may_break = Some(at + 1);
            }
        }
        (self.glyphs.len(), self.glyphs.len())
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7F).contains(&byte))
}

/// A cluster without the one presentation selector that it may hold; with more, which no person types, it stays.
fn without_presentation(cluster: &str) -> Cow<'_, str> {
    let mut selectors = cluster.char_indices().filter(|(at, c)| *at > 0 && inert::is_presentation(*c));
    match (selectors.next(), selectors.next()) {
        (Some((at, c)), None) => Cow::Owned(format!("{}{}", &cluster[..at], &cluster[at + c.len_utf8()..])),
        _ => Cow::Borrowed(cluster),
    }
}

/// What of a cell's cluster is drawn where that is not all: no more than a bounded pile, and nothing that acts.
pub(super) fn bounded(cluster: &str) -> Option<String> {
    let is_harmless = |c: &char| inert::mark(*c).is_none();
    if cluster.chars().all(|c| is_harmless(&c)) && cluster.chars().nth(CLUSTER).is_none() {
        return None;
    }
    let shown: String = cluster.chars().filter(is_harmless).take(CLUSTER).collect();
    Some(if shown.is_empty() { " ".to_owned() } else { shown })
}

/// The bytes of the accents at the beginning of a cluster, where no letter carries them: they would be drawn on whatever
/// stands before, also where something wider follows.
fn hanging(cluster: &str) -> usize {
    cluster.char_indices().find(|(_, c)| columns_of(c.encode_utf8(&mut [0; 4])) > 0).map_or(0, |(at, _)| at)
}

/// The columns that ratatui gives a grapheme cluster.
fn columns_of(cluster: &str) -> usize {
    if cluster.chars().any(char::is_control) { 0 } else { usize::from(cluster.cell_width()) }
}

/// The display columns of a text once it is inert.
#[must_use]
pub fn width(text: &str, theme: Theme) -> usize {
    if is_plain(text) { text.len() } else { Inert::new(text, theme).width() }
}

/// The display columns of spans that are inert already.
pub(super) fn spans_width(spans: &[Span<'_>]) -> usize {
    spans.iter().flat_map(|span| span.content.graphemes(true)).map(columns_of).sum()
}

/// One line of foreign text, inert.
pub(super) fn inert(text: &str, style: Style, theme: Theme) -> Vec<Span<'static>> {
    if is_plain(text) {
        return vec![Span::styled(text.to_owned(), style)];
    }
    let inert = Inert::new(text, theme);
    inert.spans(0, inert.glyphs.len(), style, theme)
}

/// One line of foreign text as inert text without a style, for what is printed after the console was left.
#[must_use]
pub fn plain(text: &str, theme: Theme) -> String {
    if is_plain(text) { text.to_owned() } else { Inert::new(text, theme).text }
}

/// One line of foreign text, inert, at most `columns` wide; what is cut off shows as an ellipsis.
pub(super) fn cut(text: &str, columns: usize, style: Style, theme: Theme) -> Vec<Span<'static>> {
    if text.len() <= columns && is_plain(text) {
        return vec![Span::styled(text.to_owned(), style)];
    }
    // Each cluster takes a column at least: a megabyte of arguments costs no more than a line.
    let head = text.grapheme_indices(true).nth(columns.saturating_add(1)).map_or(text, |(end, _)| &text[..end]);
    let inert = Inert::new(head, theme);
    if inert.width() <= columns && head.len() == text.len() {
        return inert.spans(0, inert.glyphs.len(), style, theme);
    }
    let Some(room) = columns.checked_sub(1) else { return Vec::new() };
    let (mut used, mut end) = (0, 0);
    while end < inert.glyphs.len() && used + inert.glyphs[end].width <= room {
        used += inert.glyphs[end].width;
        end += 1;
    }
    let mut spans = inert.spans(0, end, style, theme);
    spans.push(Span::styled(theme.sign(Sign::Ellipsis), style));
    spans
}

/// One line of foreign text as inert text without a style, at most `columns` wide.
#[must_use]
pub fn cut_plain(text: &str, columns: usize, theme: Theme) -> String {
    cut(text, columns, Style::new(), theme).iter().map(|span| span.content.as_ref()).collect()
}

/// Cut to `columns` and filled up with spaces on the right.
pub(super) fn left(text: &str, columns: usize, style: Style, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = cut(text, columns, style, theme);
    fill(&mut spans, columns);
    spans
}

/// Cut to `columns` and filled up with spaces on the left.
pub(super) fn right(text: &str, columns: usize, style: Style, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = cut(text, columns, style, theme);
    let missing = columns.saturating_sub(spans_width(&spans));
    spans.insert(0, Span::raw(" ".repeat(missing)));
    spans
}

/// Fills spans up to `columns` with spaces.
pub(super) fn fill(spans: &mut Vec<Span<'static>>, columns: usize) {
    let missing = columns.saturating_sub(spans_width(spans));
    if missing > 0 {
        spans.push(Span::raw(" ".repeat(missing)));
    }
}

/// A text of several lines as one: each run of white space is one space. For previews.
pub(super) fn one_line(text: &str) -> String {
    let head: String = text.chars().take(2_000).collect();
    head.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Foreign text wrapped to `columns`, inert. Lines end at line feeds; words stay whole where they fit.
pub(super) fn wrap(text: &str, columns: usize, style: Style, theme: Theme) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    for line in text.split('\n') {
        wrap_rest(line, 0, columns, style, theme, &mut rows);
    }
    rows
}

/// The same with a style for each glyph: `styles` is given a line's glyphs, inert already, and returns as many styles.
pub(super) fn wrap_by(
    text: &str,
    columns: usize,
    theme: Theme,
    styles: impl Fn(&[&str]) -> Vec<Style>,
) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    for line in text.split('\n') {
        let inert = Inert::new(line.strip_suffix('\r').unwrap_or(line), theme);
        let styles = styles(&inert.drawn());
        inert.wrap_into(&mut rows, columns, theme, |glyph| styles.get(glyph).copied().unwrap_or_default());
    }
    rows
}

/// Takes a line that needs no look at its characters, and fits, as the row that it is; says whether it was one.
fn push_plain(line: &str, columns: usize, style: Style, rows: &mut Vec<Line<'static>>) -> bool {
    let fits = line.len() <= columns && is_plain(line);
    if fits {
        rows.push(Line::from(Span::styled(line.to_owned(), style)));
    }
    fits
}

/// Wraps the rest of a line that is whole, behind `before` columns of it.
pub(super) fn wrap_rest(
    line: &str,
    before: usize,
    columns: usize,
    style: Style,
    theme: Theme,
    rows: &mut Vec<Line<'static>>,
) {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if push_plain(line, columns, style, rows) {
        return;
    }
    Inert::behind(before, line, theme).wrap_into(rows, columns, theme, |_| style);
}

/// Where a line that may still grow is taken up again: its rows before that stay as they are, whatever follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TakeUp {
    /// The place among `rows` of the row that begins there.
    pub(super) row: usize,
    /// The byte of the line at which it begins.
    pub(super) byte: usize,
    /// The columns of the line before it.
    pub(super) columns: usize,
}

/// The same for a line that may still grow; returns where it can be taken up later instead of at its beginning. What
/// follows joins the last cluster, and where a row ends is decided by a cluster of one of the next two.
pub(super) fn wrap_growing(
    line: &str,
    before: usize,
    columns: usize,
    style: Style,
    theme: Theme,
    rows: &mut Vec<Line<'static>>,
) -> Option<TakeUp> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if push_plain(line, columns, style, rows) {
        return None;
    }
    let inert = Inert::behind(before, line, theme);
    let mut begun = Vec::new();
    inert.wrap_each(rows, columns, theme, |_| style, |row, glyph| begun.push((row, glyph)));
    let (row, glyph) = begun.into_iter().rev().skip(2).find(|(_, glyph)| inert.is_whole_from(*glyph))?;
    let wide = inert.glyphs[..glyph].iter().map(|glyph| glyph.width).sum::<usize>();
    Some(TakeUp { row, byte: inert.glyphs[glyph].source as usize, columns: before + wide })
}
