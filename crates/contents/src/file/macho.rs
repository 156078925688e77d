//! Programs of macOS, in Mach-O (`mach-o/loader.h`, `mach-o/fat.h`).

use super::{FileFacts, KnownBytes};
use object::{
    BigEndian, Endianness, ReadRef as _, macho,
    read::macho::{LoadCommandVariant, MachHeader},
};
use porthole_core::{digest, path};

/// Libraries and architectures that are listed.
const MOST: usize = 1000;

pub(super) fn read(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    match known.get(0, 4)? {
        [0xcf, ..] | [.., 0xcf] => read_width::<macho::MachHeader64<Endianness>>(facts, known),
        _ => read_width::<macho::MachHeader32<Endianness>>(facts, known),
    }
}

fn read_width<H: MachHeader<Endian = Endianness>>(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let header = H::parse(known, 0).ok()?;
    let endian = header.endian().ok()?;
    facts.kind = match header.filetype(endian) {
        macho::MH_OBJECT => "Mach-O object",
        macho::MH_EXECUTE => "Mach-O program",
        macho::MH_DYLIB => "Mach-O library",
        macho::MH_BUNDLE => "Mach-O bundle",
        _ => "Mach-O",
    };
    facts.number("bits", if header.is_type_64() { 64_u64 } else { 32 });
    facts.text("machine", machine(header.cputype(endian)));
    let mut commands = header.load_commands(endian, known, 0).ok()?;
    let (mut needed, mut signed) = (Vec::new(), false);
    while let Ok(Some(command)) = commands.next() {
        signed |= command.cmd() == macho::LC_CODE_SIGNATURE;
        let text = |at| command.string(endian, at).ok().map(|text| path::escape(text).into_owned());
        match command.variant() {
            Ok(LoadCommandVariant::Dylib(library)) if needed.len() < MOST => needed.extend(text(library.dylib.name)),
            Ok(LoadCommandVariant::IdDylib(library)) => {
                text(library.dylib.name).into_iter().for_each(|name| facts.text("soname", name));
            }
            Ok(LoadCommandVariant::LoadDylinker(linker)) => {
                text(linker.name).into_iter().for_each(|name| facts.text("interpreter", name));
            }
            Ok(LoadCommandVariant::Uuid(id)) => {
                facts.text("build_id", digest::hex(&id.uuid));
            }
            _ => {}
        }
    }
    facts.list("needed", needed);
    facts.flag("signed", signed);
    Some(())
}

/// The architectures of a file that has several programs.
pub(super) fn fat(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let mut at = 0;
    let header = known.read::<macho::FatHeader>(&mut at).ok()?;
    let count = (header.nfat_arch.get(BigEndian) as usize).min(MOST);
    let parts = known.read_slice::<macho::FatArch32>(&mut at, count).ok()?;
    facts.list("machines", parts.iter().map(|part| machine(part.cputype.get(BigEndian))).collect());
    Some(())
}

fn machine(number: u32) -> String {
    match number {
        macho::CPU_TYPE_X86 => "i386".to_owned(),
        macho::CPU_TYPE_X86_64 => "x86-64".to_owned(),
        macho::CPU_TYPE_ARM => "ARM".to_owned(),
        macho::CPU_TYPE_ARM64 => "AArch64".to_owned(),
        number => format!("machine {number:#x}"),
    }
}
