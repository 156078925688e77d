//! Texts in UTF-16, as programs of Windows write them: with a byte order mark.

/// Bytes of the mark.
const MARK: usize = 2;

/// Whether a file starts with a mark of UTF-16, of either byte order.
pub(super) fn is_marked(start: &[u8]) -> bool {
    matches!(start, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
}

/// The text in UTF-8, on the same lines. `None` without a mark, and if it has a zero, which no text has.
pub(super) fn decoded(bytes: &[u8]) -> Option<Vec<u8>> {
    if !is_marked(bytes) {
        return None;
    }
    let unit = |pair: &[u8; 2]| if bytes[0] == 0xff { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) };
    let units: Vec<u16> = bytes[MARK..].as_chunks::<2>().0.iter().map(unit).collect();
    (!units.contains(&0)).then(|| String::from_utf16_lossy(&units).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_are_decoded() {
        for (mark, to_bytes) in
            [([0xff, 0xfe], u16::to_le_bytes as fn(u16) -> [u8; 2]), ([0xfe, 0xff], u16::to_be_bytes)]
        {
            let bytes: Vec<u8> = mark.into_iter().chain("a=é\n".encode_utf16().flat_map(to_bytes)).collect();
            assert_eq!(decoded(&bytes).as_deref(), Some("a=é\n".as_bytes()));
            assert_eq!(decoded(&[&bytes[..], &[0, 0]].concat()), None);
        }
        assert_eq!(decoded(b"text"), None);
        assert_eq!(decoded(b"\xff\xfe"), Some(Vec::new()));
    }
}
