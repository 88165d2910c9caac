//! The text that a flood streams.
//!
//! Owns a piece of prose and how any part of it, by bytes, stands in JSON. Rules: parts that follow one another give the
//! text again, wherever they are cut; no part holds half a character.

use super::traits::{below, mix};

/// Bytes of the prose; text that is longer begins anew.
const SIZE: usize = 32 * 1024;

/// What it is made of. Some words have more bytes than characters, some are escaped in JSON.
const WORDS: &[&str] = &[
    "the",
    "error",
    "rate",
    "rose",
    "right",
    "after",
    "deploy",
    "of",
    "api",
    "4.18.",
    "The",
    "new",
    "pool",
    "size",
    "is",
    "too",
    "small",
    "for",
    "this",
    "traffic,",
    "refund",
    "payment",
    "ticket",
    "order",
    "was",
    "paid",
    "twice",
    "and",
    "customer",
    "asks",
    "for",
    "€ 42.50",
    "café",
    "São Paulo",
    "Zürich",
    "naïve",
    "東京",
    "größer",
    "→",
    "…",
    "\"quoted\"",
    "it's",
    "`pool.max`",
    "C:\\logs",
    "so",
    "we",
    "raise",
    "it",
    "to",
    "64",
    "connections",
    "per",
    "worker;",
    "latency",
    "falls",
    "from",
    "900 ms",
    "to",
    "120 ms",
    "again",
    "on",
    "every",
    "node",
    "in",
    "region",
    "eu-west-1",
    "which",
    "a",
    "second",
    "probe",
    "has",
    "confirmed",
];

/// Words of a line.
const LINE: u64 = 24;

/// A piece of prose.
#[derive(Debug)]
pub(super) struct Prose {
    /// As it stands between the quotes of JSON.
    json: Vec<u8>,
    /// For each byte of the text, and its end, where its character begins in `json`.
    places: Vec<u32>,
}

impl Prose {
    pub(super) fn new(seed: u64) -> Self {
        let mut text = String::with_capacity(SIZE + 32);
        let mut words = 0;
        while text.len() < SIZE {
            words += 1;
            let word = below(mix(seed, 3, words), WORDS.len() as u64);
            text.push_str(WORDS[usize::try_from(word).unwrap_or_default()]);
            text.push(if words % LINE == 0 { '\n' } else { ' ' });
        }
        let (mut json, mut places) = (Vec::with_capacity(text.len() * 2), Vec::with_capacity(text.len() + 1));
        for character in text.chars() {
            let place = u32::try_from(json.len()).unwrap_or_default();
            places.extend(std::iter::repeat_n(place, character.len_utf8()));
            match character {
                '"' => json.extend_from_slice(b"\\\""),
                '\\' => json.extend_from_slice(b"\\\\"),
                '\n' => json.extend_from_slice(b"\\n"),
                character => json.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        places.push(u32::try_from(json.len()).unwrap_or_default());
        Self { json, places }
    }

    /// Writes the bytes of the text from one place to another as they stand in JSON. A character belongs to the part
    /// that holds its last byte.
    pub(super) fn write(&self, from: u64, to: u64, buffer: &mut Vec<u8>) {
        let length = (self.places.len() - 1) as u64;
        let mut from = from;
        while from < to {
            let begin = from % length;
            let size = (to - from).min(length - begin);
            buffer.extend_from_slice(&self.json[self.place(begin)..self.place(begin + size)]);
            from += size;
        }
    }

    fn place(&self, byte: u64) -> usize {
        usize::try_from(byte).ok().and_then(|byte| self.places.get(byte)).map_or(0, |place| *place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(prose: &Prose, from: u64, to: u64) -> String {
        let mut json = b"\"".to_vec();
        prose.write(from, to, &mut json);
        json.push(b'"');
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn parts_that_follow_one_another_give_the_text_again_wherever_they_are_cut() {
        let prose = Prose::new(7);
        let whole = text(&prose, 0, 100_000);
        for size in [1, 7, 50, 40_000] {
            let cuts = (0..100_000_u64).step_by(size);
            let parts: String = cuts.map(|from| text(&prose, from, (from + size as u64).min(100_000))).collect();
            assert_eq!(parts, whole, "parts of {size}");
        }
        assert!((99_990..=100_000).contains(&whole.len()), "{}", whole.len());
    }

    #[test]
    fn it_holds_what_is_escaped_and_what_is_not_ascii() {
        let whole = text(&Prose::new(7), 0, 30_000);
        assert!(['"', '\\', '\n', 'é', '東'].into_iter().all(|character| whole.contains(character)));
    }
}
