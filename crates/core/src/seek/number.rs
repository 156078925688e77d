//! Writes and reads numbers of variable length (LEB128), and texts.

use crate::leb128;

/// Appends a number: seven bits a byte, the lowest first, the top bit set where more follow.
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Appends a number that may be negative: 0, -1, 1, -2, 2 … become 0, 1, 2, 3, 4 …
pub(super) fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put(bytes, (number << 1 ^ number >> 63) as u64);
}

/// Appends the length of `text` and `text`.
pub(super) fn put_text(bytes: &mut Vec<u8>, text: &[u8]) {
    put(bytes, text.len() as u64);
    bytes.extend_from_slice(text);
}

/// The unread rest of some bytes. Every method takes a value from the front, or returns `None` if the rest has none.
#[derive(Clone, Copy, Default)]
pub(super) struct Rest<'b>(pub(super) &'b [u8]);

impl<'b> Rest<'b> {
    pub(super) fn number(&mut self) -> Option<u64> {
        let (number, rest) = leb128::unsigned(self.0)?;
        self.0 = rest;
        Some(number)
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(super) fn size(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    /// Reads a text that [`put_text`] wrote.
    pub(super) fn text(&mut self) -> Option<&'b [u8]> {
        let length = self.size()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_both_ways() {
        let mut bytes = Vec::new();
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        let signed = [0, -1, 1, 63, -64, 64, i64::MIN, i64::MAX];
        numbers.into_iter().for_each(|number| put(&mut bytes, number));
        signed.into_iter().for_each(|number| put_signed(&mut bytes, number));
        put_text(&mut bytes, b"text");
        let mut rest = Rest(&bytes);
        for number in numbers {
            assert_eq!(rest.number(), Some(number));
        }
        for number in signed {
            assert_eq!(rest.signed(), Some(number));
        }
        assert_eq!(rest.text(), Some(b"text".as_slice()));
        assert_eq!(rest.byte(), None);
    }

    #[test]
    fn what_is_no_number() {
        assert_eq!(Rest(&[0xff; 9]).number(), None, "cut off");
        assert_eq!(Rest(&[0xff; 11]).number(), None, "too long");
        assert_eq!(Rest(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).number(), None, "too large");
        assert_eq!(Rest(&[5, b'a']).text(), None);
    }
}
