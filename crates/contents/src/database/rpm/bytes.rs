//! Numbers and parts of a database, within its bounds.

use super::malformed;
use crate::database::Unreadable;

/// Order of the bytes of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

/// `length` bytes at `start`.
pub(super) fn part(bytes: &[u8], start: usize, length: usize) -> Result<&[u8], Unreadable> {
    start.checked_add(length).and_then(|end| bytes.get(start..end)).ok_or_else(malformed)
}

/// A number of up to eight bytes.
pub(super) fn number(bytes: &[u8], start: usize, length: usize, order: Order) -> Result<u64, Unreadable> {
    let part = part(bytes, start, length)?;
    let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    Ok(match order {
        Order::Big => part.iter().fold(0, add),
        Order::Little => part.iter().rev().fold(0, add),
    })
}

/// A number that is a place or a length.
pub(super) fn size(bytes: &[u8], start: usize, length: usize, order: Order) -> Result<usize, Unreadable> {
    usize::try_from(number(bytes, start, length, order)?).map_err(|_| malformed())
}
