//! The databases of package managers: bytes in, [`Record`]s out. Hostile input ends in [`Unreadable`].

mod apk;
mod cargo;
mod composer;
mod dotnet;
mod dpkg;
mod gem;
mod go;
mod java;
mod kind;
mod npm;
mod owned;
mod paragraph;
mod python;
mod release;
mod rpm;

pub(crate) use self::owned::split;
pub use self::{go::GoScan, kind::DatabaseKind, release::Release};
use crate::{
    limits::{OWNED_PATHS, PACKAGES},
    package::{Package, RecordedFile},
};
use serde_json::Value;

/// One record about packages, from a file of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// A package is installed.
    Package(Package),
    /// A package owns files. The database of its package manager keeps the list in a file of its own.
    Files {
        /// The package that owns them.
        owner: Owner,
        /// Clean paths that it owns.
        files: Vec<Vec<u8>>,
        /// Their size in bytes, if it is recorded.
        size: Option<u64>,
    },
    /// The contents of files when a package was installed. The database keeps them in a file of its own.
    Recorded {
        /// The package that installed them.
        owner: Owner,
        /// Paths, and digests of their contents.
        files: Vec<RecordedFile>,
    },
    /// A package moved a file aside.
    Diversion(Diversion),
    /// A package has a licence.
    Licence {
        /// The package that has it.
        owner: Owner,
        /// The licence, or several separated by ` AND `.
        licence: String,
    },
    /// The image is made from a distribution.
    Release(Release),
}

/// A path at which the file of one package takes the place of those of all others (`man 1 dpkg-divert`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    /// Clean path that the file had before.
    pub from: Vec<u8>,
    /// Where the file of another package is.
    pub to: Vec<u8>,
    /// The package that keeps the path; `:` for none.
    pub by: String,
}

/// How a file refers to the package that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// By dpkg's name of it: `name`, or `name:architecture`.
    Deb(String),
    /// By the directory with its metadata, as a clean path.
    Directory(Vec<u8>),
}

/// Why a database is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The content does not have the format that the name of the file implies.
    #[error("expected {expected}")]
    Malformed {
        /// The format that the name implies.
        expected: &'static str,
    },
    /// This program does not read databases of this kind.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// It exceeds a limit of this program.
    #[error("expected at most {limit} {unit} (limit {name})")]
    Limit {
        /// Name of the limit.
        name: &'static str,
        /// How much the limit allows.
        limit: u64,
        /// The unit that is counted.
        unit: &'static str,
    },
}

impl Unreadable {
    pub(crate) fn malformed(expected: &'static str) -> Self {
        Self::Malformed { expected }
    }

    pub(crate) fn bytes(name: &'static str, limit: u64) -> Self {
        Self::Limit { name, limit, unit: "bytes" }
    }
}

/// Reads a database, given the clean path of its file and its content.
///
/// # Errors
///
/// [`Unreadable`].
pub fn read(kind: DatabaseKind, path: &[u8], bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    let records = match kind {
        DatabaseKind::DpkgStatus => dpkg::status(bytes, dpkg::Unstated::NotInstalled),
        DatabaseKind::DpkgStatusFile => dpkg::status(bytes, dpkg::Unstated::Installed),
        DatabaseKind::DpkgList => dpkg::list(path, bytes),
        DatabaseKind::DpkgSums => dpkg::sums(path, bytes),
        DatabaseKind::DpkgRecorded => dpkg::recorded(path, bytes),
        DatabaseKind::DpkgDiversions => dpkg::diversions(bytes),
        DatabaseKind::DebianCopyright => dpkg::copyright(path, bytes),
        DatabaseKind::Apk => apk::installed(bytes)?,
        DatabaseKind::Npm => npm::package(bytes)?,
        DatabaseKind::PythonMetadata => python::metadata(bytes)?,
        DatabaseKind::NpmLock => npm::lock(path, bytes)?,
        DatabaseKind::PythonRecord => python::record(path, bytes)?,
        DatabaseKind::PythonFiles => python::installed_files(path, bytes)?,
        DatabaseKind::Jar => java::archive(path, bytes)?,
        DatabaseKind::Gemspec => gem::specification(bytes)?,
        DatabaseKind::Composer => composer::installed(path, bytes)?,
        DatabaseKind::DotnetDeps => dotnet::dependencies(path, bytes)?,
        DatabaseKind::Release => release::read(bytes),
        DatabaseKind::Rpm => rpm::installed(bytes)?,
        DatabaseKind::RpmLog => return Err(Unreadable::Unsupported(LONE_LOG)),
        DatabaseKind::Binary => cargo::binary(bytes)?,
    };
    within_limits(records)
}

/// Reads rpm's database in SQLite together with the write-ahead log beside it: `rpmdb.sqlite` and `rpmdb.sqlite-wal`.
///
/// # Errors
///
/// [`Unreadable`].
pub fn read_rpm_with_log(bytes: &[u8], log: &[u8]) -> Result<Vec<Record>, Unreadable> {
    within_limits(rpm::installed_with_log(bytes, log)?)
}

