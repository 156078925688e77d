//! Twins of the databases of a layer, as a worker sends them.

use porthole_contents::{
    certificates::{LeafCertificate, may_be_certificate},
    collect::{Collected, Database},
    database::{Diversion, Owner, Record, Release},
    package::{ContentDigest, Ecosystem, Package, RecordedFile, SourcePackage},
};
use porthole_core::path;
use serde::{Deserialize, Serialize};

/// Twin of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundDatabase {
    /// Escaped path of its file.
    pub path: String,
    /// Where its content starts in its layer.
    pub content: u64,
    /// What it says.
    pub records: Vec<FoundRecord>,
}

/// Twin of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundRecord {
    /// A package is installed: type, name, version, and the rest.
    Package(String, String, String, Box<FoundDetails>),
    /// A package has files, which take this many bytes if that is recorded.
    Files(FoundOwner, FoundLines, Option<u64>),
    /// Digests of files, recorded when a package was installed.
    Recorded(FoundOwner, FoundLines),
    /// A package moved a file aside: escaped paths, and the package.
    Diversion(String, String, String),
    /// A package has a licence.
    Licence(FoundOwner, String),
    /// The distribution: its name for programs, its version, its name for people.
    Release(String, Option<String>, Option<String>),
}

/// What is recorded of a package beside its name and version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundDetails {
    /// Architecture that the package is built for.
    pub architecture: Option<String>,
    /// Name of the source package, and its version if it has one of its own.
    pub source: Option<(String, Option<String>)>,
    /// Licence as the package states it.
    pub licence: Option<String>,
    /// The organisation that built it.
    pub vendor: Option<String>,
    /// Bytes when installed.
    pub size: Option<u64>,
    /// The files that its database lists.
    pub files: FoundLines,
    /// The digests that were recorded when it was installed.
    pub recorded: FoundLines,
    /// Where it is, if its database does not list files.
    pub places: FoundLines,
}

/// Lines about the files of a package: their escaped paths, or what was in them when it was installed (algorithm, digest in hexadecimal,
/// `c` for a configuration file or `-`, escaped path). Lines beyond the room of a layer are not sent, but they are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundLines {
    known: String,
    count: usize,
}

/// Bytes that paths and recorded digests of one layer may still take. The session keeps them, and a layer can have millions.
#[derive(Debug)]
pub(crate) struct PathRoom(usize);

impl Default for PathRoom {
    fn default() -> Self {
        Self(PATH_BYTES)
    }
}

impl PathRoom {
    /// Takes room for a line of this length, if there is enough.
    fn take(&mut self, length: usize) -> bool {
        let left = self.0.checked_sub(length + 1);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// Bytes of paths and recorded digests that are kept of a layer: those of some 250 000 files.
const PATH_BYTES: usize = 32 << 20;

impl FoundLines {
    fn add(&mut self, line: &str, has_room: bool) {
        self.count += 1;
        if has_room {
            self.known.push_str(line);
            self.known.push('\n');
        }
    }

    fn of_paths(files: &[Vec<u8>], room: &mut PathRoom) -> Self {
        let mut lines = Self::default();
        for path in files {
            let escaped = path::escape(path);
            // What is said of certificates needs their owners.
            lines.add(&escaped, room.take(escaped.len()) || may_be_certificate(path));
        }
        lines
    }

    fn of_contents(files: &[RecordedFile], room: &mut PathRoom) -> Self {
        let mut lines = Self::default();
        for RecordedFile { path, digest, configuration } in files {
            let flag = if *configuration { 'c' } else { '-' };
            let line = format!("{} {} {flag} {}", digest.algorithm(), digest.hex(), path::escape(path));
            lines.add(&line, room.take(line.len()));
        }
        lines
    }

    /// The paths; one that was not sent is empty.
    fn paths(&self) -> Vec<Vec<u8>> {
        let mut paths: Vec<_> = self.known.lines().filter_map(path::unescape).collect();
        paths.resize(self.count, Vec::new());
        paths
    }

    /// The recorded digests, as far as they were sent.
    fn contents(&self) -> Vec<RecordedFile> {
        let file = |line: &str| {
            let mut words = line.splitn(4, ' ');
            let digest = ContentDigest::named(words.next()?, words.next()?)?;
            let configuration = words.next()? == "c";
            Some(RecordedFile { path: path::unescape(words.next()?)?, digest, configuration })
        };
        self.known.lines().filter_map(file).collect()
    }

    fn is_whole(&self) -> bool {
        self.known.lines().count() == self.count
    }
}

/// Twin of a certificate of a server or client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundCertificate {
    /// Escaped path of its file.
    pub path: String,
    /// Where its content starts in its layer.
    pub content: u64,
    /// The end of its validity in UTC, as `YYYYMMDDhhmmss`.
    pub not_after: String,
}

/// Twins of the certificates of a layer.
pub(crate) fn found_certificates(all: Vec<LeafCertificate>) -> Vec<FoundCertificate> {
    let twin = |LeafCertificate { path, offset, not_after }: LeafCertificate| FoundCertificate {
        path: path::escape(&path).into_owned(),
        content: offset,
        not_after,
    };
    all.into_iter().map(twin).collect()
}

/// Twin of what a file of its own calls a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundOwner {
    /// Name of a package of dpkg.
    Deb(String),
    /// Escaped path of the directory with its metadata.
    Directory(String),
}

