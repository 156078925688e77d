//! Which files of an image are read, by their paths.

use crate::limits::{ARCHIVE_BYTES, BINARY_BYTES, DATABASE_BYTES, DOCUMENT_BYTES};

/// What kind of database a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatabaseKind {
    /// dpkg's `status`: all packages in one file.
    DpkgStatus,
    /// A file in `status.d`, as Bazel's rules write for distroless images: one package, without its state.
    DpkgStatusFile,
    /// dpkg's `NAME.list`: files of a package.
    DpkgList,
    /// `NAME.md5sums` in `status.d`: files of a package of a distroless image.
    DpkgSums,
    /// dpkg's `NAME.md5sums`: contents of the files of a package.
    DpkgRecorded,
    /// dpkg's `diversions`: files moved aside.
    DpkgDiversions,
    /// `/usr/share/doc/NAME/copyright`.
    DebianCopyright,
    /// apk's database, `installed`.
    Apk,
    /// rpm's database, in any of its three formats.
    Rpm,
    /// Changes that SQLite has not yet written to rpm's database. Database and log are read together.
    RpmLog,
    /// `package.json` of a package in `node_modules`.
    Npm,
    /// `node_modules/.package-lock.json`: what npm installed.
    NpmLock,
    /// `METADATA` or `PKG-INFO` of a Python package.
    PythonMetadata,
    /// `RECORD`: files of a Python package.
    PythonRecord,
    /// `installed-files.txt`: files of a Python package that is installed in the old way.
    PythonFiles,
    /// A Java archive.
    Jar,
    /// A specification of a Ruby gem.
    Gemspec,
    /// `installed.json` of Composer.
    Composer,
    /// `NAME.deps.json` of a .NET program.
    DotnetDeps,
    /// `os-release`.
    Release,
    /// An executable or a shared library.
    Binary,
}

impl DatabaseKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 21] = [
        Self::DpkgStatus,
        Self::DpkgStatusFile,
        Self::DpkgList,
        Self::DpkgSums,
        Self::DpkgRecorded,
        Self::DpkgDiversions,
        Self::DebianCopyright,
        Self::Apk,
        Self::Rpm,
        Self::RpmLog,
        Self::Npm,
        Self::NpmLock,
        Self::PythonMetadata,
        Self::PythonRecord,
        Self::PythonFiles,
        Self::Jar,
        Self::Gemspec,
        Self::Composer,
        Self::DotnetDeps,
        Self::Release,
        Self::Binary,
    ];

    /// The kind of the file with this clean path and these permission bits. `None` if the file does not record packages.
    pub fn of(path: &[u8], mode: u32) -> Option<Self> {
        let (directory, name) = match path.iter().rposition(|&b| b == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&path[..0], path),
        };
        let by_name = Self::of_database(directory, name).or_else(|| Self::of_language(directory, name));
        let binary = || (mode & 0o111 != 0 || is_library(name)).then_some(Self::Binary);
        by_name.or_else(binary)
    }

    fn of_database(directory: &[u8], name: &[u8]) -> Option<Self> {
        Some(match (directory, name) {
            (b"var/lib/dpkg", b"status") => Self::DpkgStatus,
            (b"var/lib/dpkg/status.d", name) if name.ends_with(b".md5sums") => Self::DpkgSums,
            (b"var/lib/dpkg/status.d", _) => Self::DpkgStatusFile,
            (b"var/lib/dpkg/info", name) if name.ends_with(b".list") => Self::DpkgList,
            (b"var/lib/dpkg/info", name) if name.ends_with(b".md5sums") => Self::DpkgRecorded,
            (b"var/lib/dpkg", b"diversions") => Self::DpkgDiversions,
            (b"lib/apk/db" | b"usr/lib/apk/db", b"installed") => Self::Apk,
            (directory, b"Packages" | b"Packages.db" | b"rpmdb.sqlite") if is_rpm(directory) => Self::Rpm,
            (directory, b"rpmdb.sqlite-wal") if is_rpm(directory) => Self::RpmLog,
            (b"etc" | b"usr/lib", b"os-release") => Self::Release,
            (directory, b"copyright") if parent(directory) == b"usr/share/doc" => Self::DebianCopyright,
            _ => return None,
        })
    }

    fn of_language(directory: &[u8], name: &[u8]) -> Option<Self> {
        Some(match name {
            b"package.json" if is_node_module(directory) => Self::Npm,
            b".package-lock.json" if last(directory) == b"node_modules" => Self::NpmLock,
            b"METADATA" if directory.ends_with(b".dist-info") => Self::PythonMetadata,
            b"RECORD" if directory.ends_with(b".dist-info") => Self::PythonRecord,
            b"PKG-INFO" if directory.ends_with(b".egg-info") => Self::PythonMetadata,
            b"installed-files.txt" if directory.ends_with(b".egg-info") => Self::PythonFiles,
            name if name.ends_with(b".egg-info") => Self::PythonMetadata,
            b"installed.json" if last(directory) == b"composer" => Self::Composer,
            name if name.ends_with(b".deps.json") => Self::DotnetDeps,
            name if name.ends_with(b".gemspec") && is_specifications(directory) => Self::Gemspec,
            name if [b".jar", b".war", b".ear"].iter().any(|end| name.ends_with(*end)) => Self::Jar,
            _ => return None,
        })
    }

    /// How many bytes of such a file are read, and the name of that limit.
    pub fn limit(self) -> (&'static str, u64) {
        match self {
            Self::DpkgStatus | Self::Apk | Self::Rpm | Self::RpmLog => ("DATABASE_BYTES", DATABASE_BYTES),
            Self::Jar => ("ARCHIVE_BYTES", ARCHIVE_BYTES),
            Self::Binary => ("BINARY_BYTES", BINARY_BYTES),
            _ => ("DOCUMENT_BYTES", DOCUMENT_BYTES),
        }
    }
}

