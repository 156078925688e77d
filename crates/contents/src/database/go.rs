//! The build information that the Go linker puts into a program (`debug/buildinfo`), in the inline form of Go 1.18 and later.

use super::{Record, Unreadable, text};
use crate::{
    limits::BUILD_INFO_BYTES,
    package::{Ecosystem, Package},
};
use memchr::memmem;
use porthole_core::leb128;

/// Starts the build information. Go aligns it to 16 bytes.
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Magic, size of a pointer, flags, and padding.
const HEADER: usize = 32;
/// Flag: the texts follow the header.
const INLINE: u8 = 2;
/// Around the text about modules, where the runtime cuts them off.
const SENTINEL: usize = 16;

/// Looks for build information in a program that is pushed in pieces, and keeps no more than a few MiB of it.
#[derive(Debug, Default)]
pub struct GoScan {
    /// The last bytes, in which the magic may have begun; or everything since the magic.
    kept: Vec<u8>,
    found: bool,
}

impl GoScan {
    /// Takes the next bytes of the program.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.found {
                let room = BUILD_INFO_BYTES.saturating_sub(self.kept.len());
                let (taken, more) = rest.split_at(rest.len().min(room));
                self.kept.extend_from_slice(taken);
                if refuted(&self.kept) {
                    // The magic is also a constant of programs that read build information.
                    let kept = std::mem::take(&mut self.kept);
                    self.found = false;
                    self.search(&kept[1..]);
                }
                if more.len() == rest.len() {
                    return;
                }
                rest = more;
            } else {
                self.search(rest);
                return;
            }
        }
    }

    /// The build information with what follows it, if the program has any.
    pub fn finish(self) -> Option<Vec<u8>> {
        (self.found && self.kept.len() > HEADER).then_some(self.kept)
    }

    fn search(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(at) = memmem::find(&self.kept[from..], MAGIC) {
            if !refuted(&self.kept[from + at..]) {
                self.kept.drain(..from + at);
                self.kept.truncate(BUILD_INFO_BYTES);
                self.found = true;
                return;
            }
            from += at + 1;
        }
        let keep = (self.kept.len() - from).min(MAGIC.len() - 1);
        self.kept.drain(..self.kept.len() - keep);
    }
}

/// Whether the bytes so far, which start with the magic, cannot be a header.
fn refuted(found: &[u8]) -> bool {
    let pointer = found.get(MAGIC.len()).copied().unwrap_or(8);
    let flags = found.get(MAGIC.len() + 1).copied().unwrap_or(INLINE);
    !matches!(pointer, 0 | 4 | 8) || flags & INLINE == 0
}

/// The modules of a program: its own, and those that it depends on, with their replacements.
pub(super) fn build_info(found: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let malformed = || Unreadable::malformed("the build information of a Go program");
    let after = found.get(HEADER..).ok_or_else(malformed)?;
    let (version, after) = string(after).ok_or_else(malformed)?;
    let (modules, _) = string(after).ok_or_else(malformed)?;
    let version = std::str::from_utf8(version).map_err(|_| malformed())?;
    let inner = modules.get(SENTINEL..modules.len().saturating_sub(SENTINEL)).unwrap_or_default();
    let mut packages = Vec::new();
    if let Some(version) = version.split_whitespace().next().and_then(|word| word.strip_prefix("go")) {
        packages.push(Package::new(Ecosystem::Golang, "stdlib", version));
    }
    for line in String::from_utf8_lossy(inner).lines() {
        let mut fields = line.split('\t');
        let (keyword, path, version) = (fields.next(), fields.next().and_then(text), fields.next());
        let version = version.unwrap_or_default();
        match (keyword, path) {
            (Some("mod" | "dep"), Some(path)) => packages.push(Package::new(Ecosystem::Golang, path, version)),
            // The module above is replaced by a local directory of the build, which has no module path.
            (Some("=>"), Some(path)) if path.starts_with(['.', '/']) => {}
            // The module above is replaced by this one.
            (Some("=>"), Some(path)) if packages.len() > 1 => {
                packages.pop();
                packages.push(Package::new(Ecosystem::Golang, path, version));
            }
            _ => {}
        }
    }
    Ok(packages.into_iter().map(Record::Package).collect())
}

/// A text with its length before it, as a varint.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, after) = leb128::unsigned(bytes)?;
    let length = usize::try_from(length).ok()?;
    (length <= after.len()).then(|| after.split_at(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(modules: &str) -> Vec<u8> {
        let mut bytes = vec![0x7f; 100];
        // A program that reads build information itself has the magic as a constant.
        bytes.extend(MAGIC);
        bytes.extend(*b"\x05\x01 other data");
        bytes.resize(4096, 7);
        bytes.extend(MAGIC);
        bytes.extend([8, INLINE]);
        bytes.resize(4096 + HEADER, 0);
        let modules = [&[0xAA; SENTINEL], modules.as_bytes(), &[0xBB; SENTINEL]].concat();
        for text in [b"go1.22.1 X:boringcrypto".as_slice(), &modules] {
            let mut length = text.len();
            while length >= 0x80 {
                bytes.push(length as u8 | 0x80);
                length >>= 7;
            }
            bytes.push(length as u8);
            bytes.extend(text);
        }
        bytes.resize(9000, 1);
        bytes
    }

    const MODULES: &str = "path\texample.com/cmd/tool\nmod\texample.com/tool\t(devel)\t\ndep\tgolang.org/x/sys\tv0.18.0\th1:x=\n\
        dep\texample.com/old\tv1.0.0\n=>\texample.com/new\tv1.0.1\th1:y=\ndep\texample.com/own\tv0.1.0\n=>\t./own\t(devel)\t\nbuild\t-compiler=gc\n";

    #[test]
    fn modules_are_found_in_any_split() {
        let program = program(MODULES);
        let expected = [
            ("stdlib", "1.22.1"),
            ("example.com/tool", "(devel)"),
            ("golang.org/x/sys", "v0.18.0"),
            ("example.com/new", "v1.0.1"),
            ("example.com/own", "v0.1.0"),
        ];
        let expected: Vec<_> = expected.map(|(n, v)| Record::Package(Package::new(Ecosystem::Golang, n, v))).into();
        for size in [1, 13, 100, 4100, 9000] {
            let mut scan = GoScan::default();
            program.chunks(size).for_each(|chunk| scan.push(chunk));
            assert_eq!(build_info(&scan.finish().unwrap()), Ok(expected.clone()), "in chunks of {size}");
        }
    }

    #[test]
    fn a_program_of_another_language_has_none() {
        let mut scan = GoScan::default();
        scan.push(&[0; 5000]);
        scan.push(b"\xff Go buildin");
        assert_eq!(scan.finish(), None);
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error() {
        let mut found = program(MODULES)[4096..].to_vec();
        found[HEADER] = 0xff;
        assert!(build_info(&found).is_err());
        assert!(build_info(&found[..20]).is_err());
    }
}
