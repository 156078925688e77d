//! Modules and components of WebAssembly (core specification, 5.5).

use super::{FileFacts, KnownBytes};
use porthole_core::{leb128, path};

/// Sections that are read.
const SECTIONS: u32 = 1000;
/// Names that are listed.
const LISTED: usize = 100;
/// Bytes in front of a section: its kind and its size.
const HEADER: u64 = 6;

pub(super) fn read(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let is_component = known.get(4, 4)? != [1, 0, 0, 0];
    facts.kind = if is_component { "WebAssembly component" } else { "WebAssembly module" };
    let mut at = 8;
    let (mut sections, mut custom) = (0_u32, Vec::new());
    while at < known.size() && sections < SECTIONS {
        let header = known.up_to(at, HEADER)?;
        let (&kind, mut rest) = header.split_first()?;
        let size = u64::from(number(&mut rest)?);
        let start = at + (header.len() - rest.len()) as u64;
        sections += 1;
        at = start + size;
        if kind == 0 {
            let mut body = known.up_to(start, size.min(256))?;
            let length = number(&mut body)? as usize;
            if custom.len() < LISTED {
                custom.push(path::escape(body.get(..length)?).into_owned());
            }
        } else if !is_component {
            let name = match kind {
                2 => "imports",
                3 => "functions",
                7 => "exports",
                11 => "data_segments",
                _ => continue,
            };
            facts.number(name, number(&mut known.up_to(start, size.min(8))?)?);
        }
    }
    facts.number("sections", sections);
    facts.list("custom_sections", custom);
    Some(())
}

/// A number, which has at most 32 bits.
fn number(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = leb128::unsigned(bytes)?;
    *bytes = rest;
    u32::try_from(number).ok()
}