/// Directories of rpm's database: the default, that of Fedora and SUSE, and that of image-based systems (rpm-ostree).
fn is_rpm(directory: &[u8]) -> bool {
    matches!(directory, b"var/lib/rpm" | b"usr/lib/sysimage/rpm" | b"usr/share/rpm")
}

/// `node_modules/name`, or `node_modules/@scope/name`.
fn is_node_module(directory: &[u8]) -> bool {
    let above = parent(directory);
    last(above) == b"node_modules" || last(above).starts_with(b"@") && last(parent(above)) == b"node_modules"
}

/// `specifications`, or `specifications/default`, where Ruby keeps the gems that it comes with.
fn is_specifications(directory: &[u8]) -> bool {
    last(directory) == b"specifications"
        || last(directory) == b"default" && last(parent(directory)) == b"specifications"
}

/// Libraries need not have a bit for execution.
fn is_library(name: &[u8]) -> bool {
    [b".so".as_slice(), b".exe", b".dll"].iter().any(|end| name.ends_with(end))
}

fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&b| b == b'/').map_or(&path[..0], |slash| &path[..slash])
}

fn last(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&b| b == b'/').map_or(path, |slash| &path[slash + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_recognised_by_their_paths() {
        for (path, kind) in [
            ("var/lib/dpkg/status", Some(DatabaseKind::DpkgStatus)),
            ("var/lib/dpkg/status.d/base", Some(DatabaseKind::DpkgStatusFile)),
            ("var/lib/dpkg/status.d/base.md5sums", Some(DatabaseKind::DpkgSums)),
            ("var/lib/dpkg/info/libc6:amd64.list", Some(DatabaseKind::DpkgList)),
            ("var/lib/dpkg/info/libc6:amd64.md5sums", Some(DatabaseKind::DpkgRecorded)),
            ("var/lib/dpkg/diversions", Some(DatabaseKind::DpkgDiversions)),
            ("var/lib/dpkg/info/libc6:amd64.postinst", None),
            ("usr/share/doc/libc6/copyright", Some(DatabaseKind::DebianCopyright)),
            ("usr/share/doc/a/b/copyright", None),
            ("lib/apk/db/installed", Some(DatabaseKind::Apk)),
            ("var/lib/rpm/rpmdb.sqlite", Some(DatabaseKind::Rpm)),
            ("var/lib/rpm/rpmdb.sqlite-wal", Some(DatabaseKind::RpmLog)),
            ("usr/lib/sysimage/rpm/Packages.db", Some(DatabaseKind::Rpm)),
            ("var/lib/rpm/Packages", Some(DatabaseKind::Rpm)),
            ("opt/Packages", None),
            ("app/node_modules/a/package.json", Some(DatabaseKind::Npm)),
            ("app/node_modules/@s/a/package.json", Some(DatabaseKind::Npm)),
            ("app/node_modules/a/test/package.json", None),
            ("app/package.json", None),
            ("app/node_modules/.package-lock.json", Some(DatabaseKind::NpmLock)),
            ("app/package-lock.json", None),
            ("app/node_modules/a/package-lock.json", None),
            ("x/a.egg-info/installed-files.txt", Some(DatabaseKind::PythonFiles)),
            ("x/installed-files.txt", None),
            ("usr/lib/python3/dist-packages/a-1.dist-info/METADATA", Some(DatabaseKind::PythonMetadata)),
            ("x/a.egg-info/PKG-INFO", Some(DatabaseKind::PythonMetadata)),
            ("x/a-1.egg-info", Some(DatabaseKind::PythonMetadata)),
            ("var/lib/gems/3.1.0/specifications/a-1.gemspec", Some(DatabaseKind::Gemspec)),
            ("var/lib/gems/3.1.0/specifications/default/a-1.gemspec", Some(DatabaseKind::Gemspec)),
            ("var/lib/gems/3.1.0/gems/a-1/a.gemspec", None),
            ("app/vendor/composer/installed.json", Some(DatabaseKind::Composer)),
            ("app/a.deps.json", Some(DatabaseKind::DotnetDeps)),
            ("opt/a.jar", Some(DatabaseKind::Jar)),
            ("package.json", None),
            ("", None),
        ] {
            assert_eq!(DatabaseKind::of(path.as_bytes(), 0o644), kind, "{path}");
        }
        assert_eq!(DatabaseKind::of(b"usr/bin/tool", 0o755), Some(DatabaseKind::Binary));
        assert_eq!(DatabaseKind::of(b"usr/lib/liba.so", 0o644), Some(DatabaseKind::Binary));
    }
}
