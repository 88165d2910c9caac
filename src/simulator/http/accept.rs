//! Which of the forms that a stream can have a client wants.
//!
//! Owns reading `Accept` with its lists, ranges and quality values (RFC 9110, section 12.5.1). Rule: whatever stands in
//! the header, one form is chosen or the request is refused; a part that cannot be read asks for nothing.

use axum::http::{HeaderMap, header};

use super::error::ApiError;

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A line of JSON for each event.
    Ndjson,
    /// Server-sent events.
    Events,
}

/// What can be had, the best first.
const OFFERED: &[(&str, Form)] = &[
    ("application/x-ndjson", Form::Ndjson),
    ("application/ndjson", Form::Ndjson),
    ("text/event-stream", Form::Events),
];

/// One part of an `Accept` header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
}

/// The content type and the form of a stream for these headers; without `Accept` lines of JSON.
pub(super) fn choose(headers: &HeaderMap) -> Result<(&'static str, Form), ApiError> {
    let values: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let text = values.join(",");
    if text.trim().is_empty() && values.len() == headers.get_all(header::ACCEPT).iter().count() {
        return Ok(OFFERED[0]);
    }
    let ranges: Vec<Range<'_>> = text.split(',').filter_map(Range::read).collect();
    let offers = OFFERED.iter().map(|offer| (quality(&ranges, offer.0), offer));
    // Of equals the last would win; the best stands first.
    match offers.rev().max_by_key(|(quality, _)| *quality) {
        Some((1.., offer)) => Ok(*offer),
        _ => Err(ApiError::not_acceptable(
            "events come as application/x-ndjson or text/event-stream; the Accept header names neither",
        )),
    }
}

impl<'a> Range<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(Self { kind: kind.trim(), subtype: subtype.trim(), quality: quality.map_or(Some(1000), thousandths)? })
    }

    /// How closely it names a content type; `None` where it does not.
    fn fits(&self, offered: &str) -> Option<u8> {
        let (kind, subtype) = offered.split_once('/')?;
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (own, "*") if own.eq_ignore_ascii_case(kind) => Some(1),
            (own, under) if own.eq_ignore_ascii_case(kind) && under.eq_ignore_ascii_case(subtype) => Some(2),
            _ => None,
        }
    }
}

/// What the range that names it most closely says of a content type.
fn quality(ranges: &[Range<'_>], offered: &str) -> u16 {
    let fitting = ranges.iter().filter_map(|range| Some((range.fits(offered)?, range.quality)));
    fitting.max().map_or(0, |(_, quality)| quality)
}

/// A quality value in thousandths; `None` where it is none.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u16 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    Some((whole * 1000 + fraction).min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(values: &[&str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT, value.parse().unwrap());
        }
        choose(&headers).ok().map(|(content_type, _)| content_type)
    }

    #[test]
    fn lists_ranges_and_quality_values_choose_the_form() {
        let (lines, plain, events) = ("application/x-ndjson", "application/ndjson", "text/event-stream");
        let cases: &[(&[&str], Option<&str>)] = &[
            (&[], Some(lines)),
            (&[""], Some(lines)),
            (&["*/*"], Some(lines)),
            (&["application/*"], Some(lines)),
            (&["text/*"], Some(events)),
            (&["Text/Event-Stream; charset=utf-8"], Some(events)),
            (&["application/ndjson"], Some(plain)),
            (&["text/event-stream;q=0.5, application/x-ndjson;q=0.4"], Some(events)),
            (&["text/event-stream;q=0.4", "application/x-ndjson;q=0.5"], Some(lines)),
            (&["text/event-stream, application/x-ndjson"], Some(lines)),
            (&["*/*, application/x-ndjson;q=0, application/ndjson;q=0"], Some(events)),
            (&["text/html, */*;q=0.1"], Some(lines)),
            (&["application/json"], None),
            (&["text/event-stream;q=0"], None),
            (&["text/event-stream;q=2, application/x-ndjson;q=no"], None),
            (&["nonsense"], None),
            (&[", ,;;/"], None),
        ];
        for (values, expected) in cases {
            assert_eq!(chosen(values), *expected, "{values:?}");
        }
    }
}
