//! Reads archives that the `tar` crate builds.
#![cfg(not(target_family = "wasm"))]

use porthole_core::{
    failure::Classify,
    limits::Limits,
    tar::{Entry, EntryAmbiguity, EntrySink, Error, Field, Flow, Kind, Scanner},
};
use porthole_testkit::chunks::Split;
use proptest::{collection::vec, prelude::*};

#[derive(Clone, Debug)]
struct Made {
    name: String,
    link: Option<String>,
    data: Vec<u8>,
    mode: u32,
    owner: (u64, u64),
    mtime: u64,
    xattr: Option<Vec<u8>>,
}

/// An entry with its data.
type Read = (Entry, Vec<u8>);

#[derive(Default)]
struct Reading {
    entries: Vec<Read>,
}

impl EntrySink for Reading {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.entries.push((entry, Vec::new()));
        Flow::WantData
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.entries.last_mut().expect("data belongs to an entry").1.extend_from_slice(bytes);
        Flow::Continue
    }
}

fn read(archive: &[u8], split: Split) -> (Vec<Read>, Result<(), Error>) {
    let mut scanner = Scanner::new(&Limits::default());
    let mut sink = Reading::default();
    for piece in split.of(archive) {
        if let Err(error) = scanner.push(piece, &mut sink) {
            return (sink.entries, Err(error));
        }
    }
    let verdict = scanner.finish();
    (sink.entries, verdict)
}

fn path() -> impl Strategy<Value = String> {
    vec("[a-zA-Z0-9é._-]{0,30}[a-z]", 1..12).prop_map(|parts| parts.join("/"))
}

fn made() -> impl Strategy<Value = Made> {
    (
        path(),
        prop::option::of(path()),
        vec(any::<u8>(), 0..2000),
        0..0o7777u32,
        (0..1u64 << 40, 0..1u64 << 40),
        0..1u64 << 40,
        prop::option::of(vec(any::<u8>(), 0..50)),
    )
        .prop_map(|(name, link, data, mode, owner, mtime, xattr)| Made {
            name,
            link,
            data,
            mode,
            owner,
            mtime,
            xattr,
        })
}

