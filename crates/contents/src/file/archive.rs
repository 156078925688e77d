//! What is in an archive: the members of zip and ar by their directories, those of tar while all of it is read.

use super::{FileFacts, KnownBytes};
use crate::{
    limits::{LISTED_MEMBERS, LISTED_NAME_BYTES, SCANNED_ARCHIVE_BYTES},
    zip::{self, Directory},
};
use porthole_core::{
    calendar,
    decode::{Decoder, Format, MIN_OUTPUT},
    limits::Limits,
    media_type::Compression,
    tar::{Entry, EntrySink, Flow, Kind, Scanner},
};

/// The members of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveMembers {
    /// In the order of the archive, at most [`LISTED_MEMBERS`].
    pub listed: Vec<ArchiveMember>,
    /// How many members there are in the part of the archive that was read.
    pub count: u64,
    /// Why there may be more.
    pub problem: Option<String>,
    names: usize,
}

/// A member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveMember {
    /// Its name as stored.
    pub path: Vec<u8>,
    /// The type of the member.
    pub kind: Kind,
    /// Size in bytes, unpacked.
    pub size: u64,
    /// Bytes that it takes in the archive, where each member is packed by itself.
    pub packed: Option<u64>,
    /// Seconds since 1970: in UTC, or, where a zip archive does not say so, in the local time of its author.
    pub modified: Option<i64>,
    /// What a link leads to.
    pub link: Vec<u8>,
}

impl ArchiveMember {
    /// When it was written, as `2026-11-18 09:30:00`: a zip archive does not say in which zone.
    pub fn written(&self) -> Option<String> {
        self.modified.map(|seconds| calendar::iso(seconds).replace('T', " ").replace('Z', ""))
    }
}

impl ArchiveMembers {
    fn add(&mut self, member: ArchiveMember) {
        self.count += 1;
        self.names += member.path.len() + member.link.len();
        if self.listed.len() < LISTED_MEMBERS && self.names <= LISTED_NAME_BYTES {
            self.listed.push(member);
        }
    }
}

/// The central directory of a zip archive.
pub(super) fn zip(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let size = known.size();
    let tail = zip::TAIL.min(size);
    let place = zip::place(known.get(size - tail, tail)?, size)?;
    let mut members = ArchiveMembers::default();
    let mut directory = Directory::new(known.get(place.offset, place.length)?, place.count);
    for entry in &mut directory {
        let name = entry.name;
        members.add(ArchiveMember {
            path: name.to_vec(),
            kind: if name.ends_with(b"/") { Kind::Directory } else { Kind::File },
            size: entry.size,
            packed: Some(entry.packed),
            modified: entry.modified,
            link: Vec::new(),
        });
    }
    if members.count < place.count {
        members.problem = Some(format!("expected {} members, got {}", place.count, members.count));
    }
    let has = |name: &[u8]| members.listed.iter().any(|member| member.path == name);
    let ends = |end: &[u8]| members.listed.iter().any(|member| member.path.ends_with(end));
    if has(b"META-INF/MANIFEST.MF") {
        facts.kind = "Java archive";
    } else if ends(b".dist-info/WHEEL") {
        facts.kind = "Python wheel";
    }
    facts.members = Some(members);
    Some(())
}

/// Bytes of a header in an ar archive.
const AR_HEADER: u64 = 60;

/// The headers of an ar archive: a package of Debian, or a library.
pub(super) fn ar(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let mut members = ArchiveMembers::default();
    let mut at = 8;
    while at + AR_HEADER <= known.size() && members.listed.len() < LISTED_MEMBERS {
        let Some(header) = known.get(at, AR_HEADER) else {
            members.problem = Some(format!("the archive is read to byte {at}"));
            break;
        };
        let number =
            |from: usize, to: usize| std::str::from_utf8(&header[from..to]).ok()?.trim_end().parse::<u64>().ok();
        let (Some(size), b"`\n") = (number(48, 58), &header[58..]) else {
            members.problem = Some(format!("no header at byte {at}"));
            break;
        };
        let name = header[..16].trim_ascii_end();
        members.add(ArchiveMember {
            path: name
                .strip_suffix(b"/")
                .filter(|rest| !rest.is_empty() && !rest.starts_with(b"/"))
                .unwrap_or(name)
                .to_vec(),
            kind: Kind::File,
            size,
            packed: None,
            modified: number(16, 28).and_then(|seconds| i64::try_from(seconds).ok()),
            link: Vec::new(),
        });
        at += AR_HEADER + size.next_multiple_of(2).min(known.size());
    }
    if members.listed.first().is_some_and(|member| member.path == b"debian-binary") {
        facts.kind = "Debian package";
    }
    facts.members = Some(members);
    Some(())
}

