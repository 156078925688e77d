//! dpkg's database (`man 5 deb-control`, `man 1 dpkg`) and Debian's machine-readable copyright files (DEP-5).

use super::{Diversion, Owner, Record, all_of, paragraph::paragraphs};
use crate::package::{ContentDigest, Ecosystem, Package, RecordedFile, SourcePackage};
use porthole_core::path;

/// What a paragraph without `Status` means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unstated {
    Installed,
    NotInstalled,
}

/// Packages whose files are on disk: `dpkg-query -W` without those of which only configuration files are left.
pub(super) fn status(bytes: &[u8], unstated: Unstated) -> Vec<Record> {
    let text = String::from_utf8_lossy(bytes);
    let packages = paragraphs(&text).filter_map(|fields| {
        let installed = match fields.get("Status") {
            Some(status) => !matches!(status.split_whitespace().nth(2), None | Some("not-installed" | "config-files")),
            None => unstated == Unstated::Installed,
        };
        let (name, version) = (fields.get("Package")?, fields.get("Version")?);
        installed.then(|| Package {
            architecture: fields.get("Architecture").map(str::to_owned),
            source: fields.get("Source").map(source),
            // In KiB (deb-control(5)).
            size: fields.get("Installed-Size").and_then(|size| size.parse::<u64>().ok()?.checked_mul(1024)),
            recorded: fields.continued("Conffiles").filter_map(configuration).collect(),
            ..Package::new(Ecosystem::Deb, name, version)
        })
    });
    packages.map(Record::Package).collect()
}

/// `path checksum`, and perhaps ` obsolete`. A file that is not yet installed has no checksum.
fn configuration(line: &str) -> Option<RecordedFile> {
    let line = line.strip_suffix(" obsolete").or_else(|| line.strip_suffix(" remove-on-upgrade")).unwrap_or(line);
    let (path, digest) = line.rsplit_once(' ')?;
    let digest = ContentDigest::md5(digest.as_bytes())?;
    Some(RecordedFile { path: path::clean(path.as_bytes()), digest, configuration: true })
}

/// `name`, or `name (version)`.
fn source(field: &str) -> SourcePackage {
    let (name, version) = match field.split_once('(') {
        Some((name, version)) => (name, Some(version.trim_end_matches(')').trim().to_owned())),
        None => (field, None),
    };
    SourcePackage { name: name.trim().to_owned(), version }
}

/// `NAME.list` or `NAME:ARCHITECTURE.list`: a path on each line.
pub(super) fn list(path: &[u8], bytes: &[u8]) -> Vec<Record> {
    let Some(owner) = owner(path, b".list") else { return Vec::new() };
    let files = bytes.split(|&b| b == b'\n').map(path::clean).filter(|path| !path.is_empty()).collect();
    vec![Record::Files { owner, files, size: None }]
}

/// `NAME.md5sums` in `status.d`, where it is also the list of files.
pub(super) fn sums(path: &[u8], bytes: &[u8]) -> Vec<Record> {
    let mut records = recorded(path, bytes);
    if let [Record::Recorded { owner, files }] = records.as_slice() {
        let files = files.iter().map(|file| file.path.clone()).collect();
        records.insert(0, Record::Files { owner: owner.clone(), files, size: None });
    }
    records
}

/// `NAME.md5sums`: a checksum, two spaces and a path on each line.
pub(super) fn recorded(path: &[u8], bytes: &[u8]) -> Vec<Record> {
    let Some(owner) = owner(path, b".md5sums") else { return Vec::new() };
    let file = |line: &[u8]| {
        let (digest, path) = (ContentDigest::md5(line.get(..32)?)?, path::clean(line.get(34..)?));
        (!path.is_empty()).then_some(RecordedFile { path, digest, configuration: false })
    };
    let files = bytes.split(|&b| b == b'\n').filter_map(file).collect();
    vec![Record::Recorded { owner, files }]
}

/// `diversions`: three lines for each file that one package moved aside for all others.
pub(super) fn diversions(bytes: &[u8]) -> Vec<Record> {
    let lines: Vec<&[u8]> = bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty()).collect();
    let diversion = |lines: &[&[u8]]| match lines {
        [from, to, by] => Some(Record::Diversion(Diversion {
            from: path::clean(from),
            to: path::clean(to),
            by: std::str::from_utf8(by).ok()?.to_owned(),
        })),
        _ => None,
    };
    lines.chunks(3).filter_map(diversion).collect()
}

fn owner(path: &[u8], end: &[u8]) -> Option<Owner> {
    let name = path.rsplit(|&b| b == b'/').next()?.strip_suffix(end)?;
    Some(Owner::Deb(std::str::from_utf8(name).ok()?.to_owned()))
}

