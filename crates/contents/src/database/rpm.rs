//! rpm's database of installed packages in its three formats: SQLite, ndb and Berkeley DB. Each holds one header for each package.

mod bdb;
mod bytes;
mod header;
mod log;
mod ndb;
mod sqlite;

use self::header::Header;
use super::{Record, Unreadable, owned::OwnedPaths};

/// Takes one header.
type Visit<'v> = &'v mut dyn FnMut(&[u8]) -> Result<(), Unreadable>;

/// All packages, with their files. The format is that of the first bytes, whatever the name of the file.
pub(super) fn installed(bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let mut records = Vec::new();
    let mut paths = OwnedPaths::default();
    // In a valid database no byte belongs to two headers.
    let mut left = bytes.len();
    let mut visit = |header: &[u8]| {
        left = left.checked_sub(header.len()).ok_or_else(malformed)?;
        let package = Header::parse(header).ok_or_else(malformed)?.package(&mut paths)?;
        records.push(Record::Package(package));
        Ok(())
    };
    if bytes.starts_with(sqlite::MAGIC) {
        sqlite::headers(bytes, &mut visit)?;
    } else if bytes.starts_with(ndb::MAGIC) {
        ndb::headers(bytes, &mut visit)?;
    } else if bdb::is_hash(bytes) {
        bdb::headers(bytes, &mut visit)?;
    } else {
        return Err(malformed());
    }
    Ok(records)
}

/// Reads a database in SQLite together with its write-ahead log.
pub(super) fn installed_with_log(bytes: &[u8], log: &[u8]) -> Result<Vec<Record>, Unreadable> {
    installed(&log::with_log(bytes, log)?)
}

/// Whether it is a database in SQLite, beside which a log may be.
pub(super) fn may_have_log(bytes: &[u8]) -> bool {
    bytes.starts_with(sqlite::MAGIC)
}

fn malformed() -> Unreadable {
    Unreadable::malformed("a database of rpm")
}

#[cfg(test)]
mod tests;
