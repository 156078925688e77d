//! `Content-Range` (RFC 9110 section 14.4): which bytes an answer holds.

use crate::quote::quote;
use std::ops::Range;

/// What a `Content-Range` in bytes says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// `bytes a-b/size`: the answer holds these bytes of the whole.
    Part {
        /// From the first byte to the one after the last; never empty.
        range: Range<u64>,
        /// Bytes of the whole; `None`: the answer does not say.
        complete: Option<u64>,
    },
    /// `bytes */size`: the requested bytes do not exist, because the whole is no longer than this.
    Unsatisfied {
        /// Bytes of the whole.
        complete: u64,
    },
}

impl ContentRange {
    /// Reads a header's value. The unit may be of any case. Spaces and tabs around the value are dropped; inside it,
    /// only the space after the unit is allowed.
    ///
    /// # Errors
    /// Another unit than bytes, another form than RFC 9110 gives, a range that ends before it starts or goes beyond the
    /// whole, a number of more than 64 bits.
    pub fn parse(value: &[u8]) -> Result<Self, Error> {
        let error = |rule| Error { rule, got: quote(&String::from_utf8_lossy(value)) };
        let trimmed = value.trim_ascii();
        let (unit, rest) = split(trimmed, b' ').ok_or_else(|| error(RangeRule::Form))?;
        if !unit.eq_ignore_ascii_case(b"bytes") {
            return Err(error(RangeRule::Unit));
        }
        let (range, complete) = split(rest, b'/').ok_or_else(|| error(RangeRule::Form))?;
        let complete = match complete {
            b"*" => None,
            digits => Some(number(digits).map_err(error)?),
        };
        if range == b"*" {
            let complete = complete.ok_or_else(|| error(RangeRule::Form))?;
            return Ok(Self::Unsatisfied { complete });
        }
        let (first, last) = split(range, b'-').ok_or_else(|| error(RangeRule::Form))?;
        let (first, last) = (number(first).map_err(error)?, number(last).map_err(error)?);
        if last < first || complete.is_some_and(|complete| complete <= last) {
            return Err(error(RangeRule::Order));
        }
        let end = last.checked_add(1).ok_or_else(|| error(RangeRule::Number))?;
        Ok(Self::Part { range: first..end, complete })
    }
}

fn split(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == separator)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

fn number(digits: &[u8]) -> Result<u64, RangeRule> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(RangeRule::Form);
    }
    let push = |value: u64, digit: &u8| value.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    digits.iter().try_fold(0, push).ok_or(RangeRule::Number)
}

/// Why a value is no `Content-Range`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}, got `{got}`")]
pub struct Error {
    /// The rule that it breaks.
    pub rule: RangeRule,
    /// The value, cut and escaped.
    pub got: String,
}

/// A rule of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeRule {
    /// The form is `bytes FIRST-LAST/SIZE`.
    Form,
    /// The unit is `bytes`.
    Unit,
    /// First byte, last byte and size, in this order.
    Order,
    /// Positions are numbers of at most 64 bits.
    Number,
}

impl std::fmt::Display for RangeRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Form => "expected `bytes FIRST-LAST/SIZE`",
            Self::Unit => "expected a range of bytes",
            Self::Order => "expected a range within the size",
            Self::Number => "expected positions below 2^64",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_the_grammar_has_them() {
        let part = |range, complete| Ok(ContentRange::Part { range, complete });
        let max = u64::MAX;
        for (value, expected) in [
            ("bytes 0-0/1", part(0..1, Some(1))),
            ("bytes 5-9/10", part(5..10, Some(10))),
            ("bytes 5-9/*", part(5..10, None)),
            (" BYTES 5-9/10\t", part(5..10, Some(10))),
            ("bytes 005-9/10", part(5..10, Some(10))),
            ("bytes */10", Ok(ContentRange::Unsatisfied { complete: 10 })),
            ("bytes */0", Ok(ContentRange::Unsatisfied { complete: 0 })),
            ("bytes 0-18446744073709551614/*", part(0..max, None)),
            ("bytes 0-18446744073709551615/*", Err(RangeRule::Number)),
            ("bytes 0-18446744073709551616/*", Err(RangeRule::Number)),
            ("bytes 0-9/99999999999999999999999", Err(RangeRule::Number)),
            ("bytes 9-5/10", Err(RangeRule::Order)),
            ("bytes 5-10/10", Err(RangeRule::Order)),
            ("bytes */*", Err(RangeRule::Form)),
            ("bytes 5-9", Err(RangeRule::Form)),
            ("bytes 5/10", Err(RangeRule::Form)),
            ("bytes=5-9/10", Err(RangeRule::Form)),
            ("bytes  5-9/10", Err(RangeRule::Form)),
            ("bytes 5 - 9 / 10", Err(RangeRule::Form)),
            ("bytes -5-9/10", Err(RangeRule::Form)),
            ("bytes +5-9/10", Err(RangeRule::Form)),
            ("bytes 5-9/10/11", Err(RangeRule::Form)),
            ("bytes 5-9/10, bytes 1-2/10", Err(RangeRule::Form)),
            ("lines 5-9/10", Err(RangeRule::Unit)),
            ("", Err(RangeRule::Form)),
            ("nonsense", Err(RangeRule::Form)),
        ] {
            assert_eq!(ContentRange::parse(value.as_bytes()).map_err(|error| error.rule), expected, "{value}");
        }
    }

    #[test]
    fn errors_show_what_came() {
        let error = ContentRange::parse(b"bytes 9-5/\x1b").unwrap_err().to_string();
        assert_eq!(error, r"expected `bytes FIRST-LAST/SIZE`, got `bytes 9-5/\x1b`");
    }
}
