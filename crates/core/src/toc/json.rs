//! Parses the JSON of a TOC row by row, so that only the rows are in memory.

use std::{borrow::Cow, fmt, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{
    error::{Error, Fault},
    listing::{Listing, Piece, Row, Span},
};
use crate::{
    calendar,
    limits::{JSON_DEPTH, Limits},
    quote::quote,
    tar::Kind,
};

/// Parses a whole document.
pub(super) fn parse(json: &[u8], limits: &Limits) -> Result<Listing, Error> {
    let mut reader = Reader { listing: Listing::default(), limits, number: 0, refusal: None };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    // The visitors count levels, so that the limit is exact and the error names it.
    deserializer.disable_recursion_limit();
    let document = Document(&mut reader).deserialize(&mut deserializer);
    // Bytes after the document are covered by its digest, but other readers ignore them.
    let version = document.and_then(|version| deserializer.end().map(|()| version));
    match (version, reader.refusal) {
        (_, Some(refusal)) => Err(refusal),
        (Err(error), None) => Err(Error::Syntax(quote(error.to_string().as_bytes()))),
        (Ok(1), None) => Ok(reader.listing),
        (Ok(got), None) => Err(Error::Version { got }),
    }
}

/// The rows so far. `refusal` holds the reason if parsing stops for something other than syntax.
struct Reader<'l> {
    listing: Listing,
    limits: &'l Limits,
    number: u64,
    refusal: Option<Error>,
}

impl Reader<'_> {
    fn refuse<E: serde::de::Error>(&mut self, refusal: Error) -> E {
        let error = E::custom(&refusal);
        self.refusal = Some(refusal);
        error
    }

    /// Index of the field that a key names. Each field may occur once. As in Go's parser, case is ignored.
    fn field<E: serde::de::Error>(&mut self, fields: &[&'static str], key: &str, seen: &mut u32) -> Result<usize, E> {
        let Some(index) = fields.iter().position(|field| field.eq_ignore_ascii_case(key)) else {
            return Ok(fields.len());
        };
        let expected = fields.get(index).copied().unwrap_or_default();
        let bit = 1 << index;
        if expected != key || *seen & bit != 0 {
            return Err(self.refuse(Error::AmbiguousKey { expected, got: quote(key.as_bytes()) }));
        }
        *seen |= bit;
        Ok(index)
    }

    fn row(&mut self, raw: &Raw<'_>) -> Result<(), Error> {
        if self.number >= self.limits.entries {
            return Err(Error::TooManyEntries { limit: self.limits.entries });
        }
        let number = self.number;
        self.number += 1;
        let entry = |fault| Error::Entry { number, fault };
        let kind = raw.kind().map_err(entry)?;
        let digest = self.digest(&raw.chunk_digest, "chunkDigest").map_err(entry)?;
        let chunk = Piece {
            offset: raw.offset,
            end: raw.end_offset,
            inner: raw.inner_offset,
            start: raw.chunk_offset,
            size: raw.chunk_size,
            digest: self.listing.store(digest)?,
            zeros: raw.zeros().map_err(entry)?,
        };
        if let Some(kind) = kind {
            let row = self.entry(kind, raw, number)?;
            self.listing.push(row);
            if kind != Kind::File || raw.size == 0 {
                return Ok(());
            }
        }
        self.listing.push_chunk(chunk).map_err(entry)
    }

    fn entry(&mut self, kind: Kind, raw: &Raw<'_>, number: u64) -> Result<Row, Error> {
        let entry = |fault| Error::Entry { number, fault };
        let limit = self.limits.path_bytes;
        if raw.name.len().max(raw.link.len()) as u64 > limit {
            return Err(entry(Fault::NameTooLong { limit }));
        }
        let (mtime, mtime_nsec) = match &*raw.modtime {
            "" => (0, 0),
            text => calendar::rfc_3339(text).ok_or_else(|| entry(Fault::Time(quote(text.as_bytes()))))?,
        };
        let linked = matches!(kind, Kind::Symlink | Kind::Hardlink);
        let device = matches!(kind, Kind::Char | Kind::Block);
        Ok(Row {
            kind,
            name: self.listing.store(raw.name.as_bytes())?,
            link: self.listing.store(if linked { raw.link.as_bytes() } else { b"" })?,
            xattrs: match raw.xattrs.as_slice() {
                [] => Span::default(),
                xattrs => self.listing.store_xattrs(xattrs)?,
            },
            digest: {
                let digest = self.digest(&raw.digest, "digest").map_err(entry)?;
                self.listing.store(digest)?
            },
            size: if kind == Kind::File { raw.size } else { 0 },
            mode: raw.mode,
            uid: raw.uid,
            gid: raw.gid,
            mtime,
            mtime_nsec,
            major: if device { raw.major } else { 0 },
            minor: if device { raw.minor } else { 0 },
            first: 0,
            count: 0,
        })
    }

    fn digest<'t>(&self, text: &'t str, field: &'static str) -> Result<&'t [u8], Fault> {
        match text.parse::<crate::digest::Digest>() {
            Ok(_) => Ok(text.as_bytes()),
            Err(_) if text.is_empty() => Ok(&[]),
            Err(_) => Err(Fault::Digest { field, got: quote(text.as_bytes()) }),
        }
    }
}

