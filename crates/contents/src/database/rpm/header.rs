//! rpm's header: an index of tags, each with the type, place and number of its values in the data that follow
//! (rpm's `docs/manual/format_header.md`).

use crate::{
    database::{Unreadable, owned::OwnedPaths, text},
    limits::OWNED_PATHS,
    package::{ContentDigest, Ecosystem, Package, RecordedFile, SourcePackage},
};

/// Tags (rpm's `rpmtag.h`).
mod tag {
    pub(super) const NAME: u32 = 1000;
    pub(super) const VERSION: u32 = 1001;
    pub(super) const RELEASE: u32 = 1002;
    pub(super) const EPOCH: u32 = 1003;
    pub(super) const SIZE: u32 = 1009;
    pub(super) const VENDOR: u32 = 1011;
    pub(super) const LICENSE: u32 = 1014;
    pub(super) const ARCH: u32 = 1022;
    pub(super) const OLD_FILE_NAMES: u32 = 1027;
    pub(super) const FILE_STATES: u32 = 1029;
    pub(super) const FILE_DIGESTS: u32 = 1035;
    pub(super) const FILE_FLAGS: u32 = 1037;
    pub(super) const SOURCE_RPM: u32 = 1044;
    pub(super) const FILE_VERIFY_FLAGS: u32 = 1045;
    pub(super) const DIR_INDEXES: u32 = 1116;
    pub(super) const BASE_NAMES: u32 = 1117;
    pub(super) const DIR_NAMES: u32 = 1118;
    pub(super) const LONG_SIZE: u32 = 5009;
    pub(super) const FILE_DIGEST_ALGORITHM: u32 = 5011;
}

/// Bytes of an entry of the index.
const ENTRY: usize = 16;
/// Flag of a file: its owner may change it.
const CONFIG: u64 = 1;
/// Flag of a file: the package owns the path but ships no content (`%ghost`).
const GHOST: u64 = 1 << 6;
/// What is to be verified of a file: its digest. The package leaves it out of files that programs change.
const VERIFY_DIGEST: u64 = 1;
/// State of a file that is as the package brought it.
const NORMAL: u64 = 0;

/// Types of values.
const STRING: u64 = 6;
const STRING_ARRAY: u64 = 8;
const I18N_STRING: u64 = 9;

#[derive(Clone, Copy)]
pub(super) struct Header<'h> {
    index: &'h [u8],
    data: &'h [u8],
}

/// The values of one tag.
struct Values<'h> {
    kind: u64,
    count: usize,
    data: &'h [u8],
}

impl<'h> Header<'h> {
    pub(super) fn parse(bytes: &'h [u8]) -> Option<Self> {
        let entries = usize::try_from(number(bytes.get(..4)?)).ok()?;
        let data = usize::try_from(number(bytes.get(4..8)?)).ok()?;
        let (index, rest) = bytes[8..].split_at_checked(entries.checked_mul(ENTRY)?)?;
        Some(Self { index, data: rest.get(..data)? })
    }

    /// The package of the header.
    ///
    /// # Errors
    ///
    /// A header without name or version, or a limit.
    pub(super) fn package(self, paths: &mut OwnedPaths) -> Result<Package, Unreadable> {
        let malformed = || Unreadable::malformed("a header of rpm with name and version");
        let name = self.text(tag::NAME).ok_or_else(malformed)?;
        let release = self.text(tag::RELEASE).map(|release| format!("-{release}")).unwrap_or_default();
        let plain = self.text(tag::VERSION).ok_or_else(malformed)? + &release;
        let epoch = self.numbers(tag::EPOCH).next().map(|epoch| format!("{epoch}:")).unwrap_or_default();
        let source = self.text(tag::SOURCE_RPM).and_then(|file| source(&file, &plain));
        let mut package = Package {
            architecture: self.text(tag::ARCH),
            source,
            licence: self.text(tag::LICENSE),
            vendor: self.text(tag::VENDOR),
            size: self.numbers(tag::LONG_SIZE).chain(self.numbers(tag::SIZE)).next(),
            ..Package::new(Ecosystem::Rpm, name, epoch + &plain)
        };
        self.files(&mut package, paths)?;
        Ok(package)
    }

    fn files(self, package: &mut Package, paths: &mut OwnedPaths) -> Result<(), Unreadable> {
        // More directories than paths cannot be referred to.
        let directories: Vec<&[u8]> = self.texts(tag::DIR_NAMES).take(OWNED_PATHS).collect();
        let places = self.numbers(tag::DIR_INDEXES);
        let split = places.zip(self.texts(tag::BASE_NAMES));
        for (place, name) in split {
            let directory = usize::try_from(place).ok().and_then(|place| directories.get(place)).copied();
            package.files.push(paths.join(directory.unwrap_or_default(), name)?);
        }
        if package.files.is_empty() {
            // Packages of rpm 3.
            for path in self.texts(tag::OLD_FILE_NAMES) {
                package.files.push(paths.join(b"", path)?);
            }
        }
        let md5 = 1;
        let algorithm = self.numbers(tag::FILE_DIGEST_ALGORITHM).next().unwrap_or(md5);
        let mut states = self.numbers(tag::FILE_STATES);
        let mut flags = self.numbers(tag::FILE_FLAGS);
        let mut verified = self.numbers(tag::FILE_VERIFY_FLAGS);
        for (path, digest) in package.files.iter().zip(self.texts(tag::FILE_DIGESTS)) {
            let (state, flags) = (states.next().unwrap_or(NORMAL), flags.next().unwrap_or(0));
            let verified = verified.next().unwrap_or(VERIFY_DIGEST) & VERIFY_DIGEST != 0;
            let counts = state == NORMAL && flags & GHOST == 0 && verified;
            let digest = digest_of(algorithm, digest).filter(|_| counts);
            let file =
                digest.map(|digest| RecordedFile { path: path.clone(), digest, configuration: flags & CONFIG != 0 });
            package.recorded.extend(file);
        }
        Ok(())
    }

