//! The kind of a file, by its first bytes.

use super::{FileFacts, KnownBytes, archive, certificate, elf, key, macho, pe, picture, wasm};

/// Bytes at the beginning that identify the kind.
const HEAD: u64 = 4096;

/// Adds the facts of a kind of file. `None` if there are no more, or bytes are missing.
type Reader = fn(&mut FileFacts, &KnownBytes) -> Option<()>;

/// Offset and value of the bytes that identify a kind, and the function that reads its facts.
struct Magic(usize, &'static [u8], &'static str, Reader);

const KINDS: &[Magic] = &[
    Magic(0, b"\x7fELF", "ELF", elf::read),
    Magic(0, b"MZ", "DOS program", pe::read),
    Magic(0, b"\xcf\xfa\xed\xfe", "Mach-O", macho::read),
    Magic(0, b"\xce\xfa\xed\xfe", "Mach-O", macho::read),
    Magic(0, b"\xfe\xed\xfa\xcf", "Mach-O", macho::read),
    Magic(0, b"\xfe\xed\xfa\xce", "Mach-O", macho::read),
    Magic(0, b"\0asm", "WebAssembly", wasm::read),
    Magic(0, b"#!", "script", script),
    Magic(0, b"PK\x03\x04", "zip archive", archive::zip),
    Magic(0, b"PK\x05\x06", "zip archive", archive::zip),
    Magic(0, b"!<arch>\n", "ar archive", archive::ar),
    Magic(0, b"\x1f\x8b\x08", "gzip", archive::gzip),
    Magic(0, b"\x28\xb5\x2f\xfd", "zstd", nothing),
    Magic(0, b"\xfd7zXZ\0", "xz", nothing),
    Magic(0, b"BZh", "bzip2", nothing),
    Magic(0, b"\x04\x22\x4d\x18", "lz4", nothing),
    Magic(257, b"ustar", "tar archive", nothing),
    Magic(0, b"7z\xbc\xaf\x27\x1c", "7z archive", nothing),
    Magic(0, b"Rar!\x1a\x07", "RAR archive", nothing),
    Magic(0, b"070701", "cpio archive", nothing),
    Magic(0, b"070702", "cpio archive", nothing),
    Magic(0, b"\xed\xab\xee\xdb", "RPM package", nothing),
    Magic(0, b"SQLite format 3\0", "SQLite database", sqlite),
    Magic(0, b"\x89PNG\r\n\x1a\n", "PNG picture", picture::png),
    Magic(0, b"\xff\xd8\xff", "JPEG picture", picture::jpeg),
    Magic(0, b"GIF8", "GIF picture", picture::gif),
    Magic(8, b"WEBP", "WebP picture", picture::webp),
    Magic(0, b"BM", "BMP picture", picture::bmp),
    Magic(0, b"\0\0\x01\0", "icon", picture::icon),
    Magic(0, b"II*\0", "TIFF picture", nothing),
    Magic(0, b"MM\0*", "TIFF picture", nothing),
    Magic(0, b"%PDF-", "PDF document", nothing),
    Magic(0, b"OggS", "Ogg media", nothing),
    Magic(4, b"ftyp", "MPEG-4 media", nothing),
    Magic(0, b"\0\x01\0\0\0", "TrueType font", nothing),
    Magic(0, b"OTTO", "OpenType font", nothing),
    Magic(0, b"wOFF", "WOFF font", nothing),
    Magic(0, b"wOF2", "WOFF2 font", nothing),
    Magic(0, b"TZif", "time zone data", nothing),
    Magic(0, b"\xde\x12\x04\x95", "gettext catalogue", nothing),
    Magic(0, b"\x95\x04\x12\xde", "gettext catalogue", nothing),
    Magic(0, b"\x1a\x01", "terminfo entry", nothing),
    Magic(0, b"\x1e\x02", "terminfo entry", nothing),
    Magic(0, b"BC\xc0\xde", "LLVM bitcode", nothing),
    Magic(0, b"hsqs", "squashfs file system", nothing),
    Magic(0, b"QFI\xfb", "QCOW2 disk", nothing),
    Magic(0, b"PACK", "git pack", nothing),
    Magic(0, b"LPKSHHRH", "systemd journal", nothing),
    Magic(0, b"GGUF", "GGUF model", nothing),
    Magic(0x438, b"\x53\xef", "ext file system", nothing),
    Magic(0x202, b"HdrS", "Linux kernel", nothing),
];