/// Twins of what was collected in a layer, as far as there is room for paths: its databases, and those that could not be read.
pub(crate) fn found(layer: Collected, room: &mut PathRoom) -> (Vec<FoundDatabase>, Vec<(String, String)>) {
    let mut database = |Database { path, offset, records }: Database| FoundDatabase {
        path: path::escape(&path).into_owned(),
        content: offset,
        records: records.into_iter().filter_map(|record| twin(record, room)).collect(),
    };
    let unread = layer.unread.iter().map(|of| (path::escape(&of.path).into_owned(), of.why.to_string())).collect();
    (layer.databases.into_iter().map(&mut database).collect(), unread)
}

fn twin(record: Record, room: &mut PathRoom) -> Option<FoundRecord> {
    Some(match record {
        Record::Package(package) => {
            let Package {
                ecosystem,
                name,
                version,
                architecture,
                source,
                licence,
                vendor,
                size,
                files,
                recorded,
                places,
            } = package;
            let source = source.map(|source| (source.name, source.version));
            let files = FoundLines::of_paths(&files, room);
            let recorded = FoundLines::of_contents(&recorded, room);
            let places = FoundLines::of_paths(&places, room);
            let details = FoundDetails { architecture, source, licence, vendor, size, files, recorded, places };
            FoundRecord::Package(ecosystem.name().into(), name, version, Box::new(details))
        }
        Record::Files { owner, files, size } => {
            FoundRecord::Files(owner.into(), FoundLines::of_paths(&files, room), size)
        }
        Record::Recorded { owner, files } => FoundRecord::Recorded(owner.into(), FoundLines::of_contents(&files, room)),
        Record::Diversion(Diversion { from, to, by }) => {
            FoundRecord::Diversion(path::escape(&from).into_owned(), path::escape(&to).into_owned(), by)
        }
        Record::Licence { owner, licence } => FoundRecord::Licence(owner.into(), licence),
        Record::Release(Release { id, version, name }) => FoundRecord::Release(id, version, name),
        _ => return None,
    })
}

impl From<Owner> for FoundOwner {
    fn from(owner: Owner) -> Self {
        match owner {
            Owner::Deb(name) => Self::Deb(name),
            Owner::Directory(path) => Self::Directory(path::escape(&path).into_owned()),
        }
    }
}

impl FoundOwner {
    fn original(&self) -> Option<Owner> {
        Some(match self {
            Self::Deb(name) => Owner::Deb(name.clone()),
            Self::Directory(path) => Owner::Directory(path::unescape(path)?),
        })
    }
}

