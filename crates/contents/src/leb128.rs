//! Unsigned numbers in LEB128, seven bits a byte, lowest first: WebAssembly's numbers and Go's varints.

/// The number at the start of `bytes`, and what is after it. `None` if it is cut off or does not fit into 64 bits.
pub(crate) fn unsigned(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(LONGEST) {
        let bits = u64::from(byte & 0x7f);
        let moved = bits << (7 * at);
        if moved >> (7 * at) != bits {
            return None;
        }
        number |= moved;
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(at + 1..)?));
        }
    }
    None
}

/// Bytes of the largest number.
const LONGEST: usize = 10;

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
