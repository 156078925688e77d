//! Opens local files and directories, and unpacks compressed ones.

use porthole_core::{decode, limits::Limits};
use porthole_source::{Files, OpenError, Place, ReadAt};
use porthole_store::disk::{self, BlockingReader, Directory, DiskFile, SpoolError, block_on};
use porthole_testkit::image::Compression;
use std::{fs, io::Read, os::unix::fs::symlink};
use tempfile::TempDir;

#[test]
fn links_do_not_lead_out_of_a_directory() {
    let (dir, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let secret = outside.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    fs::write(dir.path().join("inside"), "inside").unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    symlink(&secret, dir.path().join("absolute")).unwrap();
    symlink("../folder/../inside", dir.path().join("folder/link")).unwrap();
    symlink(outside.path(), dir.path().join("out")).unwrap();
    let directory = Directory::open(dir.path()).unwrap();
    let open = |path: &str| block_on(directory.open(path));
    for path in ["absolute", "out/secret", "folder", ".", "..", secret.to_str().unwrap()] {
        assert!(matches!(open(path), Err(OpenError::NotAFile)), "{path}");
    }
    assert!(matches!(open("nothing"), Err(OpenError::NotFound)));
    let mut bytes = String::new();
    BlockingReader::new(open("folder/link").unwrap(), 2).read_to_string(&mut bytes).unwrap();
    assert_eq!(bytes, "side");
}

#[test]
fn compressed_files_are_unpacked_within_the_limits() {
    let bytes: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    let read = |file: DiskFile| {
        let mut all = Vec::new();
        BlockingReader::new(file, 0).read_to_end(&mut all).unwrap();
        all
    };
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let packed = compression.compress(&bytes);
        fs::write(&path, &packed).unwrap();
        let unpack = |limits: &Limits| DiskFile::open(&path).unwrap().unpacked(limits);
        assert_eq!(read(unpack(&Limits::default()).unwrap()), bytes);
        assert_eq!(read(disk::spool(&packed[..], &Limits::default()).unwrap()), bytes);
        let mut limits = Limits::default();
        limits.unpacked_bytes = 1 << 20;
        let error = disk::spool(&packed[..], &limits).unwrap_err();
        assert!(matches!(error, SpoolError::Decode(decode::Error::TooLarge { limit }) if limit == 1 << 20), "{error}");
        if compression != Compression::None {
            assert!(matches!(unpack(&limits), Err(SpoolError::Decode(_))));
            let error = disk::spool(&packed[..packed.len() / 2], &Limits::default()).unwrap_err();
            assert!(matches!(error, SpoolError::Decode(decode::Error::UnexpectedEof { .. })), "{error}");
        }
    }
    assert_eq!(read(disk::spool(&b""[..], &Limits::default()).unwrap()), b"");
}

/// Output of `printf 'hello, world\n' | xz`, without options and with `-9e`, which sets a dictionary of 64 MiB.
const XZ: [&[u8]; 2] = [include_bytes!("vectors/hello.xz"), include_bytes!("vectors/hello-9e.xz")];

#[test]
fn xz_is_unpacked_within_the_limits() {
    let read = |packed: &[u8], limits: &Limits| {
        let mut all = Vec::new();
        disk::spool(packed, limits).map(|file| BlockingReader::new(file, 0).read_to_end(&mut all))?.unwrap();
        Ok::<_, SpoolError>(all)
    };
    let default = Limits::default();
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, XZ[0]).unwrap();
    let mut all = String::new();
    BlockingReader::new(DiskFile::open(&path).unwrap().unpacked(&default).unwrap(), 0)
        .read_to_string(&mut all)
        .unwrap();
    assert_eq!(all, "hello, world\n");
    // Streams may follow each other, with padding between them.
    let two = [XZ[0], &[0; 4], XZ[1]].concat();
    assert_eq!(read(&two, &default).unwrap(), b"hello, world\nhello, world\n");
    let mut limits = default;
    limits.window_bytes = 32 << 20;
    assert!(read(XZ[0], &limits).is_ok());
    let error = read(XZ[1], &limits).unwrap_err();
    assert!(matches!(error, SpoolError::Decode(decode::Error::Dictionary { limit }) if limit == 32 << 20), "{error}");
    limits.unpacked_bytes = 12;
    assert!(matches!(read(XZ[0], &limits), Err(SpoolError::Decode(decode::Error::TooLarge { limit: 12 }))));
    for end in 7..XZ[0].len() {
        let error = read(&XZ[0][..end], &default).unwrap_err();
        assert!(matches!(error, SpoolError::Decode(decode::Error::UnexpectedEof { .. })), "{end}: {error:?}");
    }
    let mut damaged = XZ[0].to_vec();
    damaged[30] ^= 1;
    assert!(matches!(read(&damaged, &default), Err(SpoolError::Xz { .. })));
}

#[test]
fn a_file_is_read_at_any_offset() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "0123456789").unwrap();
    let file = DiskFile::open(&path).unwrap();
    assert_eq!(file.size(), 10);
    for (offset, expected) in [(0, "0123"), (8, "89"), (10, ""), (99, "")] {
        let mut buffer = [0; 4];
        let read = block_on(file.read_at(offset, &mut buffer)).unwrap();
        assert_eq!(&buffer[..read], expected.as_bytes(), "{offset}");
    }
}

#[test]
fn a_path_is_a_directory_or_a_file() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    assert!(matches!(disk::open(dir.path()), Ok(Place::Directory(_))));
    assert!(matches!(disk::open(&path), Ok(Place::File(_))));
    assert!(matches!(disk::open(&dir.path().join("nothing")), Err(OpenError::Io(_))));
    assert!(matches!(DiskFile::open(dir.path()), Err(OpenError::NotAFile)));
}
