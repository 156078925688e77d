//! PAX extended headers, as strict as Go's parser.

use std::collections::BTreeMap;

use super::{
    EntryAmbiguity,
    error::Field,
    header::{Header, integer},
    sparse::PaxSparse,
};

/// The records of an extended header that this crate uses. The last record of a key wins; an empty value keeps the
/// header's field.
#[derive(Debug, Default)]
pub(super) struct Pax {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    uid: Option<Vec<u8>>,
    gid: Option<Vec<u8>>,
    size: Option<Vec<u8>>,
    mtime: Option<Vec<u8>>,
    atime: Option<Vec<u8>>,
    ctime: Option<Vec<u8>>,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) sparse: PaxSparse,
    /// A key occurs twice with different values.
    repeated: bool,
}

/// Where and why an extended header is invalid.
#[derive(Debug)]
pub(super) struct Invalid {
    /// Start of the record within the extended header's data.
    pub(super) at: usize,
    pub(super) number: u32,
}

impl Pax {
    pub(super) fn parse(data: &[u8]) -> Result<Self, Invalid> {
        let mut pax = Self::default();
        let mut rest = data;
        let mut number = 0;
        while !rest.is_empty() {
            number += 1;
            let invalid = Invalid { at: data.len() - rest.len(), number };
            let Some((key, value, after)) = record(rest) else { return Err(invalid) };
            if !pax.insert(key, value) {
                return Err(invalid);
            }
            rest = after;
        }
        pax.sparse.end();
        Ok(pax)
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) -> bool {
        let field = match key {
            b"path" => &mut self.path,
            b"linkpath" => &mut self.link,
            b"uid" => &mut self.uid,
            b"gid" => &mut self.gid,
            b"size" => &mut self.size,
            b"mtime" => &mut self.mtime,
            b"atime" => &mut self.atime,
            b"ctime" => &mut self.ctime,
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.insert(name.to_vec(), value.to_vec());
                } else if let Some(name) = key.strip_prefix(b"GNU.sparse.") {
                    return self.sparse.insert(name, value);
                }
                return true;
            }
        };
        let before = field.replace(value.to_vec());
        self.repeated |= matches!(key, b"path" | b"linkpath" | b"size") && before.is_some_and(|before| before != value);
        true
    }

    /// Replaces header fields with the records. Returns the nanoseconds of the modification time.
    pub(super) fn merge(&self, header: &mut Header) -> Result<u32, Field> {
        let mut nanoseconds = 0;
        if let Some(path) = present(&self.path) {
            header.name = path.to_vec();
        }
        if let Some(link) = present(&self.link) {
            header.link = link.to_vec();
        }
        if let Some(uid) = present(&self.uid) {
            header.uid = integer(uid).ok_or(Field::PaxValue("uid"))?;
        }
        if let Some(gid) = present(&self.gid) {
            header.gid = integer(gid).ok_or(Field::PaxValue("gid"))?;
        }
        if let Some(size) = present(&self.size) {
            header.size = integer(size).ok_or(Field::PaxValue("size"))?;
        }
        if let Some(mtime) = present(&self.mtime) {
            (header.mtime, nanoseconds) = time(mtime).ok_or(Field::PaxValue("mtime"))?;
        }
        if let Some(atime) = present(&self.atime) {
            time(atime).ok_or(Field::PaxValue("atime"))?;
        }
        if let Some(ctime) = present(&self.ctime) {
            time(ctime).ok_or(Field::PaxValue("ctime"))?;
        }
        Ok(nanoseconds)
    }

    /// The name that a global header gives itself.
    pub(super) fn path(&self) -> Option<&[u8]> {
        present(&self.path)
    }

    pub(super) fn has_link(&self) -> bool {
        present(&self.link).is_some()
    }

    pub(super) fn into_xattrs(self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.xattrs.into_iter().collect()
    }

    pub(super) fn has_size(&self) -> bool {
        self.size.is_some()
    }

    /// Whether the records set a name, link target, size or sparse map.
    pub(super) fn matters(&self) -> bool {
        self.path.is_some() || self.link.is_some() || self.size.is_some() || self.sparse.any
    }

    /// Why readers interpret these records differently for an entry with this header.
    pub(super) fn ambiguity(&self, header: &Header) -> Option<EntryAmbiguity> {
        /// The largest size that fits the header's octal field. Larger sizes need a PAX record.
        const OCTAL_MAX: i64 = 0o777_7777_7777;
        let empty = |field: &Option<Vec<u8>>| field.as_ref().is_some_and(Vec::is_empty);
        let negative = |field: &Option<Vec<u8>>| present(field).is_some_and(|value| value.first() == Some(&b'-'));
        let newline = |field: &Option<Vec<u8>>| field.as_ref().is_some_and(|value| value.contains(&b'\n'));
        if present(&self.size)
            .and_then(integer)
            .is_some_and(|size| size != header.size && (0..=OCTAL_MAX).contains(&size))
        {
            Some(EntryAmbiguity::PaxSize)
        } else if [&self.path, &self.link, &self.uid, &self.gid, &self.size, &self.mtime].into_iter().any(empty) {
            Some(EntryAmbiguity::EmptyExtension)
        } else if self.repeated {
            Some(EntryAmbiguity::RepeatedPaxRecord)
        } else if newline(&self.path) || newline(&self.link) {
            Some(EntryAmbiguity::NewlineInName)
        } else if self.sparse.any {
            Some(EntryAmbiguity::Sparse)
        } else if negative(&self.mtime) && present(&self.mtime).is_some_and(|mtime| mtime.contains(&b'.')) {
            Some(EntryAmbiguity::FractionBefore1970)
        } else if [&self.mtime, &self.uid, &self.gid].into_iter().any(negative) {
            Some(EntryAmbiguity::Number)
        } else {
            None
        }
    }
}

fn present(field: &Option<Vec<u8>>) -> Option<&[u8]> {
    field.as_deref().filter(|value| !value.is_empty())
}

/// Splits off the first `LENGTH KEY=VALUE\n` record: key, value and the rest.
fn record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = data.iter().position(|&byte| byte == b' ')?;
    let length = usize::try_from(integer(data.get(..blank)?)?).ok()?;
    if length < 5 || length > data.len() {
        return None;
    }
    let line = data.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|&byte| byte == b'=')?;
    let (key, value) = (line.get(..equals)?, line.get(equals + 1..)?);
    let checked = match key {
        b"path" | b"linkpath" | b"uname" | b"gname" => value,
        _ => key,
    };
    if key.is_empty() || checked.contains(&0) {
        return None;
    }
    Some((key, value, data.get(length..)?))
}

/// Seconds and nanoseconds of `SECONDS[.FRACTION]`. Digits after the ninth are dropped.
fn time(text: &[u8]) -> Option<(i64, u32)> {
    let dot = text.iter().position(|&byte| byte == b'.');
    let seconds = text.get(..dot.unwrap_or(text.len()))?;
    let fraction = dot.and_then(|dot| text.get(dot + 1..)).unwrap_or_default();
    let whole = integer(seconds)?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanoseconds = digits.fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
    if seconds.first() == Some(&b'-') && nanoseconds > 0 {
        Some((whole.wrapping_sub(1), 1_000_000_000 - nanoseconds))
    } else {
        Some((whole, nanoseconds))
    }
}