/// The short names of all `License` fields. A file that is not in the machine-readable format says nothing.
pub(super) fn copyright(path: &[u8], bytes: &[u8]) -> Vec<Record> {
    let mut components = path.rsplit(|&b| b == b'/');
    let package = components.nth(1).and_then(|name| std::str::from_utf8(name).ok());
    let text = String::from_utf8_lossy(bytes);
    let mut all = paragraphs(&text).peekable();
    let machine_readable =
        all.peek().is_some_and(|first| first.get("Format").or_else(|| first.get("Format-Specification")).is_some());
    let names = all.flat_map(|fields| fields.all("License").map(str::to_owned).collect::<Vec<_>>());
    let licence = if machine_readable { all_of(names) } else { None };
    let record =
        package.zip(licence).map(|(name, licence)| Record::Licence { owner: Owner::Deb(name.to_owned()), licence });
    record.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(text: &str, unstated: Unstated) -> Vec<Package> {
        let package = |record| match record {
            Record::Package(package) => package,
            other => panic!("{other:?}"),
        };
        status(text.as_bytes(), unstated).into_iter().map(package).collect()
    }

    #[test]
    fn installed_packages_are_listed_with_their_source() {
        let text = "Package: libc6\nStatus: install ok installed\nInstalled-Size: 12\nArchitecture: amd64\n\
                    Source: glibc (2.36-9)\nVersion: 2.36-9+deb12u1\nDescription: x\n Status: not a field\n\n\
                    Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                    Package: half\nStatus: install ok half-configured\nVersion: 1:2~3\nSource: whole\n";
        let all = packages(text, Unstated::NotInstalled);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].name.as_str(), all[0].version.as_str()), ("libc6", "2.36-9+deb12u1"));
        assert_eq!((all[0].architecture.as_deref(), all[0].size), (Some("amd64"), Some(12 << 10)));
        assert_eq!(all[0].source, Some(SourcePackage { name: "glibc".into(), version: Some("2.36-9".into()) }));
        assert_eq!(all[1].source, Some(SourcePackage { name: "whole".into(), version: None }));
    }

    #[test]
    fn a_package_without_a_state_is_installed_only_in_distroless_images() {
        let text = "Package: tzdata\nVersion: 2024a\n";
        assert_eq!(packages(text, Unstated::Installed).len(), 1);
        assert_eq!(packages(text, Unstated::NotInstalled).len(), 0);
    }

    #[test]
    fn lists_and_checksums_name_the_files_of_a_package() {
        let files = vec![b"usr/bin/a b".to_vec(), b"usr/bin".to_vec()];
        let expected =
            |name: &str| vec![Record::Files { owner: Owner::Deb(name.into()), files: files.clone(), size: None }];
        assert_eq!(list(b"var/lib/dpkg/info/a:amd64.list", b"/.\n/usr/bin/a b\n/usr/bin\n"), expected("a:amd64"));
        let sums_of =
            b"d41d8cd98f00b204e9800998ecf8427e  usr/bin/a b\nd41d8cd98f00b204e9800998ecf8427e  usr/bin\nshort\n";
        let records = sums(b"var/lib/dpkg/status.d/a.md5sums", sums_of);
        let [list, Record::Recorded { files, .. }] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(vec![list.clone()], expected("a"));
        let digest = ContentDigest::md5(b"d41d8cd98f00b204e9800998ecf8427e").unwrap();
        assert_eq!(files[0], RecordedFile { path: b"usr/bin/a b".to_vec(), digest, configuration: false });
        assert_eq!(recorded(b"var/lib/dpkg/info/a.md5sums", sums_of).len(), 1);
    }

    #[test]
    fn configuration_files_have_their_digests_in_the_status() {
        let text = "Package: a\nStatus: install ok installed\nConffiles:\n /etc/a b d41d8cd98f00b204e9800998ecf8427e\n \
                    /etc/old d41d8cd98f00b204e9800998ecf8427e obsolete\n /etc/new newconffile\nVersion: 1\n";
        let all = packages(text, Unstated::NotInstalled);
        let paths: Vec<_> = all[0].recorded.iter().map(|file| (file.path.as_slice(), file.configuration)).collect();
        assert_eq!(paths, [(b"etc/a b".as_slice(), true), (b"etc/old", true)]);
        assert_eq!(all[0].version, "1");
    }

    #[test]
    fn diversions_are_read_in_threes() {
        let read = diversions(b"/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n");
        let diversion = Diversion { from: b"bin/sh".to_vec(), to: b"bin/sh.distrib".to_vec(), by: "dash".into() };
        assert_eq!(read, [Record::Diversion(diversion)]);
    }

    #[test]
    fn licences_come_from_machine_readable_files_only() {
        let dep5 = b"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-2+\n text\n\n\
                     Files: b\nLicense: MIT\n\nLicense: GPL-2+\n long text\n";
        let licence = "GPL-2+ AND MIT".to_owned();
        assert_eq!(
            copyright(b"usr/share/doc/a/copyright", dep5),
            [Record::Licence { owner: Owner::Deb("a".into()), licence }]
        );
        assert_eq!(copyright(b"usr/share/doc/a/copyright", b"License: MIT\n"), []);
    }
}