    fn find(self, tag: u32) -> Option<Values<'h>> {
        let entries = self.index.as_chunks::<ENTRY>().0;
        let entry = entries.iter().find(|entry| number(&entry[..4]) == u64::from(tag))?;
        let field = |place: usize| number(&entry[place..place + 4]);
        let data = self.data.get(usize::try_from(field(8)).ok()?..)?;
        Some(Values { kind: field(4), count: usize::try_from(field(12)).ok()?, data })
    }

    /// Texts, each ended by a zero. Of a text in several languages, the first.
    fn texts(self, tag: u32) -> impl Iterator<Item = &'h [u8]> {
        let values = self.find(tag).filter(|values| matches!(values.kind, STRING | STRING_ARRAY | I18N_STRING));
        let (mut data, count) = values.map_or((&b""[..], 0), |values| (values.data, values.count));
        std::iter::from_fn(move || {
            let end = memchr::memchr(0, data)?;
            let text = &data[..end];
            data = &data[end + 1..];
            Some(text)
        })
        .take(count)
    }

    fn text(self, tag: u32) -> Option<String> {
        text(&String::from_utf8_lossy(self.texts(tag).next()?)).filter(|text| text != "(none)")
    }

    /// Numbers of one to eight bytes.
    fn numbers(self, tag: u32) -> impl Iterator<Item = u64> {
        let width = |values: &Values<'_>| match values.kind {
            1 | 2 => Some(1),
            3 => Some(2),
            4 => Some(4),
            5 => Some(8),
            _ => None,
        };
        let found = self.find(tag).and_then(|values| Some((width(&values)?, values)));
        let (width, data, count) = found.map_or((1, &b""[..], 0), |(width, values)| (width, values.data, values.count));
        data.chunks_exact(width).take(count).map(number)
    }
}

/// Most significant byte first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// `name-version-release.src.rpm`.
fn source(file: &str, of_package: &str) -> Option<SourcePackage> {
    let stem = file.strip_suffix(".rpm")?;
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    let release = stem.rfind('-')?;
    let version = stem[..release].rfind('-')?;
    let (name, version) = (&stem[..version], &stem[version + 1..]);
    Some(SourcePackage { name: name.to_owned(), version: (version != of_package).then(|| version.to_owned()) })
}

/// A digest in hexadecimal, by the number of its algorithm in OpenPGP (RFC 9580). Directories and links have an empty one.
fn digest_of(algorithm: u64, hex: &[u8]) -> Option<ContentDigest> {
    match algorithm {
        1 => ContentDigest::md5(hex),
        2 => ContentDigest::sha1(hex),
        8 => ContentDigest::sha256(hex),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_that_rpm_does_not_verify_do_not_count() {
        let digest = "d41d8cd98f00b204e9800998ecf8427e\0";
        let names = b"as-is\0ghost\0changing\0replaced\0";
        let (mut index, mut data) = (Vec::new(), Vec::new());
        let mut add = |tag: u32, kind: u64, count: u32, bytes: &[u8]| {
            index.extend([tag, kind as u32, data.len() as u32, count].map(u32::to_be_bytes).concat());
            data.extend_from_slice(bytes);
        };
        let numbers = |numbers: [u32; 4]| numbers.map(u32::to_be_bytes).concat();
        add(tag::NAME, STRING, 1, b"a\0");
        add(tag::VERSION, STRING, 1, b"1\0");
        add(tag::DIR_NAMES, STRING_ARRAY, 1, b"/etc/\0");
        add(tag::BASE_NAMES, STRING_ARRAY, 4, names);
        add(tag::DIR_INDEXES, 4, 4, &numbers([0; 4]));
        add(tag::FILE_DIGESTS, STRING_ARRAY, 4, digest.repeat(4).as_bytes());
        add(tag::FILE_FLAGS, 4, 4, &numbers([0, 1 << 6, 1, 0]));
        add(tag::FILE_VERIFY_FLAGS, 4, 4, &numbers([u32::MAX, u32::MAX, u32::MAX - 1, u32::MAX]));
        add(tag::FILE_STATES, 2, 4, &[0, 0, 0, 1]);
        let head = [index.len() as u32 / ENTRY as u32, data.len() as u32].map(u32::to_be_bytes).concat();
        let bytes = [head, index, data].concat();
        let package = Header::parse(&bytes).unwrap().package(&mut OwnedPaths::default()).unwrap();
        assert_eq!(package.files.len(), 4);
        let recorded: Vec<_> = package.recorded.iter().map(|file| file.path.as_slice()).collect();
        assert_eq!(recorded, [b"etc/as-is"]);
    }

    #[test]
    fn the_name_of_a_source_package_ends_before_its_version() {
        let named = |file: &str| source(file, "1.0-1").map(|source| (source.name, source.version));
        assert_eq!(named("a-b-1.0-1.src.rpm"), Some(("a-b".into(), None)));
        assert_eq!(named("glibc-2.39-2.fc40.nosrc.rpm"), Some(("glibc".into(), Some("2.39-2.fc40".into()))));
        assert_eq!(named("a-1.0-1.x86_64.rpm"), None);
        assert_eq!(named("(none)"), None);
    }
}
