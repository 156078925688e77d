//! The size of pictures.

use super::{FileFacts, KnownBytes};

/// Segments of a JPEG file that are read before its frame.
const SEGMENTS: u32 = 200;

fn size(facts: &mut FileFacts, width: u32, height: u32) -> Option<()> {
    facts.number("width", width);
    facts.number("height", height);
    Some(())
}

/// `IHDR` (PNG, 11.2.1).
pub(super) fn png(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let header = known.get(16, 8)?;
    let number = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    size(facts, number(0)?, number(4)?)
}

/// The first frame header (ITU T.81, B.2.2).
pub(super) fn jpeg(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let mut at = 2;
    for _ in 0..SEGMENTS {
        let [0xff, kind, high, low] = *known.get(at, 4)? else { return None };
        if matches!(kind, 0xc0..=0xcf) && !matches!(kind, 0xc4 | 0xc8 | 0xcc) {
            let [height_high, height, width_high, width] = *known.get(at + 5, 4)? else { return None };
            let [height, width] = [[height_high, height], [width_high, width]].map(u16::from_be_bytes).map(u32::from);
            return size(facts, width, height);
        }
        at += 2 + u64::from(u16::from_be_bytes([high, low])).max(2);
    }
    None
}

/// The logical screen (GIF89a, 18).
pub(super) fn gif(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let [width, width_high, height, height_high] = *known.get(6, 4)? else { return None };
    size(facts, u16::from_le_bytes([width, width_high]).into(), u16::from_le_bytes([height, height_high]).into())
}

/// The first chunk (RFC 9649, 2).
pub(super) fn webp(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let chunk = known.get(12, 18)?;
    let three = |at: usize| Some(u32::from_le_bytes([*chunk.get(at)?, *chunk.get(at + 1)?, *chunk.get(at + 2)?, 0]));
    match chunk.get(..4)? {
        b"VP8X" => size(facts, three(12)? + 1, three(15)? + 1),
        b"VP8L" => {
            let bits = u32::from_le_bytes(chunk.get(9..13)?.try_into().ok()?);
            size(facts, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
        }
        b"VP8 " => {
            let two = |at: usize| Some(u32::from(u16::from_le_bytes([*chunk.get(at)?, *chunk.get(at + 1)?]) & 0x3fff));
            size(facts, two(14)?, two(16)?)
        }
        _ => None,
    }
}

/// `BITMAPINFOHEADER`.
pub(super) fn bmp(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let header = known.get(18, 8)?;
    let number = |at: usize| Some(i32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?).unsigned_abs());
    size(facts, number(0)?, number(4)?)
}

/// The sizes of all pictures in an icon.
pub(super) fn icon(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let count = u64::from(u16::from_le_bytes(known.get(4, 2)?.try_into().ok()?).min(256));
    let entries = known.get(6, count * 16)?;
    let side = |byte: u8| if byte == 0 { 256 } else { u32::from(byte) };
    facts.list(
        "pictures",
        entries.chunks_exact(16).map(|entry| format!("{}×{}", side(entry[0]), side(entry[1]))).collect(),
    );
    Some(())
}
