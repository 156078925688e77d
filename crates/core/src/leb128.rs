//! Unsigned numbers in LEB128: seven bits a byte, lowest first. The seek index, WebAssembly and Go's varints use it.

/// Decodes the number at the start of `bytes`. Returns it and the bytes after it; `None` if it is truncated or does not fit into 64 bits.
pub fn unsigned(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    let mut rest = bytes;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Some((number, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_they_say_and_fit() {
        assert_eq!(unsigned(&[0xe5, 0x8e, 0x26, 9]), Some((624_485, &[9][..])));
        assert_eq!(unsigned(&[0x80, 0]), Some((0, &[][..])));
        let largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(unsigned(&largest), Some((u64::MAX, &[][..])));
        for wrong in [&[][..], &[0x80], &[0x80; 11], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]] {
            assert_eq!(unsigned(wrong), None, "{wrong:?}");
        }
    }
}