/// An entry as written. Missing and `null` are empty or 0, as in Go's parser.
#[derive(Default)]
struct Raw<'de> {
    kind: Cow<'de, str>,
    name: Cow<'de, str>,
    link: Cow<'de, str>,
    modtime: Cow<'de, str>,
    digest: Cow<'de, str>,
    chunk_digest: Cow<'de, str>,
    chunk_type: Cow<'de, str>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    mode: i64,
    uid: i64,
    gid: i64,
    major: i64,
    minor: i64,
    size: u64,
    offset: u64,
    end_offset: u64,
    inner_offset: u64,
    chunk_offset: u64,
    chunk_size: u64,
}

impl Raw<'_> {
    /// Type of the entry. `None` for a further chunk of the entry before.
    fn kind(&self) -> Result<Option<Kind>, Fault> {
        Ok(Some(match &*self.kind {
            "reg" => Kind::File,
            "dir" => Kind::Directory,
            "symlink" => Kind::Symlink,
            "hardlink" => Kind::Hardlink,
            "char" => Kind::Char,
            "block" => Kind::Block,
            "fifo" => Kind::Fifo,
            "chunk" => return Ok(None),
            other => return Err(Fault::Type(quote(other.as_bytes()))),
        }))
    }

    fn zeros(&self) -> Result<bool, Fault> {
        match &*self.chunk_type {
            "" => Ok(false),
            "zeros" => Ok(true),
            other => Err(Fault::ChunkType(quote(other.as_bytes()))),
        }
    }
}

const DOCUMENT: [&str; 2] = ["version", "entries"];
const ENTRY: [&str; 19] = [
    "type",
    "name",
    "linkName",
    "modtime",
    "digest",
    "chunkDigest",
    "chunkType",
    "xattrs",
    "mode",
    "uid",
    "gid",
    "devMajor",
    "devMinor",
    "size",
    "offset",
    "endOffset",
    "innerOffset",
    "chunkOffset",
    "chunkSize",
];

/// Visitor of the document. Returns the version.
struct Document<'r, 'l>(&'r mut Reader<'l>);

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = i64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i64, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<i64, A::Error> {
        let (mut seen, mut version) = (0, 0);
        while let Some(Text(key)) = map.next_key()? {
            match self.0.field(&DOCUMENT, &key, &mut seen)? {
                0 => version = map.next_value::<Option<i64>>()?.unwrap_or(0),
                1 => map.next_value_seed(Entries(&mut *self.0))?,
                _ => map.next_value_seed(Skip { reader: &mut *self.0, depth: JSON_DEPTH - 1 })?,
            }
        }
        Ok(version)
    }
}

struct Entries<'r, 'l>(&'r mut Reader<'l>);

impl<'de> DeserializeSeed<'de> for Entries<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of entries")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_element_seed(Entry(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

struct Entry<'r, 'l>(&'r mut Reader<'l>);

