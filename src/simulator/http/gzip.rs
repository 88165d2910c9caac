//! An answer as gzip (RFC 1952), without making it any smaller: what arrives is what a proxy that packs would send.

use bytes::{BufMut, Bytes, BytesMut};

/// The longest block that is stored as it is (RFC 1951, section 3.2.4).
const BLOCK: usize = 0xffff;

/// Packs one answer, a piece at a time.
#[derive(Debug)]
pub(super) struct Packer {
    begun: bool,
    check: u32,
    length: u32,
}

impl Packer {
    pub(super) fn new() -> Self {
        Self { begun: false, check: u32::MAX, length: 0 }
    }

    /// A piece, packed.
    pub(super) fn pack(&mut self, piece: &[u8]) -> Bytes {
        let mut packed = BytesMut::new();
        self.begin(&mut packed);
        for part in piece.chunks(BLOCK) {
            block(part, false, &mut packed);
        }
        for byte in piece {
            self.check = (0..8).fold(self.check ^ u32::from(*byte), |check, _| {
                let polynomial = if check & 1 == 1 { 0xedb8_8320 } else { 0 };
                check >> 1 ^ polynomial
            });
        }
        self.length = self.length.wrapping_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        packed.freeze()
    }

    /// The end of the answer.
    pub(super) fn end(mut self) -> Bytes {
        let mut packed = BytesMut::new();
        self.begin(&mut packed);
        block(&[], true, &mut packed);
        packed.put_u32_le(!self.check);
        packed.put_u32_le(self.length);
        packed.freeze()
    }

    fn begin(&mut self, packed: &mut BytesMut) {
        if !std::mem::replace(&mut self.begun, true) {
            packed.put_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
        }
    }
}

fn block(part: &[u8], last: bool, packed: &mut BytesMut) {
    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
    packed.put_u8(u8::from(last));
    packed.put_u16_le(length);
    packed.put_u16_le(!length);
    packed.put_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bytes_text_has_the_bytes_that_the_format_wants() {
        let mut packer = Packer::new();
        let mut bytes = packer.pack(b"hello").to_vec();
        bytes.extend(packer.end());
        let expected = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\0\x05\0\xfa\xffhello\x01\0\0\xff\xff\x86\xa6\x10\x36\x05\0\0\0";
        assert_eq!(bytes, expected);
    }
}