/// The header of gzip (RFC 1952, 2.3), and the size at its end.
pub(super) fn gzip(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    const NAME: u8 = 8;
    const EXTRA: u8 = 4;
    let header = known.get(0, 10)?;
    let modified = u32::from_le_bytes(header[4..8].try_into().ok()?);
    if modified != 0 {
        facts.text("modified", calendar::iso(modified.into()));
    }
    if header[3] & (NAME | EXTRA) == NAME {
        let name = known.up_to(10, 1024)?.split(|&byte| byte == 0).next()?;
        facts.bytes("name", name);
    }
    let size = known.get(known.size().checked_sub(4)?, 4)?;
    facts.number("unpacked_size", u32::from_le_bytes(size.try_into().ok()?));
    Some(())
}

/// Lists the members of a tar archive, plain or packed with gzip or zstd, while its bytes pass.
pub struct MemberScan {
    decoder: Decoder,
    scanner: Scanner,
    buffer: Vec<u8>,
    /// The first unpacked bytes, until it is known whether they are an archive.
    head: Option<Vec<u8>>,
    unpacked: u64,
    found: ArchiveMembers,
    over: bool,
}

impl MemberScan {
    /// A scan of a file that begins with these bytes. `None`: it has no format in which an archive of this kind comes.
    pub fn new(head: &[u8]) -> Option<Self> {
        let compression = Format::sniff(head)?.compression()?;
        let limits = Limits::of_a_tab();
        Some(Self {
            decoder: Decoder::new(compression, &limits),
            scanner: Scanner::new(&limits),
            buffer: if compression == Compression::None { Vec::new() } else { vec![0; MIN_OUTPUT] },
            head: (compression != Compression::None).then(Vec::new),
            unpacked: 0,
            found: ArchiveMembers::default(),
            over: false,
        })
    }

    /// Takes the next bytes of the file. Returns whether it wants more.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        if self.over {
            return false;
        }
        if self.buffer.is_empty() {
            self.scan(bytes);
            return !self.over;
        }
        let (mut input, mut buffer) = (bytes, std::mem::take(&mut self.buffer));
        while !self.over {
            let step = match self.decoder.decode(input, &mut buffer) {
                Ok(step) => step,
                Err(error) => {
                    self.end(error.to_string());
                    break;
                }
            };
            input = input.get(step.read..).unwrap_or_default();
            self.unpack(buffer.get(..step.written).unwrap_or_default());
            if step.starved {
                break;
            }
        }
        self.buffer = buffer;
        !self.over
    }

    fn unpack(&mut self, bytes: &[u8]) {
        let Some(head) = &mut self.head else { return self.scan(bytes) };
        head.extend_from_slice(bytes);
        if head.len() < Format::PREFIX {
            return;
        }
        match Format::sniff(head) {
            Some(Format::Tar) => {
                let head = self.head.take().unwrap_or_default();
                self.scan(&head);
            }
            _ => self.over = true,
        }
    }

    fn scan(&mut self, bytes: &[u8]) {
        self.unpacked += bytes.len() as u64;
        if let Err(error) = self.scanner.push(bytes, &mut self.found) {
            return self.end(error.to_string());
        }
        if self.found.listed.len() >= LISTED_MEMBERS && self.found.count > self.found.listed.len() as u64 {
            return self.end(format!("the first {LISTED_MEMBERS} are listed"));
        }
        if self.unpacked > SCANNED_ARCHIVE_BYTES {
            self.end(format!("the archive is read to byte {SCANNED_ARCHIVE_BYTES}"));
        }
    }

    fn end(&mut self, problem: String) {
        self.over = true;
        if self.head.is_none() {
            self.found.problem = Some(problem);
        }
    }

    /// What was found. `None`: it is no archive.
    pub fn finish(self) -> Option<ArchiveMembers> {
        self.head.is_none().then_some(self.found)
    }
}

impl EntrySink for ArchiveMembers {
    fn entry(&mut self, entry: Entry) -> Flow {
        if !matches!(entry.kind, Kind::Global) {
            self.add(ArchiveMember {
                path: entry.path,
                kind: entry.kind,
                size: entry.size,
                packed: None,
                modified: Some(entry.mtime),
                link: entry.link,
            });
        }
        Flow::Continue
    }
}
