//! Berkeley DB (`Packages`): a hash table of pages with pairs of key and data, where data of some size is in a chain of overflow
//! pages (`dbinc/db_page.h` of Berkeley DB 5.3).

use super::{
    Visit,
    bytes::{
        Order::{self, Big, Little},
        part, size,
    },
    malformed,
};
use crate::database::Unreadable;

/// Of a hash table, in the first page.
const MAGIC: u32 = 0x0006_1561;
const AT_MAGIC: usize = 12;
/// Bytes before the entries of a page.
const HEADER: usize = 26;
/// Types of pages.
const HASH_UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const HASH_SORTED: u8 = 13;
/// Types of entries of a hash page.
const INLINE: u8 = 1;
const OFF_PAGE: u8 = 3;

pub(super) fn is_hash(bytes: &[u8]) -> bool {
    order(bytes).is_some()
}

fn order(bytes: &[u8]) -> Option<Order> {
    let magic = bytes.get(AT_MAGIC..AT_MAGIC + 4)?;
    if magic == MAGIC.to_le_bytes() { Some(Little) } else { (magic == MAGIC.to_be_bytes()).then_some(Big) }
}

struct Pages<'b> {
    bytes: &'b [u8],
    order: Order,
    size: usize,
}

pub(super) fn headers(bytes: &[u8], visit: Visit<'_>) -> Result<(), Unreadable> {
    let order = order(bytes).ok_or_else(malformed)?;
    let size = size(bytes, 20, 4, order)?;
    if !(512..=64 << 10).contains(&size) || !size.is_power_of_two() {
        return Err(malformed());
    }
    if bytes.get(24) != Some(&0) {
        return Err(Unreadable::Unsupported("an encrypted Berkeley DB"));
    }
    let pages = Pages { bytes, order, size };
    // Pages that are free have another type.
    for page in bytes.chunks_exact(size).skip(1) {
        if matches!(page[25], HASH_UNSORTED | HASH_SORTED) {
            pages.of_page(page, visit)?;
        }
    }
    Ok(())
}

impl<'b> Pages<'b> {
    fn number(&self, page: &[u8], at: usize, length: usize) -> Result<usize, Unreadable> {
        size(page, at, length, self.order)
    }

    fn of_page(&self, page: &'b [u8], visit: Visit<'_>) -> Result<(), Unreadable> {
        // Entries are stored from the end of the page downwards: each ends where the one before starts.
        let mut end = page.len();
        let mut key = &page[..0];
        for number in 0..self.number(page, 20, 2)? {
            let start = self.number(page, HEADER + 2 * number, 2)?;
            let entry = part(page, start, end.checked_sub(start).ok_or_else(malformed)?)?;
            end = start;
            if number % 2 == 0 {
                key = entry.get(1..).unwrap_or_default();
            } else if key.iter().any(|byte| *byte != 0) {
                // The key 0 has the number of the last package.
                match entry.first() {
                    Some(&INLINE) => visit(&entry[1..])?,
                    Some(&OFF_PAGE) => visit(&self.chain(entry)?)?,
                    _ => return Err(malformed()),
                }
            }
        }
        Ok(())
    }

    /// Data in overflow pages. At most the length that the entry states is read, so a cyclic chain ends.
    fn chain(&self, entry: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let (mut number, length) = (self.number(entry, 4, 4)?, self.number(entry, 8, 4)?);
        if length > self.bytes.len() {
            return Err(malformed());
        }
        let mut data = Vec::new();
        while data.len() < length {
            let page = part(self.bytes, number.checked_mul(self.size).ok_or_else(malformed)?, self.size)?;
            let here = part(page, HEADER, self.number(page, 22, 2)?)?;
            if page[25] != OVERFLOW || here.is_empty() || number == 0 {
                return Err(malformed());
            }
            data.extend_from_slice(&here[..here.len().min(length - data.len())]);
            number = self.number(page, 16, 4)?;
        }
        Ok(data)
    }
}
