//! The part of CBOR (RFC 8949) that COSE uses: no floats, no indefinite lengths.

use super::NotationError;

/// A data item of CBOR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Integer(i64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Tag(u64, Box<Self>),
    /// `false`, `true`, `null` and `undefined`.
    Simple(u8),
}

/// Deepest nesting of items.
const DEPTH: usize = 16;
/// Most items of a document: an envelope with the longest chain has fewer than 100.
const MOST_ITEMS: usize = 1000;

/// Reads bytes that are one item and nothing else.
pub(super) fn parse(bytes: &[u8]) -> Result<Item, NotationError> {
    let mut reader = Reader { rest: bytes, items: MOST_ITEMS };
    let item = reader.item(DEPTH)?;
    if reader.rest.is_empty() { Ok(item) } else { Err(NotationError::Cbor("bytes follow")) }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// How many more items may be read.
    items: usize,
}

impl<'a> Reader<'a> {
    fn item(&mut self, depth: usize) -> Result<Item, NotationError> {
        let depth = depth.checked_sub(1).ok_or(NotationError::Cbor("too deep"))?;
        self.items = self.items.checked_sub(1).ok_or(NotationError::Cbor("too many items"))?;
        let (kind, number) = self.head()?;
        let negative = || i64::try_from(number).ok().map(|number| -1 - number);
        Ok(match kind {
            0 => Item::Integer(i64::try_from(number).map_err(|_| LARGE)?),
            1 => Item::Integer(negative().ok_or(LARGE)?),
            2 => Item::Bytes(self.take(number)?.to_vec()),
            3 => {
                let text = std::str::from_utf8(self.take(number)?);
                Item::Text(text.map_err(|_| NotationError::Cbor("text that is no UTF-8"))?.to_owned())
            }
            // No memory is reserved ahead, because the count is only a claim.
            4 => Item::Array((0..number).map(|_| self.item(depth)).collect::<Result<_, _>>()?),
            5 => self.map(number, depth)?,
            6 => Item::Tag(number, Box::new(self.item(depth)?)),
            _ => Item::Simple(u8::try_from(number).ok().filter(|simple| (20..24).contains(simple)).ok_or(FLOAT)?),
        })
    }

    fn map(&mut self, count: u64, depth: usize) -> Result<Item, NotationError> {
        let mut pairs: Vec<(Item, Item)> = Vec::new();
        for _ in 0..count {
            let (key, value) = (self.item(depth)?, self.item(depth)?);
            // With a repeated key, readers could take different values.
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(NotationError::Cbor("a header twice"));
            }
            pairs.push((key, value));
        }
        Ok(Item::Map(pairs))
    }

    /// Major type and argument (RFC 8949, section 3).
    fn head(&mut self) -> Result<(u8, u64), NotationError> {
        let first = self.take(1)?[0];
        let number = match first & 0x1f {
            small @ 0..=23 => u64::from(small),
            size @ 24..=27 if first >> 5 < 7 => {
                self.take(1 << (size - 24))?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            _ => return Err(FLOAT),
        };
        Ok((first >> 5, number))
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], NotationError> {
        let parts = usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count));
        let (taken, after) = parts.ok_or(NotationError::Cbor("it ends early"))?;
        self.rest = after;
        Ok(taken)
    }
}

/// An array of a text and strings of bytes, encoded.
pub(super) fn array_of_bytes(first: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    write_head(&mut out, 4, parts.len() + 1);
    write_head(&mut out, 3, first.len());
    out.extend_from_slice(first.as_bytes());
    for part in parts {
        write_head(&mut out, 2, part.len());
        out.extend_from_slice(part);
    }
    out
}

/// In the shortest form (RFC 9052, section 9).
fn write_head(out: &mut Vec<u8>, kind: u8, number: usize) {
    let bytes = (number as u64).to_be_bytes();
    let (marker, size) = match number {
        0..24 => (0, 0),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    let small = if size == 0 { bytes[7] } else { marker };
    out.push(kind << 5 | small);
    out.extend_from_slice(&bytes[8 - size..]);
}

const LARGE: NotationError = NotationError::Cbor("a number that is too large");
const FLOAT: NotationError = NotationError::Cbor("an item of a kind that COSE does not need");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_the_specification_are_read() {
        for (bytes, expected) in [
            (&[0x18_u8, 0x64][..], Item::Integer(100)),
            (&[0x38, 0x63], Item::Integer(-100)),
            (&[0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Item::Integer(i64::MIN)),
            (&[0x42, 1, 2], Item::Bytes(vec![1, 2])),
            (&[0x62, 0xc3, 0xbc], Item::Text("ü".into())),
            (&[0x82, 1, 0xf6], Item::Array(vec![Item::Integer(1), Item::Simple(22)])),
            (&[0xa1, 1, 2], Item::Map(vec![(Item::Integer(1), Item::Integer(2))])),
            (&[0xc1, 0], Item::Tag(1, Box::new(Item::Integer(0)))),
        ] {
            assert_eq!(parse(bytes).expect("an item"), expected);
        }
    }

    #[test]
    fn what_is_cut_off_or_claims_too_much_ends_with_an_error() {
        for bytes in [
            &[][..],
            &[0x42, 1],
            &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x9f, 0xff],
            &[0xf9, 0, 0],
            &[0xa2, 1, 2, 1, 3],
            &[0, 0],
            &[0x81; 64],
        ] {
            assert!(parse(bytes).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn strings_are_encoded_in_the_shortest_form() {
        let long = vec![7; 300];
        let encoded = array_of_bytes("a", &[&[], &long]);
        assert_eq!(encoded[..7], [0x83, 0x61, b'a', 0x40, 0x59, 1, 44]);
        let Item::Array(items) = parse(&encoded).expect("an array") else { panic!("no array") };
        assert_eq!(items[2], Item::Bytes(long));
    }
}
