//! Parses one 512-byte header block.

use super::error::Field;
use std::ops::Range;

pub(super) const BLOCK: usize = 512;
pub(super) type Block = [u8; BLOCK];

const MODE: Range<usize> = 100..108;
const UID: Range<usize> = 108..116;
const GID: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const DEV_MAJOR: Range<usize> = 329..337;
const DEV_MINOR: Range<usize> = 337..345;

/// Header formats, distinguished by their magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    V7,
    /// POSIX ustar, which PAX uses as well.
    Ustar,
    Gnu,
    /// star, by J. Schilling.
    Star,
}

/// The fields of a header block.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) format: Format,
    pub(super) typeflag: u8,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) size: i64,
    pub(super) mode: i64,
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) mtime: i64,
    pub(super) major: i64,
    pub(super) minor: i64,
    /// The checksum is correct only when summed as signed bytes.
    pub(super) signed_checksum: bool,
    /// The block has the magic and version of POSIX or GNU. Some readers treat any other header as V7.
    pub(super) magic: bool,
    /// The header has no ustar prefix field, but bytes where it would be. Only some readers use them.
    pub(super) stray_prefix: bool,
    /// A number that some readers parse differently or reject.
    pub(super) odd_number: bool,
}

/// Whether a block is a header with a valid checksum.
pub(crate) fn is_header(block: &Block) -> bool {
    checksum(block).is_some()
}

pub(super) fn is_zero(block: &Block) -> bool {
    block.iter().fold(0, |any, byte| any | byte) == 0
}

/// Bytes that pad data of this length to a whole block.
pub(super) fn padding(length: u64) -> u64 {
    length.wrapping_neg() % BLOCK as u64
}

impl Header {
    pub(super) fn parse(block: &Block) -> Result<Self, Field> {
        let signed_checksum = checksum(block).ok_or(Field::Checksum)?;
        let format = format(block);
        let mut name = text(&block[..100]).to_vec();
        let link = text(&block[157..257]).to_vec();
        let size = number(&block[SIZE]).ok_or(Field::Size)?;
        let mode = number(&block[MODE]).ok_or(Field::Mode)?;
        let uid = number(&block[UID]).ok_or(Field::Uid)?;
        let gid = number(&block[GID]).ok_or(Field::Gid)?;
        let mtime = number(&block[MTIME]).ok_or(Field::ModTime)?;
        let (mut major, mut minor) = (0, 0);
        if format != Format::V7 {
            major = number(&block[DEV_MAJOR]).ok_or(Field::DevMajor)?;
            minor = number(&block[DEV_MINOR]).ok_or(Field::DevMinor)?;
        }
        let prefix = match format {
            Format::V7 => None,
            Format::Ustar => Some(text(&block[345..500])),
            Format::Star => {
                number(&block[476..488]).ok_or(Field::AccessTime)?;
                number(&block[488..500]).ok_or(Field::ChangeTime)?;
                Some(text(&block[345..476]))
            }
            // Old Go versions wrote a prefix over GNU's access and change times. If these are not numbers and the
            // prefix is ASCII, use it as the prefix.
            Format::Gnu => {
                let time = |field: &[u8]| field.first() == Some(&0) || number(field).is_some();
                let times = time(&block[345..357]) && time(&block[357..369]);
                Some(text(&block[345..500])).filter(|prefix| !times && prefix.is_ascii())
            }
        };
        let magic = format == Format::Gnu || format != Format::V7 && &block[263..265] == b"00";
        let stray_prefix = block[345] != 0 && !(magic && matches!(format, Format::Ustar | Format::Star));
        if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
            name = [prefix, b"/", &name].concat();
        }
        let typeflag = block[156];
        Ok(Self {
            format,
            typeflag,
            name,
            link,
            size,
            mode,
            uid,
            gid,
            mtime,
            major,
            minor,
            signed_checksum,
            magic,
            stray_prefix,
            odd_number: has_odd_number(block, format, magic),
        })
    }
}

/// Whether some readers parse a number differently: Go trims NULs on both sides, others stop at the first; Go accepts
/// any first byte in base 256, and base 256 in device numbers.
fn has_odd_number(block: &Block, format: Format, magic: bool) -> bool {
    let is_binary = |field: &[u8]| field[0] & 0x80 != 0;
    let blank = |field: &[u8]| !is_binary(field) && text(field).iter().all(|&byte| byte == b' ');
    let odd_binary = |field: &[u8]| is_binary(field) && !matches!(field[0], 0x80 | 0xff);
    let (size, sum) = (&block[SIZE], &block[CHECKSUM]);
    let devices = [&block[DEV_MAJOR], &block[DEV_MINOR]];
    let numbers = [&block[MODE], &block[UID], &block[GID], size, &block[MTIME]];
    blank(size)
        || blank(sum)
        || numbers.into_iter().chain(devices).any(odd_binary)
        || magic && devices.into_iter().any(is_binary)
        || format == Format::V7 && devices.into_iter().any(|field| number(field).is_none())
}

/// `Some(true)` if the checksum is correct only with signed bytes, `None` if it is wrong either way.
fn checksum(block: &Block) -> Option<bool> {
    let field = &block[CHECKSUM];
    let stored = octal(field)?;
    let blanks = 8 * u64::from(b' ');
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    let unsigned = sum(block) - sum(field) + blanks;
    if stored == unsigned {
        return Some(false);
    }
    let high = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte >= 0x80).count() as u64;
    let signed = unsigned.checked_sub(256 * (high(block) - high(field)))?;
    (stored == signed).then_some(true)
}

fn format(block: &Block) -> Format {
    match &block[257..265] {
        [b'u', b's', b't', b'a', b'r', 0, ..] if &block[508..] == b"tar\0" => Format::Star,
        [b'u', b's', b't', b'a', b'r', 0, ..] => Format::Ustar,
        b"ustar  \0" => Format::Gnu,
        _ => Format::V7,
    }
}

/// The bytes before the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// A number in octal, or in two's complement base 256 if the first bit is set.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 == 0 {
        return octal(field).map(|n| n as i64);
    }
    let invert = if first & 0x40 != 0 { 0xff } else { 0 };
    let mut n = 0u64;
    for (i, byte) in field.iter().enumerate() {
        let byte = (byte ^ invert) & if i == 0 { 0x7f } else { 0xff };
        if n >> 56 != 0 {
            return None;
        }
        n = n << 8 | u64::from(byte);
    }
    let n = i64::try_from(n).ok()?;
    Some(if invert == 0 { n } else { !n })
}

/// A decimal integer with an optional sign.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// An octal number, padded on either side with spaces and NULs. Empty is zero.
fn octal(field: &[u8]) -> Option<u64> {
    let pad = |byte: &u8| *byte == b' ' || *byte == 0;
    let start = field.iter().position(|byte| !pad(byte)).unwrap_or(field.len());
    let end = field.iter().rposition(|byte| !pad(byte)).map_or(start, |last| last + 1);
    let mut n = 0u64;
    for byte in text(field.get(start..end).unwrap_or_default()) {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 8)?;
        n = n.checked_mul(8)?.checked_add(u64::from(digit))?;
    }
    Some(n)
}
