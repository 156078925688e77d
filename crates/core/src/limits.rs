//! Every limit, named, in one place. What a registry or an archive sends beyond one is refused with an error that names it.

/// Bytes of an index, a manifest or a configuration.
pub const MANIFEST_BYTES: u64 = 4 << 20;
/// Bytes of a token server's answer.
pub const TOKEN_BYTES: u64 = 1 << 20;
/// Bytes of an error's body that are read.
pub const ERROR_BODY_BYTES: u64 = 64 << 10;
/// Bytes of one page of tags.
pub const TAGS_PAGE_BYTES: u64 = 4 << 20;
/// Pages of a list.
pub const PAGES: u32 = 1000;
/// Levels of nesting in a JSON document.
pub const JSON_DEPTH: u32 = 128;
/// Indexes inside indexes.
pub const INDEX_DEPTH: u32 = 8;
/// Descriptors in one document.
pub const DESCRIPTORS: usize = 10_000;
/// Redirects of one request.
pub const REDIRECTS: u32 = 5;
/// Bytes of all names, link targets and extended attributes in a tree.
pub const TREE_TEXT_BYTES: u64 = 512 << 20;
/// Bytes of a seek index.
pub const INDEX_BYTES: u64 = 1 << 30;
/// Bytes of the names and of all fields of one group of entries in a seek index.
pub const INDEX_GROUP_BYTES: u64 = 8 << 20;
/// Disagreements between a table of contents and its archive that are kept; further ones are counted.
pub const DISAGREEMENTS: usize = 10_000;

/// Limits while layers are read; a user may raise each.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the PAX records or the GNU long name of one entry.
    pub extension_bytes: u64,
    /// Segments of one sparse file.
    pub sparse_segments: u32,
    /// Bytes of a path.
    pub path_bytes: u64,
    /// Entries of a layer.
    pub entries: u64,
    /// Nodes of a tree.
    pub tree_nodes: u64,
    /// Bytes of a zstd window.
    pub window_bytes: u64,
    /// Bytes of an unpacked layer.
    pub unpacked_bytes: u64,
    /// How many times as large as it came a layer may become, judged after the first 64 MiB.
    pub expansion_ratio: u64,
    /// Bytes of the name or the comment in a gzip header; the same as in Go's reader.
    pub gzip_name_bytes: u32,
    /// Bytes of a prepared layer's table of contents, packed and unpacked.
    pub toc_bytes: u64,
    /// Bytes of one chunk of a file in a prepared layer, which is held until its digest is checked.
    pub chunk_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            extension_bytes: 1 << 20,
            sparse_segments: 10_000,
            path_bytes: 64 << 10,
            entries: 10_000_000,
            tree_nodes: 2_000_000,
            window_bytes: 128 << 20,
            unpacked_bytes: 64 << 30,
            expansion_ratio: 2_000,
            gzip_name_bytes: 512,
            toc_bytes: 64 << 20,
            chunk_bytes: 64 << 20,
        }
    }
}
