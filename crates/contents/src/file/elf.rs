//! Programs and libraries of Unix, in ELF (System V ABI, chapters 4 and 5).

use super::{FileFacts, KnownBytes};
use object::{
    Endianness, elf,
    read::{
        StringTable,
        elf::{Dyn as _, FileHeader, ProgramHeader as _, SectionHeader as _},
    },
};
use porthole_core::{digest, path};

/// `PT_NOTE` of type `NT_GNU_BUILD_ID`.
const GNU: &[u8] = b"GNU";
/// Flags of `DT_FLAGS` and `DT_FLAGS_1`: symbols are bound before the program starts; it is position-independent.
const BIND_NOW: u64 = 8;
const NOW: u64 = 1;
const PIE: u64 = 0x0800_0000;
/// Libraries that are listed.
const NEEDED: usize = 1000;

pub(super) fn read(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    match known.get(4, 1)? {
        [1] => read_class::<elf::FileHeader32<Endianness>>(facts, known),
        [2] => read_class::<elf::FileHeader64<Endianness>>(facts, known),
        _ => None,
    }
}

/// What the dynamic section says.
#[derive(Default)]
struct Dynamic {
    needed: Vec<u64>,
    soname: Option<u64>,
    rpath: Option<u64>,
    runpath: Option<u64>,
    /// Address and size of the strings.
    strings: (u64, u64),
    bind_now: bool,
    pie: bool,
}

fn read_class<E: FileHeader<Endian = Endianness>>(facts: &mut FileFacts, known: &KnownBytes) -> Option<()> {
    let header = E::parse(known).ok()?;
    let endian = header.endian().ok()?;
    let kind = header.e_type(endian);
    facts.kind = match kind {
        elf::ET_REL => "ELF object",
        elf::ET_EXEC => "ELF program",
        elf::ET_DYN => "ELF library",
        elf::ET_CORE => "ELF core dump",
        _ => "ELF",
    };
    facts.number("bits", if header.is_type_64() { 64_u64 } else { 32 });
    facts.text("byte_order", if header.is_little_endian() { "little" } else { "big" });
    facts.text("machine", machine(header.e_machine(endian)));
    let segments = header.program_headers(endian, known).ok()?;
    let mut dynamic = None;
    let (mut interpreter, mut build_id, mut relro, mut executable_stack) = (None, None, false, None);
    for segment in segments {
        match segment.p_type(endian) {
            elf::PT_INTERP => interpreter = segment.interpreter(endian, known).ok().flatten(),
            elf::PT_GNU_RELRO => relro = true,
            elf::PT_GNU_STACK => executable_stack = Some(segment.p_flags(endian) & elf::PF_X != 0),
            elf::PT_DYNAMIC => {
                dynamic = segment.dynamic(endian, known).ok().flatten().map(|all| read_dynamic::<E>(all, endian))
            }
            elf::PT_NOTE => {
                let notes = segment.notes(endian, known).ok().flatten();
                let is_id = |note: &object::read::elf::Note<'_, E>| {
                    note.name() == GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID
                };
                let found = notes.into_iter().flatten().map_while(Result::ok).find(is_id);
                build_id = found.map(|note| digest::hex(note.desc())).or(build_id);
            }
            _ => {}
        }
    }
    // The C library can be run as well, and has a name as a library.
    let runs = |dynamic: &Dynamic| dynamic.pie || interpreter.is_some() && dynamic.soname.is_none();
    if kind == elf::ET_DYN && dynamic.as_ref().is_some_and(runs) {
        facts.kind = "ELF program";
        facts.flag("position_independent", true);
    }
    if let Some(interpreter) = interpreter {
        facts.bytes("interpreter", interpreter);
    }
    if matches!(kind, elf::ET_EXEC | elf::ET_DYN) {
        facts.text(
            "linking",
            if dynamic.is_some() && interpreter.is_some() || facts.kind == "ELF library" {
                "dynamic"
            } else {
                "static"
            },
        );
    }
    if let Some(dynamic) = &dynamic {
        let (address, size) = dynamic.strings;
        // Where the loader finds them.
        let place = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD).find_map(|segment| {
            let inside = address.checked_sub(segment.p_vaddr(endian).into())?;
            let (offset, length) = segment.file_range(endian);
            offset.checked_add(inside).filter(|_| inside < length)
        });
        if let Some(place) = place {
            let strings = StringTable::new(known, place, place.saturating_add(size));
            let text = |at: u64| {
                let text = strings.get(u32::try_from(at).ok()?).ok()?;
                Some(path::escape(text).into_owned())
            };
            facts.list("needed", dynamic.needed.iter().filter_map(|&at| text(at)).collect());
            let singles = [("soname", dynamic.soname), ("rpath", dynamic.rpath), ("runpath", dynamic.runpath)];
            for (name, at) in singles {
                if let Some(text) = at.and_then(text) {
                    facts.text(name, text);
                }
            }
        }
    }
    if let Some(id) = build_id {
        facts.text("build_id", id);
    }
    if matches!(kind, elf::ET_EXEC | elf::ET_DYN) {
        let full = dynamic.is_some_and(|dynamic| dynamic.bind_now);
        facts.text(
            "relro",
            match (relro, full) {
                (true, true) => "full",
                (true, false) => "partial",
                (false, _) => "none",
            },
        );
        if let Some(executable) = executable_stack {
            facts.flag("executable_stack", executable);
        }
    }
    let sections = header.sections(endian, known).ok()?;
    facts.number("sections", sections.len() as u64);
    if kind != elf::ET_REL && kind != elf::ET_CORE {
        facts.flag("stripped", !sections.iter().any(|section| section.sh_type(endian) == elf::SHT_SYMTAB));
    }
    let names = [b".debug_info".as_slice(), b".zdebug_info"];
    facts.flag("debug_info", names.iter().any(|name| sections.section_by_name(endian, name).is_some()));
    Some(())
}

