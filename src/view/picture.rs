//! A drawn screen as an SVG picture, for the README.
//!
//! Owns the picture's palette, since a terminal's own is not known. Rules: cells of one look are one run, each held to
//! its columns, so that any monospaced font lines up and wide characters keep their two cells; borders are lines, not
//! letters, so that no font tears them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// A cell's width and height, and the font's size, in tenths of a pixel.
const CELL: (u32, u32) = (84, 180);
const FONT: u32 = 140;
/// The space round the screen, and the bar above it.
const MARGIN: u32 = 140;
const BAR: u32 = 300;

const BACKGROUND: &str = "#14161b";
const FOREGROUND: &str = "#d5d9e0";

/// How a run of cells looks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Look {
    ink: &'static str,
    paper: Option<&'static str>,
    bold: bool,
    dim: bool,
    underlined: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let modifier = cell.modifier;
        let (mut ink, mut paper) = (color(cell.fg), color(cell.bg));
        if modifier.contains(Modifier::REVERSED) {
            (ink, paper) = (Some(paper.unwrap_or(BACKGROUND)), Some(ink.unwrap_or(FOREGROUND)));
        }
        Self {
            ink: ink.unwrap_or(FOREGROUND),
            paper,
            bold: modifier.contains(Modifier::BOLD),
            dim: modifier.contains(Modifier::DIM),
            underlined: modifier.contains(Modifier::UNDERLINED),
        }
    }

    fn attributes(&self) -> String {
        let mut out = format!(r#"fill="{}""#, self.ink);
        for (set, attribute) in [
            (self.bold, r#" font-weight="bold""#),
            (self.dim, r#" opacity="0.6""#),
            (self.underlined, r#" text-decoration="underline""#),
        ] {
            if set {
                out.push_str(attribute);
            }
        }
        out
    }
}

/// The picture's own palette for the ANSI colours that the theme uses; `None` is the terminal's own.
fn color(color: Color) -> Option<&'static str> {
    Some(match color {
        Color::Red | Color::LightRed => "#f07178",
        Color::Green | Color::LightGreen => "#8fce7c",
        Color::Yellow | Color::LightYellow => "#f2c55c",
        Color::Blue | Color::LightBlue => "#6ea8fe",
        Color::Magenta | Color::LightMagenta => "#c792ea",
        Color::Cyan | Color::LightCyan => "#63cdda",
        _ => return None,
    })
}

/// The screen in `buffer` as an SVG document, with `title` in its bar and as its name.
#[must_use]
pub fn svg(buffer: &Buffer, title: &str) -> String {
    let area = buffer.area;
    let width = u32::from(area.width) * CELL.0 + 2 * MARGIN;
    let height = u32::from(area.height) * CELL.1 + MARGIN + BAR;
    let title = escaped(title);
    let mut out = String::new();
    let (w, h) = (pixels(width), pixels(height));
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{title}">"#
    );
    let _ = writeln!(out, "<title>{title}</title>");
    let _ = writeln!(out, r#"<rect width="{w}" height="{h}" rx="8" fill="{BACKGROUND}"/>"#);
    for (at, dot) in ["#f07178", "#f2c55c", "#8fce7c"].iter().enumerate() {
        let _ = writeln!(out, r#"<circle cx="{}" cy="15" r="5" fill="{dot}"/>"#, 20 + 18 * at);
    }
    let _ = writeln!(
        out,
        r#"<text x="{}" y="19" text-anchor="middle" font-family="sans-serif" font-size="12" fill="{FOREGROUND}" opacity="0.7">{title}</text>"#,
        pixels(width / 2)
    );
    let _ = writeln!(
        out,
        r#"<g font-family="'DejaVu Sans Mono','Menlo','Consolas','Liberation Mono',monospace" font-size="{}" xml:space="preserve">"#,
        pixels(FONT)
    );
    let mut borders = BTreeMap::new();
    for y in 0..area.height {
        row(buffer, y, &mut out, &mut borders);
    }
    for ((ink, dim, heavy), path) in borders {
        let (stroke, opacity) = (if heavy { "2.2" } else { "1.1" }, if dim { "0.5" } else { "1" });
        let _ = writeln!(
            out,
            r#"<path d="{path}" fill="none" stroke="{ink}" stroke-width="{stroke}" opacity="{opacity}"/>"#
        );
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// The borders' lines, by ink, dimness and weight.
type Borders = BTreeMap<(&'static str, bool, bool), String>;

fn row(buffer: &Buffer, y: u16, out: &mut String, borders: &mut Borders) {
    let mut run: Option<(u16, u16, Look, String)> = None;
    let mut x = 0;
    while x < buffer.area.width {
        let cell = &buffer[(buffer.area.x + x, buffer.area.y + y)];
        let look = Look::of(cell);
        let symbol = cell.symbol();
        let columns = u16::try_from(symbol.width().max(1)).unwrap_or(1);
        if let Some(arms) = arms(symbol) {
            let path = borders.entry((look.ink, look.dim, arms.heavy)).or_default();
            arms.draw(x, y, path);
        }
        let drawn = pause(symbol, &look, x, y, out) || arms(symbol).is_some();
        let shown = if drawn { " " } else { symbol };
        match &mut run {
            // What is not one column wide, or not a plain letter, gets a run of its own: fonts differ most there.
            Some((_, end, known, text)) if *known == look && symbol.is_ascii() && text.is_ascii() => {
                *end += columns;
                text.push_str(shown);
            }
            other => {
                flush(other.take(), y, out);
                *other = Some((x, x + columns, look, shown.to_owned()));
            }
        }
        x += columns;
    }
    flush(run, y, out);
}

/// The sign for waiting, which few monospaced fonts have: drawn as its two bars.
fn pause(symbol: &str, look: &Look, x: u16, y: u16, out: &mut String) -> bool {
    if symbol != "⏸" {
        return false;
    }
    let (left, top) = (MARGIN + u32::from(x) * CELL.0, BAR + u32::from(y) * CELL.1);
    for bar in [14, 48] {
        let _ = writeln!(
            out,
            r#"<rect x="{}" y="{}" width="2.2" height="9" fill="{}"/>"#,
            pixels(left + bar),
            pixels(top + 48),
            look.ink
        );
    }
    true
}

fn flush(run: Option<(u16, u16, Look, String)>, y: u16, out: &mut String) {
    let Some((start, end, look, text)) = run else { return };
    let (x, top) = (MARGIN + u32::from(start) * CELL.0, BAR + u32::from(y) * CELL.1);
    let width = u32::from(end - start) * CELL.0;
    if let Some(paper) = look.paper {
        let (x, y, w, h) = (pixels(x), pixels(top), pixels(width), pixels(CELL.1));
        let _ = writeln!(
            out,
            r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{paper}" shape-rendering="crispEdges"/>"#
        );
    }
    let letters = text.trim_end();
    let indent = letters.len() - letters.trim_start().len();
    let letters = letters.trim_start();
    if letters.is_empty() {
        return;
    }
    let x = x + u32::try_from(indent).unwrap_or(0) * CELL.0;
    let length = u32::try_from(letters.width()).unwrap_or(0) * CELL.0;
    let _ = writeln!(
        out,
        r#"<text x="{}" y="{}" textLength="{}" lengthAdjust="spacingAndGlyphs" {}>{}</text>"#,
        pixels(x),
        pixels(top + CELL.1 * 3 / 4),
        pixels(length),
        look.attributes(),
        escaped(letters)
    );
}

/// The arms of a border's corner or line: left, right, up, down.
#[derive(Debug, Clone, Copy)]
struct Arms {
    to: [bool; 4],
    heavy: bool,
}

fn arms(symbol: &str) -> Option<Arms> {
    let (to, heavy) = match symbol {
        "─" => ([true, true, false, false], false),
        "│" => ([false, false, true, true], false),
        "╭" => ([false, true, false, true], false),
        "╮" => ([true, false, false, true], false),
        "╰" => ([false, true, true, false], false),
        "╯" => ([true, false, true, false], false),
        "━" => ([true, true, false, false], true),
        "┃" => ([false, false, true, true], true),
        "┏" => ([false, true, false, true], true),
        "┓" => ([true, false, false, true], true),
        "┗" => ([false, true, true, false], true),
        "┛" => ([true, false, true, false], true),
        _ => return None,
    };
    Some(Arms { to, heavy })
}

impl Arms {
    fn draw(self, x: u16, y: u16, path: &mut String) {
        let (left, top) = (MARGIN + u32::from(x) * CELL.0, BAR + u32::from(y) * CELL.1);
        let (middle_x, middle_y) = (left + CELL.0 / 2, top + CELL.1 / 2);
        let ends = [(left, middle_y), (left + CELL.0, middle_y), (middle_x, top), (middle_x, top + CELL.1)];
        let mut ends = self.to.iter().zip(ends).filter(|(there, _)| **there).map(|(_, end)| end);
        if let (Some(from), Some(to)) = (ends.next(), ends.next()) {
            // A corner is a curve round the cell's middle; between two ends in line the same curve is a line.
            let _ = write!(
                path,
                "M{} {}Q{} {} {} {}",
                pixels(from.0),
                pixels(from.1),
                pixels(middle_x),
                pixels(middle_y),
                pixels(to.0),
                pixels(to.1)
            );
        }
    }
}

/// Tenths of a pixel as pixels.
fn pixels(tenths: u32) -> String {
    if tenths.is_multiple_of(10) { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
