//! SQLite's write-ahead log (`rpmdb.sqlite-wal`): the pages that a transaction changed and that are not yet in the database
//! (SQLite's "WAL-mode File Format").

use super::{
    bytes::{Order, number, part, size},
    malformed,
};
use crate::{database::Unreadable, limits::DATABASE_BYTES};
use std::collections::BTreeMap;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The last bit of the magic number says in which order checksums read the bytes.
const MAGIC: u64 = 0x377f_0682;
const VERSION: u64 = 3_007_000;

/// The database as SQLite reads it with the log beside it: with the frames up to the last one that commits. SQLite takes a frame
/// whose salt is that of the header and whose checksum is right, and stops at the first other one: what follows is of an earlier use of the file.
pub(super) fn with_log(database: &[u8], log: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut whole = database.to_vec();
    let Some((pages, page)) = committed(log)? else { return Ok(whole) };
    let Some((count, frames)) = pages else { return Ok(whole) };
    let length = count.checked_mul(page).filter(|length| *length as u64 <= DATABASE_BYTES);
    whole.resize(length.ok_or_else(|| Unreadable::bytes("DATABASE_BYTES", DATABASE_BYTES))?, 0);
    for (number, start) in frames {
        let place = number.checked_sub(1).and_then(|before| before.checked_mul(page)).ok_or_else(malformed)?;
        // A page beyond the end was cut off by a later transaction.
        if let Some(target) = place.checked_add(page).and_then(|end| whole.get_mut(place..end)) {
            target.copy_from_slice(part(log, start, page)?);
        }
    }
    Ok(whole)
}

/// Pages of the database after the last commit, and where in the log the newest content of each is.
type Committed = Option<(usize, BTreeMap<usize, usize>)>;

/// What transactions wrote, with the size of a page; `None` for a log that SQLite ignores.
fn committed(log: &[u8]) -> Result<Option<(Committed, usize)>, Unreadable> {
    if log.len() < HEADER {
        return Ok(None);
    }
    let of_header = |at: usize| number(log, at, 4, Order::Big);
    let magic = of_header(0)?;
    let order = if magic & 1 == 1 { Order::Big } else { Order::Little };
    let page = size(log, 8, 4, Order::Big)?;
    let mut sums = checksum((0, 0), &log[..24], order)?;
    let is_right = magic & !1 == MAGIC && page.is_power_of_two() && (512..=65_536).contains(&page);
    if !is_right || sums != (of_header(24)?, of_header(28)?) {
        return Ok(None);
    }
    if of_header(4)? != VERSION {
        return Err(Unreadable::Unsupported("this version of SQLite's write-ahead log"));
    }
    let salt = part(log, 16, 8)?;
    let (mut newest, mut pending, mut committed) = (BTreeMap::new(), Vec::new(), None);
    let mut start = HEADER;
    while let Ok(header) = part(log, start, FRAME_HEADER) {
        let Ok(content) = part(log, start + FRAME_HEADER, page) else { break };
        sums = checksum(checksum(sums, &header[..8], order)?, content, order)?;
        let stated = (number(header, 16, 4, Order::Big)?, number(header, 20, 4, Order::Big)?);
        let target = size(header, 0, 4, Order::Big)?;
        if &header[8..16] != salt || sums != stated || target == 0 {
            break;
        }
        pending.push((target, start + FRAME_HEADER));
        let count = size(header, 4, 4, Order::Big)?;
        if count > 0 {
            newest.extend(pending.drain(..));
            committed = Some(count);
        }
        start += FRAME_HEADER + page;
    }
    Ok(Some((committed.map(|count| (count, newest)), page)))
}

/// SQLite's sum over pairs of numbers of 32 bits, which continues the one before.
fn checksum((mut first, mut second): (u64, u64), bytes: &[u8], order: Order) -> Result<(u64, u64), Unreadable> {
    for pair in bytes.chunks_exact(8) {
        first = (first + number(pair, 0, 4, order)? + second) & 0xffff_ffff;
        second = (second + number(pair, 4, 4, order)? + first) & 0xffff_ffff;
    }
    Ok((first, second))
}
