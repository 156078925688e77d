//! Writes tar headers: ustar, with PAX records where ustar does not suffice.

use std::io::{self, Write};

use porthole_core::{
    path,
    tar::{Entry, Kind},
};

use super::Error;

const BLOCK: usize = 512;
/// Largest values of octal fields of 8 and 12 bytes.
const SMALL: u64 = (1 << 21) - 1;
const LARGE: u64 = (1 << 33) - 1;
const XATTR: &[u8] = b"SCHILY.xattr.";

/// Writes the headers of an entry. A file's data and [`pad`] must follow.
///
/// # Errors
///
/// [`Error::Unwritable`] if no archive can hold the entry, and errors of writing.
pub(super) fn write_header(out: &mut impl Write, entry: &Entry) -> Result<(), Error> {
    let mut header = Header([0; BLOCK]);
    let mut records = Vec::new();
    let size = if entry.kind == Kind::File { entry.size } else { 0 };
    header.name(&entry.path, &mut records);
    if entry.link.len() <= 100 {
        header.text(157, &entry.link);
    } else {
        record(&mut records, b"linkpath", &entry.link);
    }
    header.octal(100, 8, u64::from(entry.permissions()));
    for (at, key, id) in [(108, b"uid", entry.uid), (116, b"gid", entry.gid)] {
        let id = unsigned(entry, id)?;
        header.octal(at, 8, if id > SMALL { 0 } else { id });
        if id > SMALL {
            record(&mut records, key, id.to_string().as_bytes());
        }
    }
    if size > LARGE {
        record(&mut records, b"size", size.to_string().as_bytes());
    }
    header.size(size);
    let seconds = unsigned(entry, entry.mtime)?;
    header.octal(136, 12, seconds.min(LARGE));
    if entry.mtime_nsec != 0 {
        let fraction = format!("{seconds}.{:09}", entry.mtime_nsec);
        record(&mut records, b"mtime", fraction.trim_end_matches('0').as_bytes());
    } else if seconds > LARGE {
        record(&mut records, b"mtime", seconds.to_string().as_bytes());
    }
    for (at, number) in [(329, entry.major), (337, entry.minor)] {
        let number = unsigned(entry, number)?;
        if number > SMALL {
            return Err(unwritable(entry, "its device number is too great"));
        }
        header.octal(at, 8, number);
    }
    for (name, value) in &entry.xattrs {
        if name.contains(&b'=') {
            return Err(unwritable(entry, "an extended attribute has `=` in its name"));
        }
        record(&mut records, &[XATTR, name].concat(), value);
    }
    if !records.is_empty() {
        // PAX names are UTF-8 unless `hdrcharset` says otherwise.
        let binary = std::str::from_utf8(&entry.path).is_err() || std::str::from_utf8(&entry.link).is_err();
        let mut data = Vec::new();
        if binary {
            record(&mut data, b"hdrcharset", b"BINARY");
        }
        data.append(&mut records);
        let mut extended = Header([0; BLOCK]);
        extended.text(0, b"PaxHeaders");
        extended.octal(100, 8, 0o644);
        extended.octal(108, 8, 0);
        extended.octal(116, 8, 0);
        extended.size(data.len() as u64);
        extended.octal(136, 12, 0);
        out.write_all(&extended.finish(b'x'))?;
        out.write_all(&data)?;
        pad(out, data.len() as u64)?;
    }
    Ok(out.write_all(&header.finish(entry.typeflag))?)
}

/// Pads data to a whole block.
pub(super) fn pad(out: &mut impl Write, length: u64) -> io::Result<()> {
    let rest = (length % BLOCK as u64) as usize;
    if rest == 0 { Ok(()) } else { out.write_all(&[0; BLOCK][rest..]) }
}

/// Writes the end marker.
pub(super) fn end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

struct Header([u8; BLOCK]);

impl Header {
    /// Sets name and prefix, or adds a PAX record if they do not fit.
    fn name(&mut self, name: &[u8], records: &mut Vec<u8>) {
        if name.len() <= 100 {
            return self.text(0, name);
        }
        // The slash between prefix and name is stored in neither field. Neither may be empty.
        let slash =
            (name.len() - 101..name.len().min(156)).find(|&at| name[at] == b'/' && at > 0 && at + 1 < name.len());
        match slash {
            Some(slash) => {
                self.text(345, &name[..slash]);
                self.text(0, &name[slash + 1..]);
            }
            None => {
                record(records, b"path", name);
                self.text(0, &name[..100]);
            }
        }
    }

    fn text(&mut self, at: usize, text: &[u8]) {
        self.0[at..at + text.len()].copy_from_slice(text);
    }

    fn octal(&mut self, at: usize, length: usize, number: u64) {
        let text = format!("{number:0width$o}\0", width = length - 1);
        self.text(at, text.as_bytes());
    }

    /// Sets the size, in base 256 if octal does not suffice, so that readers without PAX support still find the next
    /// header.
    fn size(&mut self, size: u64) {
        if size <= LARGE {
            return self.octal(124, 12, size);
        }
        self.text(124, &[0x80, 0, 0, 0]);
        self.text(128, &size.to_be_bytes());
    }

    fn finish(mut self, typeflag: u8) -> [u8; BLOCK] {
        self.0[156] = typeflag;
        self.text(257, b"ustar\x0000");
        self.text(148, &[b' '; 8]);
        let sum: u64 = self.0.iter().copied().map(u64::from).sum();
        self.text(148, format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}

/// Appends a PAX record, which starts with its own length.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(length.to_string().as_bytes());
    for part in [b" ", key, b"=", value, b"\n"] {
        records.extend_from_slice(part);
    }
}

fn unsigned(entry: &Entry, number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| unwritable(entry, "a number is negative"))
}

fn unwritable(entry: &Entry, reason: &'static str) -> Error {
    Error::Unwritable { path: path::escape(&entry.path).into_owned(), reason }
}
