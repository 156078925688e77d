//! Upper bounds for what is read from an image. An input that exceeds one is reported as not read, with the name of the limit.

/// Bytes of a database that lists many packages, such as dpkg's `status`.
pub const DATABASE_BYTES: u64 = 256 << 20;
/// Bytes of a file about one package, such as `package.json`.
pub const DOCUMENT_BYTES: u64 = 8 << 20;
/// Bytes of an executable that is held in memory for its section of Rust dependencies.
pub const BINARY_BYTES: u64 = 64 << 20;
/// Bytes of a Java archive, packed, and of all that is unpacked from it.
pub const ARCHIVE_BYTES: u64 = 256 << 20;
/// Java archives inside Java archives.
pub const ARCHIVE_DEPTH: u32 = 3;
/// Bytes of the text about a Go program or of a Rust program's dependencies, unpacked.
pub const BUILD_INFO_BYTES: usize = 4 << 20;
/// Packages of one file.
pub const PACKAGES: usize = 200_000;
/// Paths that one file assigns to packages.
pub const OWNED_PATHS: usize = 2_000_000;
/// Bytes of those paths, where a database keeps directories and names apart.
pub const OWNED_PATH_BYTES: usize = 256 << 20;
/// Bytes of a text that is searched for secrets.
pub const SCANNED_BYTES: u64 = 16 << 20;
/// Bytes of a file that is searched for a private key in a binary format.
pub const KEY_FILE_BYTES: u64 = 1 << 20;
/// Bytes of a file with certificates.
pub const CERTIFICATE_BYTES: u64 = 1 << 20;
/// Dangers of one image.
pub const DANGERS: usize = 1000;
/// Secrets of one file.
pub const SECRETS_OF_A_FILE: usize = 1000;
/// Bytes of a file that are read for its facts.
pub const FACT_BYTES: usize = 8 << 20;
/// Times that further bytes of a file are read for its facts.
pub const FACT_READS: u32 = 64;
/// Members of an archive that are listed.
pub const LISTED_MEMBERS: usize = 10_000;
/// Bytes of their names.
pub const LISTED_NAME_BYTES: usize = 4 << 20;
/// Bytes of an archive, unpacked, that are read for its members.
pub const SCANNED_ARCHIVE_BYTES: u64 = 1 << 30;
