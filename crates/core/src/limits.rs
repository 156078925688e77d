//! Every limit, named, in one place.
/// manifest, index, config
pub const MANIFEST_BYTES: u64 = 4 << 20;
/// token answer
pub const TOKEN_BYTES: u64 = 1 << 20;
/// error body
pub const ERROR_BODY_BYTES: u64 = 64 << 10;
/// tags page
pub const TAGS_PAGE_BYTES: u64 = 4 << 20;
/// pages
pub const PAGES: u32 = 1000;
/// JSON nesting
pub const JSON_DEPTH: u32 = 128;
/// index in index
pub const INDEX_DEPTH: u32 = 8;
/// descriptors in a document
pub const DESCRIPTORS: usize = 10_000;
/// redirects
pub const REDIRECTS: u32 = 5;
/// names, link targets and extended attributes of a tree
pub const TREE_TEXT_BYTES: u64 = 512 << 20;
/// Limits while a layer is read; a user may raise each.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// PAX and GNU long-name data of one entry, bytes
    pub extension_bytes: u64,
    /// sparse segments of one entry
    pub sparse_segments: u32,
    /// bytes of a path
    pub path_bytes: u64,
    /// entries of a layer
    pub entries: u64,
    /// nodes of a tree
    pub tree_nodes: u64,
    /// zstd window, bytes
    pub window_bytes: u64,
    /// unpacked bytes of a layer
    pub unpacked_bytes: u64,
    /// unpacked : compressed, judged after the first 64 MiB
    pub expansion_ratio: u64,
    /// gzip name or comment, bytes (as Go)
    pub gzip_name_bytes: u32,
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
        }
    }
}
