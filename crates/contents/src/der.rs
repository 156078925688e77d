//! DER, as far as certificates and keys need it (X.690).

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// `UTCTime` or `GeneralizedTime` in the forms of RFC 5280, as `YYYYMMDDhhmmss`.
pub(crate) fn time(der: &[u8]) -> Option<String> {
    let (tag, content, _) = element(der)?;
    let digits = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let fits = |length: usize| digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit());
    match tag {
        UTC_TIME if fits(12) => Some(format!("{}{digits}", if digits < "50" { "20" } else { "19" })),
        GENERALIZED_TIME if fits(14) => Some(digits.to_owned()),
        _ => None,
    }
}

/// The content of an element with that tag, and what follows it.
pub(crate) fn expect(wanted: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    element(der).filter(|(tag, ..)| *tag == wanted).map(|(_, content, rest)| (content, rest))
}

/// The bits of a `BIT STRING` that has whole bytes.
pub(crate) fn whole_bytes(der: &[u8]) -> Option<&[u8]> {
    expect(BIT_STRING, der)?.0.strip_prefix(&[0])
}

/// Tag and content of the first element, and what follows it.
pub(crate) fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