impl FoundRecord {
    pub(super) fn original(&self) -> Option<Record> {
        Some(match self {
            Self::Package(kind, name, version, details) => {
                let FoundDetails { architecture, source, licence, vendor, size, files, recorded, places } =
                    (**details).clone();
                let source = source.map(|(name, version)| SourcePackage { name, version });
                let package = Package::new(Ecosystem::named(kind)?, name.as_str(), version.as_str());
                let (files, recorded, places) = (files.paths(), recorded.contents(), places.paths());
                Record::Package(Package {
                    architecture,
                    source,
                    licence,
                    vendor,
                    size,
                    files,
                    recorded,
                    places,
                    ..package
                })
            }
            Self::Files(owner, files, size) => {
                Record::Files { owner: owner.original()?, files: files.paths(), size: *size }
            }
            Self::Recorded(owner, files) => Record::Recorded { owner: owner.original()?, files: files.contents() },
            Self::Diversion(from, to, by) => {
                Record::Diversion(Diversion { from: path::unescape(from)?, to: path::unescape(to)?, by: by.clone() })
            }
            Self::Licence(owner, licence) => Record::Licence { owner: owner.original()?, licence: licence.clone() },
            Self::Release(id, version, name) => {
                Record::Release(Release { id: id.clone(), version: version.clone(), name: name.clone() })
            }
        })
    }

    /// Whether all paths and digests were sent.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Package(.., details) => {
                details.files.is_whole() && details.recorded.is_whole() && details.places.is_whole()
            }
            Self::Files(_, files, _) | Self::Recorded(_, files) => files.is_whole(),
            Self::Diversion(..) | Self::Licence(..) | Self::Release(..) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trip(record: &Record, room: &mut PathRoom) -> (Option<Record>, bool) {
        let twin = twin(record.clone(), room).unwrap();
        (twin.original(), twin.is_whole())
    }

    #[test]
    fn records_survive_the_trip() {
        let recorded = [
            "md5 900150983cd24fb0d6963f7d28e17f72",
            "sha1 a9993e364706816aba3e25717850c26c9cd0d89d",
            "sha256-160 ba7816bf8f01cfea414140de5dae2223b00361a3",
            "sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ];
        let recorded = recorded.map(|text| {
            let (algorithm, hex) = text.split_once(' ').unwrap();
            let digest = ContentDigest::named(algorithm, hex).unwrap();
            RecordedFile { path: b"etc/a b\n".to_vec(), digest, configuration: algorithm == "md5" }
        });
        let package = Package {
            architecture: Some("amd64".into()),
            source: Some(SourcePackage { name: "s".into(), version: Some("1".into()) }),
            licence: Some("MIT".into()),
            vendor: Some("v".into()),
            size: Some(7),
            files: vec![b"usr/bin/\xff".to_vec(), b"a\nb".to_vec()],
            recorded: recorded.to_vec(),
            places: vec![b"app/x y".to_vec()],
            ..Package::new(Ecosystem::Deb, "a", "1")
        };
        let release = Release { id: "debian".into(), version: Some("12".into()), name: None };
        let owner = Owner::Directory(b"a\n.dist-info".to_vec());
        for record in [
            Record::Package(package),
            Record::Files { owner: owner.clone(), files: vec![b"x".to_vec()], size: Some(1) },
            Record::Recorded { owner, files: recorded.to_vec() },
            Record::Diversion(Diversion {
                from: b"bin/sh".to_vec(),
                to: b"bin/sh.distrib".to_vec(),
                by: "dash".into(),
            }),
            Record::Licence { owner: Owner::Deb("a:amd64".into()), licence: "MIT".into() },
            Record::Release(release),
        ] {
            assert_eq!(trip(&record, &mut PathRoom::default()), (Some(record), true));
        }
    }

    #[test]
    fn paths_beyond_the_room_stay_behind() {
        let owner = || Owner::Deb("a".into());
        let files = ["usr/x", "usr/y", "etc/\n.pem"].map(|path| path.as_bytes().to_vec()).to_vec();
        let record = Record::Files { owner: owner(), files, size: None };
        let (left, whole) = trip(&record, &mut PathRoom(6));
        let Some(Record::Files { files, .. }) = left else { panic!("{left:?}") };
        let expected = [b"usr/x".as_slice(), b"etc/\n.pem", b""];
        assert_eq!((&files[..], whole), (&expected.map(<[u8]>::to_vec)[..], false));
        let digest = ContentDigest::named("md5", "900150983cd24fb0d6963f7d28e17f72").unwrap();
        let file = RecordedFile { path: b"usr/x".to_vec(), digest, configuration: false };
        let record = Record::Recorded { owner: owner(), files: vec![file] };
        assert_eq!(
            trip(&record, &mut PathRoom(6)),
            (Some(Record::Recorded { owner: owner(), files: Vec::new() }), false)
        );
    }
}
