//! ndb (`Packages.db`): slots of 16 bytes in the first pages, each with the place of a blob in blocks of 16 bytes
//! (rpm's `lib/backend/ndb/rpmpkg.c`).

use super::{
    Visit,
    bytes::{Order::Little, number, part, size},
    malformed,
};
use crate::database::Unreadable;

pub(super) const MAGIC: &[u8] = b"RpmP";
const SLOT: &[u8] = b"Slot";
const BLOB: &[u8] = b"BlbS";
const PAGE: usize = 4096;
/// Size of a slot, of a block and of the head of a blob.
const UNIT: usize = 16;
/// The header of the file takes the place of two slots.
const FIRST: usize = 2;

pub(super) fn headers(bytes: &[u8], visit: Visit<'_>) -> Result<(), Unreadable> {
    let version = number(bytes, 4, 4, Little)?;
    if version != 0 {
        return Err(Unreadable::Unsupported("this version of rpm's ndb"));
    }
    let pages = size(bytes, 12, 4, Little)?;
    let slots = part(bytes, 0, pages.checked_mul(PAGE).ok_or_else(malformed)?)?;
    for slot in slots.chunks_exact(UNIT).skip(FIRST) {
        if !slot.starts_with(SLOT) {
            return Err(malformed());
        }
        let (package, block) = (number(slot, 4, 4, Little)?, size(slot, 8, 4, Little)?);
        if block == 0 {
            continue;
        }
        let blob = block.checked_mul(UNIT).and_then(|start| bytes.get(start..)).ok_or_else(malformed)?;
        if !blob.starts_with(BLOB) || number(blob, 4, 4, Little)? != package {
            return Err(malformed());
        }
        visit(part(blob, UNIT, size(blob, 12, 4, Little)?)?)?;
    }
    Ok(())
}
