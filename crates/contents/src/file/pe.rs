//! Programs of Windows: PE behind a header of DOS (Microsoft's *PE Format*).

use super::{FileFacts, KnownBytes};
use object::{
    LittleEndian as LE, pe,
    read::pe::{ImageNtHeaders, ImageOptionalHeader as _},
};
use porthole_core::path;

/// Libraries that are listed.
const NEEDED: usize = 1000;

pub(super) fn read(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let at = u64::from(u32::from_le_bytes(known.get(0x3c, 4)?.try_into().ok()?));
    if known.get(at, 4)? != b"PE\0\0" {
        return None;
    }
    match known.get(at + 24, 2)? {
        [0x0b, 0x01] => read_width::<pe::ImageNtHeaders32>(facts, known, at),
        [0x0b, 0x02] => read_width::<pe::ImageNtHeaders64>(facts, known, at),
        _ => None,
    }
}

fn read_width<H: ImageNtHeaders>(facts: &mut FileFacts, known: &KnownBytes, mut at: u64) -> Option<()> {
    let (headers, directories) = H::parse(known, &mut at).ok()?;
    let (header, optional) = (headers.file_header(), headers.optional_header());
    let flags = header.characteristics.get(LE);
    facts.kind = if flags & pe::IMAGE_FILE_DLL == 0 { "PE program" } else { "PE library" };
    facts.number("bits", if headers.is_type_64() { 64_u64 } else { 32 });
    facts.text(
        "machine",
        match header.machine.get(LE) {
            pe::IMAGE_FILE_MACHINE_I386 => "i386".to_owned(),
            pe::IMAGE_FILE_MACHINE_AMD64 => "x86-64".to_owned(),
            pe::IMAGE_FILE_MACHINE_ARMNT => "ARM".to_owned(),
            pe::IMAGE_FILE_MACHINE_ARM64 => "AArch64".to_owned(),
            machine => format!("machine {machine:#06x}"),
        },
    );
    facts.text(
        "subsystem",
        match optional.subsystem() {
            pe::IMAGE_SUBSYSTEM_NATIVE => "native".to_owned(),
            pe::IMAGE_SUBSYSTEM_WINDOWS_GUI => "graphical".to_owned(),
            pe::IMAGE_SUBSYSTEM_WINDOWS_CUI => "console".to_owned(),
            10..=13 => "EFI".to_owned(),
            subsystem => format!("subsystem {subsystem}"),
        },
    );
    facts.flag("dotnet", directories.get(pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR).is_some());
    facts.flag("signed", directories.get(pe::IMAGE_DIRECTORY_ENTRY_SECURITY).is_some());
    let sections = headers.sections(known, at).ok()?;
    facts.number("sections", sections.len() as u64);
    let imports = directories.import_table(known, &sections).ok()??;
    let mut descriptors = imports.descriptors().ok()?;
    let mut needed = Vec::new();
    while let Ok(Some(descriptor)) = descriptors.next()
        && needed.len() < NEEDED
    {
        needed.push(path::escape(imports.name(descriptor.name.get(LE)).ok()?).into_owned());
    }
    facts.list("needed", needed);
    Some(())
}
