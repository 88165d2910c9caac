//! An answer as gzip, each piece of it as soon as it is there: what arrives is what a proxy that packs would send.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Packs one answer, a piece at a time.
#[derive(Debug)]
pub(super) struct Packer(GzEncoder<Vec<u8>>);

impl Packer {
    pub(super) fn new() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::fast()))
    }

    /// A piece, packed and flushed.
    pub(super) fn pack(&mut self, piece: &[u8]) -> Bytes {
        // Writing to memory cannot fail.
        let _ = self.0.write_all(piece).and_then(|()| self.0.flush());
        std::mem::take(self.0.get_mut()).into()
    }

    /// The end of the answer.
    pub(super) fn end(self) -> Bytes {
        self.0.finish().unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn every_piece_can_be_read_before_the_next_one_and_the_whole_at_the_end() {
        let mut packer = Packer::new();
        let mut bytes = packer.pack(b"hello ").to_vec();
        let mut first = [0; 6];
        flate2::read::GzDecoder::new(&bytes[..]).read_exact(&mut first).unwrap();
        assert_eq!(&first, b"hello ");
        bytes.extend(packer.pack(b"world"));
        bytes.extend(packer.end());
        let mut text = String::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello world");
    }
}