fn read_dynamic<E: FileHeader<Endian = Endianness>>(entries: &[E::Dyn], endian: Endianness) -> Dynamic {
    let mut found = Dynamic::default();
    for entry in entries {
        let value = entry.d_val(endian).into();
        match entry.tag32(endian) {
            Some(elf::DT_NULL) => break,
            Some(elf::DT_NEEDED) if found.needed.len() < NEEDED => found.needed.push(value),
            Some(elf::DT_SONAME) => found.soname = Some(value),
            Some(elf::DT_RPATH) => found.rpath = Some(value),
            Some(elf::DT_RUNPATH) => found.runpath = Some(value),
            Some(elf::DT_STRTAB) => found.strings.0 = value,
            Some(elf::DT_STRSZ) => found.strings.1 = value,
            Some(elf::DT_BIND_NOW) => found.bind_now = true,
            Some(elf::DT_FLAGS) => found.bind_now |= value & BIND_NOW != 0,
            Some(elf::DT_FLAGS_1) => {
                found.bind_now |= value & NOW != 0;
                found.pie = value & PIE != 0;
            }
            _ => {}
        }
    }
    found
}

fn machine(number: u16) -> String {
    let name = match number {
        elf::EM_386 => "i386",
        elf::EM_X86_64 => "x86-64",
        elf::EM_ARM => "ARM",
        elf::EM_AARCH64 => "AArch64",
        elf::EM_RISCV => "RISC-V",
        elf::EM_PPC => "PowerPC",
        elf::EM_PPC64 => "PowerPC64",
        elf::EM_S390 => "S/390",
        elf::EM_MIPS => "MIPS",
        elf::EM_LOONGARCH => "LoongArch",
        elf::EM_SPARCV9 => "SPARC V9",
        elf::EM_IA_64 => "IA-64",
        elf::EM_BPF => "eBPF",
        number => return format!("machine {number}"),
    };
    name.to_owned()
}
