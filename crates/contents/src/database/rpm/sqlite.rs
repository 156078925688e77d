//! SQLite (`rpmdb.sqlite`), read only: the b-tree of the table `Packages`, whose second column is the header
//! (SQLite's "Database File Format"). Indexes are not read. `log` has the changes that are not yet in it.

use super::{
    Visit,
    bytes::{Order::Big, part, size},
    malformed,
};
use crate::database::Unreadable;
use std::{borrow::Cow, cell::Cell};

pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";
/// The table with the schema starts on the first page, after the header of the file.
const FILE_HEADER: usize = 100;
const INTERIOR: u8 = 5;
const LEAF: u8 = 13;
/// The column of `sqlite_schema` with the first page of a table.
const ROOT: usize = 3;

pub(super) fn headers(bytes: &[u8], visit: Visit<'_>) -> Result<(), Unreadable> {
    let page = match size(bytes, 16, 2, Big)? {
        1 => 64 << 10,
        page => page,
    };
    let usable = page.checked_sub(size(bytes, 20, 1, Big)?).filter(|usable| *usable >= 480).ok_or_else(malformed)?;
    let database = Database { bytes, page, usable, left: Cell::new(bytes.len()) };
    let mut root = None;
    database.table(1, &mut |row| {
        let is = |column: usize, text: &[u8]| Ok::<_, Unreadable>(column_of(row, column)? == text);
        if is(0, b"table")? && is(1, b"Packages")? {
            let number = column_of(row, ROOT)?;
            root = Some(size(number, 0, number.len().min(8), Big)?);
        }
        Ok(())
    })?;
    let root = root.ok_or_else(malformed)?;
    database.table(root, &mut |row| visit(column_of(row, 1)?))
}

struct Database<'b> {
    bytes: &'b [u8],
    page: usize,
    /// Bytes of a page that SQLite uses.
    usable: usize,
    /// Bytes of records that may follow: in a valid database no byte belongs to two.
    left: Cell<usize>,
}

impl<'b> Database<'b> {
    /// All rows of a table; each page is read once, so a cyclic tree ends.
    fn table(&self, root: usize, visit: Visit<'_>) -> Result<(), Unreadable> {
        let mut seen = vec![false; self.bytes.len() / self.page + 1];
        let mut waiting = vec![root];
        while let Some(number) = waiting.pop() {
            let page = self.page(number)?;
            if std::mem::replace(seen.get_mut(number).ok_or_else(malformed)?, true) {
                return Err(malformed());
            }
            let start = if number == 1 { FILE_HEADER } else { 0 };
            let cells = size(page, start + 3, 2, Big)?;
            let (header, interior) = match page[start] {
                INTERIOR => (12, true),
                LEAF => (8, false),
                _ => return Err(malformed()),
            };
            if interior {
                waiting.push(size(page, start + 8, 4, Big)?);
            }
            for cell in 0..cells {
                let cell = size(page, start + header + 2 * cell, 2, Big)?;
                if interior {
                    waiting.push(size(page, cell, 4, Big)?);
                } else {
                    visit(&self.payload(page, cell)?)?;
                }
            }
        }
        Ok(())
    }

    fn page(&self, number: usize) -> Result<&'b [u8], Unreadable> {
        let start = number.checked_sub(1).and_then(|before| before.checked_mul(self.page)).ok_or_else(malformed)?;
        part(self.bytes, start, self.page)
    }

    /// The record of a cell of a leaf: in the page, and if it is long in a chain of overflow pages.
    fn payload(&self, page: &'b [u8], cell: usize) -> Result<Cow<'b, [u8]>, Unreadable> {
        let (length, after) = varint(page, cell)?;
        let (_row, start) = varint(page, after)?;
        self.left.set(self.left.get().checked_sub(length).ok_or_else(malformed)?);
        let most = self.usable - 35;
        if length <= most {
            return Ok(Cow::Borrowed(part(page, start, length)?));
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let fitting = least + (length - least) % (self.usable - 4);
        let here = if fitting <= most { fitting } else { least };
        let mut record = part(page, start, here)?.to_vec();
        let mut next = size(page, start + here, 4, Big)?;
        while record.len() < length {
            let page = self.page(next)?;
            let rest = (length - record.len()).min(self.usable - 4);
            record.extend_from_slice(part(page, 4, rest)?);
            next = size(page, 0, 4, Big)?;
        }
        Ok(Cow::Owned(record))
    }
}

/// The bytes of a column of a record, by its number.
fn column_of(record: &[u8], wanted: usize) -> Result<&[u8], Unreadable> {
    let (header, mut at) = varint(record, 0)?;
    let mut start = header;
    for column in 0..=wanted {
        if at >= header {
            return Err(malformed());
        }
        let (kind, after) = varint(record, at)?;
        at = after;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return Err(malformed()),
            kind => (kind - 12) / 2,
        };
        if column == wanted {
            return part(record, start, length);
        }
        start = start.checked_add(length).ok_or_else(malformed)?;
    }
    Err(malformed())
}

/// A number of up to nine bytes, most significant first, and where it ends.
fn varint(bytes: &[u8], start: usize) -> Result<(usize, usize), Unreadable> {
    let mut value = 0_u64;
    for at in 0..9 {
        let byte = *start.checked_add(at).and_then(|place| bytes.get(place)).ok_or_else(malformed)?;
        if at == 8 {
            value = value << 8 | u64::from(byte);
        } else {
            value = value << 7 | u64::from(byte & 0x7f);
        }
        if at == 8 || byte & 0x80 == 0 {
            return Ok((usize::try_from(value).map_err(|_| malformed())?, start + at + 1));
        }
    }
    Err(malformed())
}