/// Reads a file.
pub(super) fn read(facts: &mut FileFacts, known: &KnownBytes) {
    let head = known.start(HEAD);
    facts.kind = match head {
        [] => "empty file",
        _ => "data",
    };
    // A class of Java and a Mach-O of several architectures begin alike. The first has a version of 45 or more, the second fewer parts.
    if let [0xca, 0xfe, 0xba, 0xbe, version @ .., _] = head.get(..9).unwrap_or_default() {
        let number = u32::from_be_bytes([version[0], version[1], version[2], version[3]]);
        if number & 0xffff < 45 {
            facts.kind = "Mach-O for several architectures";
            macho::fat(facts, known);
        } else {
            facts.kind = "Java class";
            facts.number("class_version", number & 0xffff);
        }
        return;
    }
    let fits = |Magic(at, bytes, ..): &&Magic| head.get(*at..).is_some_and(|rest| rest.starts_with(bytes));
    if let Some(Magic(_, _, kind, read)) = KINDS.iter().find(fits) {
        facts.kind = kind;
        read(facts, known);
        return;
    }
    if certificate::read(facts, known).is_some() || key::read(facts, known).is_some() {
        return;
    }
    // A character may be cut at the end of what is known.
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return,
    };
    if text.is_empty() || text.contains('\0') {
        return;
    }
    let trimmed = text.trim_start_matches('\u{feff}').trim_start();
    facts.kind = match trimmed.as_bytes() {
        [b'{' | b'[', ..] if looks_like_json(trimmed) => "JSON text",
        [b'<', ..] if trimmed.contains("<svg") => "SVG picture",
        [b'<', ..] if trimmed.starts_with("<?xml") => "XML text",
        [b'<', ..] if trimmed.get(..14).is_some_and(|text| text.eq_ignore_ascii_case("<!doctype html")) => "HTML text",
        _ => "text",
    };
}

/// What follows the first bracket of a JSON text.
fn looks_like_json(text: &str) -> bool {
    let next = text.get(1..).unwrap_or_default().trim_start().chars().next();
    match text.starts_with('{') {
        true => matches!(next, Some('"' | '}') | None),
        false => matches!(next, Some('"' | '{' | '[' | ']' | '-' | '0'..='9' | 't' | 'f' | 'n') | None),
    }
}

fn nothing(_: &mut FileFacts, _: &KnownBytes) -> Option<()> {
    Some(())
}

/// The interpreter of a script, and its argument.
fn script(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    // Linux reads no more of the line.
    let line = known.start(256).get(2..)?.split(|&byte| byte == b'\n').next()?.trim_ascii();
    let space = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    facts.bytes("interpreter", &line[..space]);
    let argument = line[space..].trim_ascii();
    if !argument.is_empty() {
        facts.bytes("argument", argument);
    }
    Some(())
}

/// The header of a SQLite database (<https://www.sqlite.org/fileformat2.html>, 1.3).
fn sqlite(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let header = known.get(0, 100)?;
    let long = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        page => u32::from(page),
    };
    facts.number("page_size", page);
    facts.number("pages", long(28)?);
    facts.text(
        "encoding",
        match long(56)? {
            2 => "UTF-16LE",
            3 => "UTF-16BE",
            _ => "UTF-8",
        },
    );
    facts.number("user_version", long(60)?);
    facts.number("application_id", long(68)?);
    Some(())
}