/// Whether a write-ahead log may be beside a database of rpm with this content.
pub(crate) fn may_have_log(bytes: &[u8]) -> bool {
    rpm::may_have_log(bytes)
}

/// Why a log without its database is not read.
const LONE_LOG: &str = "the write-ahead log of a database of rpm that is not in the same layer";

/// The records of a text about a Go program, as [`GoScan`] finds it.
///
/// # Errors
///
/// [`Unreadable`].
pub fn read_go(found: &[u8]) -> Result<Vec<Record>, Unreadable> {
    within_limits(go::build_info(found)?)
}

fn within_limits(records: Vec<Record>) -> Result<Vec<Record>, Unreadable> {
    let (mut packages, mut paths) = (0, 0);
    for record in &records {
        match record {
            Record::Package(package) => {
                packages += 1;
                paths += package.files.len().max(package.recorded.len()) + package.places.len();
            }
            Record::Files { files, .. } => paths += files.len(),
            Record::Recorded { files, .. } => paths += files.len(),
            Record::Diversion(_) => paths += 1,
            Record::Licence { .. } | Record::Release(_) => {}
        }
    }
    if packages > PACKAGES {
        return Err(Unreadable::Limit { name: "PACKAGES", limit: PACKAGES as u64, unit: "packages" });
    }
    if paths > OWNED_PATHS {
        return Err(Unreadable::Limit { name: "OWNED_PATHS", limit: OWNED_PATHS as u64, unit: "paths" });
    }
    Ok(records)
}

/// A JSON document; a byte order mark, which .NET writes, is left out. `serde_json` bounds its depth.
fn json(bytes: &[u8], expected: &'static str) -> Result<Value, Unreadable> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|_| Unreadable::malformed(expected))
}

/// A text that is not empty, without white space around it.
fn text(value: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// Several licences as one text; each once, in their order.
fn all_of(licences: impl IntoIterator<Item = String>) -> Option<String> {
    let mut each: Vec<String> = Vec::new();
    for licence in licences {
        if !each.contains(&licence) {
            each.push(licence);
        }
    }
    (!each.is_empty()).then(|| each.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_end_in_records_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            for kind in DatabaseKind::ALL {
                let _ = read(kind, b"a/b.dist-info/c", &bytes);
            }
            let _ = read_go(&bytes);
        }

        #[test]
        fn damaged_databases_end_in_records_or_an_error(
            at in any::<proptest::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<proptest::sample::Index>(),
        ) {
            for (kind, path, sample) in SAMPLES {
                let mut bytes = sample.to_vec();
                let place = at.index(bytes.len());
                bytes[place] = byte;
                let _ = read(*kind, path, &bytes);
                bytes.truncate(cut.index(bytes.len()));
                let _ = read(*kind, path, &bytes);
            }
        }
    }

    const SAMPLES: &[(DatabaseKind, &[u8], &[u8])] = &[
        (
            DatabaseKind::DpkgStatus,
            b"var/lib/dpkg/status",
            b"Package: a\nStatus: install ok installed\nVersion: 1\nSource: b (2)\n\nPackage: c\n",
        ),
        (DatabaseKind::Apk, b"lib/apk/db/installed", b"P:a\nV:1\nF:usr/bin\nR:a\nI:12\n\nP:b\nV:2\n"),
        (DatabaseKind::Npm, b"node_modules/a/package.json", br#"{"name":"a","version":"1","license":{"type":"MIT"}}"#),
        (
            DatabaseKind::NpmLock,
            b"a/node_modules/.package-lock.json",
            br#"{"packages":{"node_modules/@s/a":{"version":"1","license":"MIT"},"node_modules/b":{"link":true}}}"#,
        ),
        (DatabaseKind::PythonFiles, b"x/a.egg-info/installed-files.txt", b"../a/b.py\nPKG-INFO\n"),
        (DatabaseKind::PythonMetadata, b"a.dist-info/METADATA", b"Name: a\nVersion: 1\nLicense: MIT\n\nLong"),
        (DatabaseKind::PythonRecord, b"a/a.dist-info/RECORD", b"a.py,sha256=x,12\n\"b,c\".py,,\n"),
        (DatabaseKind::Gemspec, b"specifications/a-1.gemspec", b"s.name = \"a\".freeze\ns.version = \"1\"\n"),
        (DatabaseKind::Composer, b"vendor/composer/installed.json", br#"{"packages":[{"name":"a/b","version":"1"}]}"#),
        (DatabaseKind::DotnetDeps, b"a.deps.json", br#"{"libraries":{"A/1":{"type":"package"}}}"#),
        (DatabaseKind::Release, b"etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"),
    ];

    #[test]
    fn a_file_with_too_many_packages_is_refused_by_the_name_of_the_limit() {
        let packages: String = (0..=PACKAGES).map(|n| format!("P:{n}\nV:1\n\n")).collect();
        let error = read(DatabaseKind::Apk, b"lib/apk/db/installed", packages.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "expected at most 200000 packages (limit PACKAGES)");
    }
}