fn build(entries: &[Made]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for made in entries {
        if let Some(value) = &made.xattr {
            builder.append_pax_extensions([("SCHILY.xattr.user.test", value.as_slice())]).expect("a builder in memory");
        }
        let mut header = tar::Header::new_gnu();
        header.set_mode(made.mode);
        header.set_uid(made.owner.0);
        header.set_gid(made.owner.1);
        header.set_mtime(made.mtime);
        match &made.link {
            Some(link) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                builder.append_link(&mut header, &made.name, link)
            }
            None => {
                header.set_size(made.data.len() as u64);
                builder.append_data(&mut header, &made.name, made.data.as_slice())
            }
        }
        .expect("a builder in memory");
    }
    builder.into_inner().expect("a builder in memory")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_built_is_read_back(entries in vec(made(), 0..8), seed in any::<u64>()) {
        let archive = build(&entries);
        let (read, verdict) = read(&archive, Split::Random { seed, most: 1500 });
        prop_assert_eq!(verdict, Ok(()));
        prop_assert_eq!(read.len(), entries.len());
        for (made, (entry, data)) in entries.iter().zip(&read) {
            prop_assert_eq!(entry.path.as_slice(), made.name.as_bytes());
            prop_assert_eq!(entry.permissions(), made.mode);
            prop_assert_eq!((entry.uid as u64, entry.gid as u64), made.owner);
            prop_assert_eq!(entry.mtime as u64, made.mtime);
            prop_assert_eq!(entry.ambiguous, None);
            let xattrs: Vec<_> = made.xattr.iter().map(|value| (b"user.test".to_vec(), value.clone())).collect();
            prop_assert_eq!(&entry.xattrs, &xattrs);
            match &made.link {
                Some(link) => {
                    prop_assert_eq!(entry.kind, Kind::Symlink);
                    prop_assert_eq!(entry.link.as_slice(), link.as_bytes());
                }
                None => {
                    prop_assert_eq!(entry.kind, Kind::File);
                    prop_assert_eq!(entry.size, made.data.len() as u64);
                    prop_assert_eq!(data, &made.data);
                    let offset = entry.offset as usize;
                    prop_assert_eq!(&archive[offset..offset + made.data.len()], made.data.as_slice());
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic_and_no_split_matters(bytes in vec(any::<u8>(), 0..3000), seed in any::<u64>()) {
        let (whole, verdict) = read(&bytes, Split::Whole);
        prop_assert_eq!((whole, verdict), read(&bytes, Split::Random { seed, most: 600 }));
    }

    #[test]
    fn a_changed_byte_is_survived(entries in vec(made(), 1..4), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut archive = build(&entries);
        let at = at.index(archive.len());
        archive[at] = to;
        let (whole, verdict) = read(&archive, Split::Whole);
        prop_assert_eq!((whole, verdict), read(&archive, Split::Random { seed: 5, most: 600 }));
    }
}

/// A header block with a valid checksum.
fn header(typeflag: u8, name: &str, size: u64, change: impl FnOnce(&mut [u8; 512])) -> Vec<u8> {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(b"0000644");
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = typeflag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    change(&mut block);
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block.to_vec()
}

/// The blocks of an entry or extension.
fn entry(typeflag: u8, name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = header(typeflag, name, data.len() as u64, |_| {});
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

fn pax(typeflag: u8, records: &[(&str, &str)]) -> Vec<u8> {
    let data: String = records.iter().map(|(key, value)| record(key, value)).collect();
    entry(typeflag, "PaxHeaders/x", data.as_bytes())
}

fn names(archive: &[u8]) -> (Vec<String>, Vec<Option<EntryAmbiguity>>, Result<(), Error>) {
    let (entries, verdict) = read(archive, Split::Random { seed: 3, most: 900 });
    let names = entries.iter().map(|(entry, _)| String::from_utf8_lossy(&entry.path).into_owned()).collect();
    (names, entries.iter().map(|(entry, _)| entry.ambiguous).collect(), verdict)
}

#[test]
fn the_reason_for_an_ambiguity_is_named() {
    let file = entry(b'0', "short", b"1");
    let gnu = |name: &str| entry(b'L', "././@LongLink", format!("{name}\0").as_bytes());
    let cases: [(Vec<Vec<u8>>, &str, EntryAmbiguity); 21] = [
        (vec![pax(b'x', &[("path", "pax")]), gnu("gnu"), file.clone()], "gnu", EntryAmbiguity::TwoLongNames),
        (
            vec![pax(b'x', &[("path", "a")]), pax(b'x', &[("path", "b")]), file.clone()],
            "b",
            EntryAmbiguity::SeveralPaxHeaders,
        ),
        (vec![gnu("a"), gnu("b"), file.clone()], "b", EntryAmbiguity::SeveralLongNames),
        (vec![gnu(""), file.clone()], "short", EntryAmbiguity::EmptyExtension),
        (vec![gnu("a\0b"), file.clone()], "a", EntryAmbiguity::NulInName),
        (vec![pax(b'x', &[("path", "")]), file.clone()], "short", EntryAmbiguity::EmptyExtension),
        (vec![pax(b'x', &[("path", "a"), ("path", "b")]), file.clone()], "b", EntryAmbiguity::RepeatedPaxRecord),
        (vec![pax(b'x', &[("path", "a\nb")]), file.clone()], "a\nb", EntryAmbiguity::NewlineInName),
        (vec![pax(b'x', &[("mtime", "-1.5")]), file.clone()], "short", EntryAmbiguity::FractionBefore1970),
        (vec![pax(b'x', &[("size", "0")]), header(b'0', "grown", 512, |_| {})], "grown", EntryAmbiguity::PaxSize),
        (vec![header(b'2', "link", 512, |_| {})], "link", EntryAmbiguity::SizeOnNonFile),
        (vec![header(0, "old/", 0, |_| {})], "old/", EntryAmbiguity::TrailingSlash),
        (vec![header(b'0', "", 0, |_| {})], "", EntryAmbiguity::NoName),
        (vec![entry(b'X', "solaris", b"16 path=another\n")], "solaris", EntryAmbiguity::SolarisHeader),
        (vec![pax(b'x', &[("mtime", "-1")]), file.clone()], "short", EntryAmbiguity::Number),
        (vec![pax(b'x', &[("gid", "-1")]), file.clone()], "short", EntryAmbiguity::Number),
        (
            vec![header(b'0', "name", 0, |block| {
                block[257..265].fill(0);
                block[345..348].copy_from_slice(b"dir");
            })],
            "name",
            EntryAmbiguity::StrayPrefix,
        ),
        (
            vec![header(b'0', "name", 0, |block| {
                block[257..265].copy_from_slice(b"ustar\x000\x01");
                block[345..348].copy_from_slice(b"dir");
            })],
            "dir/name",
            EntryAmbiguity::StrayPrefix,
        ),
        (
            vec![header(b'0', "name", 0, |block| {
                block[257..265].copy_from_slice(b"ustar  \0");
                block[345..348].copy_from_slice(b"dir");
            })],
            "dir/name",
            EntryAmbiguity::StrayPrefix,
        ),
        (
            vec![header(b'L', "././@LongLink", 2, |block| block[257..265].fill(0)), b"ab".repeat(256), file.clone()],
            "ab",
            EntryAmbiguity::ExtensionWithoutMagic,
        ),
        (
            vec![header(b'3', "device", 0, |block| block[329..337].copy_from_slice(b"\x80\0\0\x01\0\0\0\0"))],
            "device",
            EntryAmbiguity::Number,
        ),
    ];
    for (blocks, name, reason) in cases {
        let (listed, reasons, verdict) = names(&blocks.concat());
        assert_eq!((listed.as_slice(), verdict), ([name.to_owned()].as_slice(), Ok(())), "{reason}");
        assert_eq!(reasons, [Some(reason)]);
        assert!(EntryAmbiguity::ALL.contains(&reason));
    }
}

#[test]
fn a_number_that_some_readers_parse_differently_is_ambiguous() {
    let v7: [u8; 8] = [0; 8];
    type Change<'c> = &'c [(usize, &'c [u8])];
    let odd: [Change<'_>; 7] = [
        &[(124, &[0; 12])],
        &[(124, &[b' '; 12])],
        &[(124, b"\0 0\0")],
        &[(108, b"\x81\0\0\0\0\0\0\x01")],
        &[(100, b"\xfe\xff\xff\xff\xff\xff\xff\xff")],
        &[(337, b"\x80\0\0\0\0\0\0\x01")],
        &[(257, &v7), (329, b"device")],
    ];
    let common: [Change<'_>; 6] = [
        &[(108, b"\x80\0\0\0\0\0\0\x01")],
        &[(108, b"\xff\xff\xff\xff\xff\xff\xff\xfe")],
        &[(108, b"      1 ")],
        &[(108, b"1\0junk")],
        &[(136, &[0; 12])],
        &[(257, &v7), (329, b"\x80\0\0\0\0\0\0\x01")],
    ];
    let cases = odd.map(|change| (change, Some(EntryAmbiguity::Number))).into_iter();
    for (change, reason) in cases.chain(common.map(|change| (change, None))) {
        let block = header(b'0', "name", 0, |block| {
            for (at, bytes) in change {
                block[*at..at + bytes.len()].copy_from_slice(bytes);
            }
        });
        assert_eq!(names(&block), (vec!["name".to_owned()], vec![reason], Ok(())), "{change:?}");
    }
}

#[test]
fn entries_that_all_readers_agree_on_are_not_ambiguous() {
    let file = entry(b'0', "short", b"1");
    let v7 = header(b'0', "short", 0, |block| block[257..265].fill(0));
    for blocks in [
        vec![pax(b'x', &[("mtime", "1"), ("mtime", "2")]), file.clone()],
        vec![pax(b'x', &[("path", "short")]), v7],
        vec![pax(b'x', &[("uid", "1"), ("mtime", "1.5")]), file],
    ] {
        assert_eq!(names(&blocks.concat()), (vec!["short".to_owned()], vec![None], Ok(())));
    }
}

#[test]
fn a_prefix_is_ignored_if_an_extension_names_the_entry() {
    let stray = header(b'0', "name", 0, |block| {
        block[257..265].copy_from_slice(b"ustar  \0");
        block[345..348].copy_from_slice(b"dir");
    });
    let archive = [entry(b'L', "././@LongLink", b"long\0"), stray].concat();
    assert_eq!(names(&archive), (vec!["long".to_owned()], vec![None], Ok(())));
}

#[test]
fn a_global_header_is_an_entry_that_changes_no_other() {
    let archive = [pax(b'g', &[("path", "all")]), entry(b'0', "a", b"1"), entry(b'0', "b", b"2")].concat();
    let (listed, reasons, verdict) = names(&archive);
    assert_eq!(listed, ["all", "a", "b"]);
    assert_eq!(
        reasons,
        [None, Some(EntryAmbiguity::GlobalHeader), Some(EntryAmbiguity::GlobalHeader)],
        "what follows is"
    );
    assert_eq!(verdict, Ok(()));

    for (key, value) in [("comment", "0123"), ("mtime", "5")] {
        let harmless = [pax(b'g', &[(key, value)]), entry(b'0', "a", b"1")].concat();
        assert_eq!(names(&harmless).1, [None, None], "the list is the same");
    }

    let lost = [pax(b'x', &[("path", "long")]), pax(b'g', &[("comment", "")]), entry(b'0', "a", b"1")].concat();
    let (listed, reasons, _) = names(&lost);
    assert_eq!(listed, ["PaxHeaders/x", "a"]);
    assert_eq!(reasons, [None, Some(EntryAmbiguity::LostExtension)]);
}

#[test]
fn the_end_of_an_archive() {
    let file = entry(b'0', "a", b"1");
    let zero = vec![0; 512];
    let verdict = |parts: &[&[u8]]| names(&parts.concat()).2;
    assert_eq!(verdict(&[]), Ok(()));
    assert_eq!(verdict(&[&file]), Ok(()));
    assert_eq!(verdict(&[&file, &zero]), Ok(()));
    assert_eq!(verdict(&[&file, &zero, &zero, b"anything"]), Ok(()));
    assert_eq!(verdict(&[&file[..513]]), Ok(()), "padding may be missing");
    assert_eq!(verdict(&[&file[..512]]), Err(Error::UnexpectedEof { offset: 512 }));
    assert_eq!(verdict(&[&file, &zero[..1]]), Err(Error::UnexpectedEof { offset: 1025 }));
    let lone = Error::Header { offset: 1536, field: Field::LoneZeroBlock };
    assert_eq!(verdict(&[&file, &zero, &file]), Err(lone));
    assert_eq!(verdict(&[&pax(b'x', &[("path", "nothing")])]), Ok(()), "an extension for no entry");
}

#[test]
fn an_error_names_its_place() {
    let bad = entry(b'x', "PaxHeaders/x", b"6 a=b\n7 path=\n");
    let (_, _, verdict) = names(&[entry(b'0', "a", b"1"), bad].concat());
    let error = Error::Header { offset: 1024 + 512 + 6, field: Field::PaxRecord(2) };
    assert_eq!(error.to_string(), "invalid tar header at byte 1542: PAX record 2");
    assert_eq!(verdict, Err(error));

    let size = header(b'0', "a", 0, |block| block[124..136].copy_from_slice(b"-1          "));
    let error = Error::Header { offset: 0, field: Field::Size };
    assert_eq!(names(&size).2, Err(error));
}

#[test]
fn every_sparse_form_gives_the_logical_file() {
    let data = [vec![b'x'; 3], vec![b'y'; 5]].concat();
    let logical = [vec![b'x'; 3], vec![0; 7], vec![b'y'; 5], vec![0; 5]].concat();
    let pairs = |records: &[(&str, &str)]| [pax(b'x', records), entry(b'0', "GNUSparseFile.0/s", &data)].concat();
    let v0_0 = pairs(&[
        ("GNU.sparse.size", "20"),
        ("GNU.sparse.numblocks", "2"),
        ("GNU.sparse.offset", "0"),
        ("GNU.sparse.numbytes", "3"),
        ("GNU.sparse.offset", "10"),
        ("GNU.sparse.numbytes", "5"),
    ]);
    let v0_1 = pairs(&[
        ("GNU.sparse.size", "20"),
        ("GNU.sparse.numblocks", "2"),
        ("GNU.sparse.name", "s"),
        ("GNU.sparse.map", "0,3,10,5"),
    ]);
    let mut map = b"2\n0\n3\n10\n5\n".to_vec();
    map.resize(512, 0);
    map.extend_from_slice(&data);
    let v1_0 = [
        pax(
            b'x',
            &[
                ("GNU.sparse.major", "1"),
                ("GNU.sparse.minor", "0"),
                ("GNU.sparse.name", "s"),
                ("GNU.sparse.realsize", "20"),
            ],
        ),
        entry(b'0', "GNUSparseFile.0/s", &map),
    ]
    .concat();
    let mut old = header(b'S', "s", 8, |block| {
        block[257..265].copy_from_slice(b"ustar  \0");
        for (at, number) in [(386, 0), (398, 3), (410, 10), (422, 5), (483, 20)] {
            block[at..at + 11].copy_from_slice(format!("{number:011o}").as_bytes());
        }
    });
    old.extend_from_slice(&data);
    old.resize(1024, 0);
    for (archive, name) in [(v0_0, "GNUSparseFile.0/s"), (v0_1, "s"), (v1_0, "s"), (old, "s")] {
        let archive = [archive, entry(b'0', "after", b"1")].concat();
        for split in [Split::Whole, Split::Bytes] {
            let (entries, verdict) = read(&archive, split);
            assert_eq!(verdict, Ok(()));
            let [(sparse, content), (after, _)] = entries.as_slice() else { panic!("two entries: {entries:?}") };
            assert_eq!((sparse.path.as_slice(), sparse.size), (name.as_bytes(), 20));
            assert_eq!(content, &logical);
            assert_eq!(sparse.ambiguous, Some(EntryAmbiguity::Sparse));
            assert_eq!((after.path.as_slice(), after.ambiguous), (b"after".as_slice(), None));
        }
    }
}

#[test]
fn a_hole_of_exabytes_costs_nothing() {
    let size = i64::MAX.to_string();
    let archive = [
        pax(
            b'x',
            &[
                ("GNU.sparse.size", &size),
                ("GNU.sparse.numblocks", "0"),
                ("GNU.sparse.major", "0"),
                ("GNU.sparse.minor", "1"),
            ],
        ),
        entry(b'0', "s", b""),
    ]
    .concat();
    let (entries, verdict) = read(&archive, Split::Whole);
    assert_eq!(entries.len(), 1);
    assert_eq!(verdict, Err(Error::TooMuchData { limit: Limits::default().unpacked_bytes }));

    /// A sink that counts entries and wants no data.
    struct Names(usize);
    impl EntrySink for Names {
        fn entry(&mut self, _: Entry) -> Flow {
            self.0 += 1;
            Flow::Continue
        }
    }
    let mut scanner = Scanner::new(&Limits::default());
    let mut listed = Names(0);
    assert_eq!(scanner.push(&archive, &mut listed), Ok(()));
    assert_eq!((scanner.finish(), listed.0), (Ok(()), 1));
}

#[test]
fn limits_have_names() {
    let mut limits = Limits::default();
    limits.entries = 1;
    limits.path_bytes = 10;
    let verdict = |archive: &[u8]| Scanner::new(&limits).push(archive, &mut Reading::default());
    let two = [entry(b'0', "a", b""), entry(b'0', "b", b"")].concat();
    assert_eq!(verdict(&two), Err(Error::TooManyEntries { limit: 1 }));
    let long = entry(b'0', "01234567890", b"");
    let error = Error::NameTooLong { offset: 0, length: 11, limit: 10 };
    assert_eq!(verdict(&long), Err(error.clone()));
    assert!(error.failure().hints.pop().expect("a limit can be raised").to_string().contains("path_bytes"));
}