impl<'de> DeserializeSeed<'de> for Entry<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entry<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        let (mut raw, mut seen) = (Raw::default(), 0);
        while let Some(Text(key)) = map.next_key()? {
            let index = reader.field(&ENTRY, &key, &mut seen)?;
            let field = ENTRY.get(index).copied().unwrap_or_default();
            match field {
                "type" => raw.kind = text(&mut map)?,
                "name" => raw.name = text(&mut map)?,
                "linkName" => raw.link = text(&mut map)?,
                "modtime" => raw.modtime = text(&mut map)?,
                "digest" => raw.digest = text(&mut map)?,
                "chunkDigest" => raw.chunk_digest = text(&mut map)?,
                "chunkType" => raw.chunk_type = text(&mut map)?,
                "xattrs" => raw.xattrs = map.next_value_seed(Xattrs(&mut *reader))?,
                "mode" => raw.mode = number(&mut map)?,
                "uid" => raw.uid = number(&mut map)?,
                "gid" => raw.gid = number(&mut map)?,
                "devMajor" => raw.major = number(&mut map)?,
                "devMinor" => raw.minor = number(&mut map)?,
                "size" => raw.size = size(reader, field, &mut map)?,
                "offset" => raw.offset = size(reader, field, &mut map)?,
                "endOffset" => raw.end_offset = size(reader, field, &mut map)?,
                "innerOffset" => raw.inner_offset = size(reader, field, &mut map)?,
                "chunkOffset" => raw.chunk_offset = size(reader, field, &mut map)?,
                "chunkSize" => raw.chunk_size = size(reader, field, &mut map)?,
                // Three levels are open: document, entries, entry.
                _ => map.next_value_seed(Skip { reader: &mut *reader, depth: JSON_DEPTH - 3 })?,
            }
        }
        reader.row(&raw).map_err(|refusal| reader.refuse(refusal))
    }
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Cow<'de, str>, A::Error> {
    Ok(map.next_value::<Option<Text<'de>>>()?.map(|Text(text)| text).unwrap_or_default())
}

fn number<'de, A: MapAccess<'de>>(map: &mut A) -> Result<i64, A::Error> {
    Ok(map.next_value::<Option<i64>>()?.unwrap_or(0))
}

fn size<'de, A: MapAccess<'de>>(reader: &mut Reader<'_>, field: &'static str, map: &mut A) -> Result<u64, A::Error> {
    let got = number(map)?;
    let number = reader.number;
    u64::try_from(got).map_err(|_| reader.refuse(Error::Entry { number, fault: Fault::Negative { field, got } }))
}

/// Visitor of `xattrs`: names, and values in base64.
struct Xattrs<'r, 'l>(&'r mut Reader<'l>);

impl<'de> DeserializeSeed<'de> for Xattrs<'_, '_> {
    type Value = Vec<(Vec<u8>, Vec<u8>)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Xattrs<'_, '_> {
    type Value = Vec<(Vec<u8>, Vec<u8>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut xattrs = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            let Ok(value) = STANDARD.decode(text(&mut map)?.as_bytes()) else {
                let fault = Fault::Xattr(quote(name.as_bytes()));
                return Err(self.0.refuse(Error::Entry { number: self.0.number, fault }));
            };
            xattrs.push((name.into_owned().into_bytes(), value));
        }
        xattrs.sort();
        if let Some([(name, _), _]) = xattrs.array_windows().find(|[(name, _), (next, _)]| name == next) {
            return Err(self.0.refuse(Error::AmbiguousKey { expected: "xattrs", got: quote(name) }));
        }
        Ok(xattrs)
    }
}

/// A string, borrowed from the document unless it has escapes.
struct Text<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor(PhantomData))
    }
}

struct TextVisitor<'de>(PhantomData<&'de str>);

impl<'de> Visitor<'de> for TextVisitor<'de> {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// Skips a value, within the remaining depth.
struct Skip<'r, 'l> {
    reader: &'r mut Reader<'l>,
    depth: u32,
}

impl<'de> DeserializeSeed<'de> for Skip<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Skip<'_, '_> {
    fn deeper<E: serde::de::Error>(&mut self) -> Result<u32, E> {
        let deeper = self.depth.checked_sub(1);
        deeper.ok_or_else(|| self.reader.refuse(Error::TooDeep { limit: JSON_DEPTH }))
    }
}

impl<'de> Visitor<'de> for Skip<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        while items.next_element_seed(Skip { reader: &mut *self.reader, depth })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        while map.next_key::<Text<'de>>()?.is_some() {
            map.next_value_seed(Skip { reader: &mut *self.reader, depth })?;
        }
        Ok(())
    }
}
