//! An expression over UTF-16, made of one over bytes.

use super::Error;
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look};

/// The expression that matches in UTF-16 what `hir` matches in ASCII and, as literal text, in UTF-8. It matches at any alignment.
///
/// # Errors
///
/// [`Error::Wide`] for word boundaries, bytes that are not text, and classes with some of the characters beyond ASCII.
pub(super) fn widen(hir: &Hir, big_endian: bool) -> Result<Hir, Error> {
    let wide = |parts: &[Hir]| parts.iter().map(|part| widen(part, big_endian)).collect::<Result<Vec<_>, _>>();
    Ok(match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).map_err(|_| Error::Wide("bytes that are not UTF-8"))?;
            let bytes: Vec<u8> = text
                .encode_utf16()
                .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            Hir::literal(bytes)
        }
        HirKind::Class(Class::Bytes(class)) => widen_class(class, big_endian)?,
        HirKind::Class(Class::Unicode(class)) => match class.to_byte_class() {
            Some(class) => widen_class(&class, big_endian)?,
            None => return Err(Error::Wide("Unicode classes")),
        },
        HirKind::Look(look) => widen_look(*look, big_endian)?,
        HirKind::Repetition(repetition) => {
            let mut repetition = repetition.clone();
            repetition.sub = Box::new(widen(&repetition.sub, big_endian)?);
            Hir::repetition(repetition)
        }
        HirKind::Capture(capture) => widen(&capture.sub, big_endian)?,
        HirKind::Concat(parts) => Hir::concat(wide(parts)?),
        HirKind::Alternation(parts) => Hir::alternation(wide(parts)?),
    })
}

fn widen_class(class: &ClassBytes, big_endian: bool) -> Result<Hir, Error> {
    let unit = |low: ClassBytes, high: ClassBytes| {
        let (low, high) = (Hir::class(Class::Bytes(low)), Hir::class(Class::Bytes(high)));
        Hir::concat(if big_endian { vec![high, low] } else { vec![low, high] })
    };
    let mut ascii = class.clone();
    ascii.intersect(&bytes(0, 0x7f));
    let mut other = class.clone();
    other.intersect(&bytes(0x80, 0xff));
    let narrow = unit(ascii, bytes(0, 0));
    if other.ranges().is_empty() {
        return Ok(narrow);
    }
    if other != bytes(0x80, 0xff) {
        return Err(Error::Wide("classes with some characters beyond ASCII"));
    }
    Ok(Hir::alternation(vec![narrow, unit(bytes(0x80, 0xff), bytes(0, 0)), unit(bytes(0, 0xff), bytes(1, 0xff))]))
}

/// Lines are divided by the byte of a line feed. In UTF-16 the other byte of the character is then at the end of the line before (big
/// endian) or at the start of the line after (little endian), and a byte order mark may be in front of the first line.
fn widen_look(look: Look, big_endian: bool) -> Result<Hir, Error> {
    let literal = |bytes: &[u8]| Hir::literal(bytes.to_vec());
    Ok(match (look, big_endian) {
        (Look::Start | Look::StartLF, false) => Hir::concat(vec![
            Hir::look(Look::StartLF),
            Hir::alternation(vec![literal(b"\0"), literal(b"\xff\xfe"), Hir::empty()]),
        ]),
        (Look::Start | Look::StartLF, true) => {
            Hir::concat(vec![Hir::look(Look::StartLF), Hir::alternation(vec![literal(b"\xfe\xff"), Hir::empty()])])
        }
        (Look::End | Look::EndLF, false) => Hir::look(Look::EndLF),
        (Look::End | Look::EndLF, true) => {
            Hir::concat(vec![Hir::alternation(vec![literal(b"\0"), Hir::empty()]), Hir::look(Look::EndLF)])
        }
        _ => return Err(Error::Wide("word boundaries")),
    })
}

fn bytes(first: u8, last: u8) -> ClassBytes {
    ClassBytes::new([ClassBytesRange::new(first, last)])
}
