//! All limits, by name. Input beyond a limit is refused with an error that names the limit.

/// Bytes of an index, a manifest or a configuration.
pub const MANIFEST_BYTES: u64 = 4 << 20;
/// Bytes of a token server's answer.
pub const TOKEN_BYTES: u64 = 1 << 20;
/// Bytes of an error's body that are read.
pub const ERROR_BODY_BYTES: u64 = 64 << 10;
/// Bytes of one page of tags or repositories.
pub const TAGS_PAGE_BYTES: u64 = 4 << 20;
/// Pages of a list.
pub const PAGES: u32 = 1000;
/// Levels of nesting in a JSON document. Not adjustable, because each level uses stack.
pub const JSON_DEPTH: u32 = 128;
/// Indexes inside indexes.
pub const INDEX_DEPTH: u32 = 8;
/// Descriptors in one document.
pub const DESCRIPTORS: usize = 10_000;
/// Redirects of one request. Not adjustable, as a matter of policy.
pub const REDIRECTS: u32 = 5;
/// Bytes of all names, link targets and extended attributes in a tree.
pub const TREE_TEXT_BYTES: u64 = 512 << 20;
/// Bytes of a seek index.
pub const INDEX_BYTES: u64 = 1 << 30;
/// Bytes of the columns of one group of entries in a seek index, and separately of its names and link targets.
pub const INDEX_GROUP_BYTES: u64 = 8 << 20;
/// Bytes of one page of a seek index: a group of entries, deflated, and the digests of its files.
pub const INDEX_PAGE_BYTES: u64 = 16 << 20;
/// Disagreements between a table of contents and its archive that are kept; further ones are only counted.
pub const DISAGREEMENTS: usize = 10_000;
/// Bytes of all names and link targets in an archive of images. They are held in memory to find its files.
pub const ARCHIVE_NAME_BYTES: u64 = 64 << 20;
/// Bytes of a store's journal. Beyond this its oldest entries are removed.
pub const JOURNAL_BYTES: u64 = 1 << 20;

/// The limits that a user may set, each by its [name](NAMED).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of an index, a manifest or a configuration.
    pub manifest_bytes: u64,
    /// Descriptors in one document.
    pub descriptors: u64,
    /// Indexes inside indexes.
    pub index_depth: u64,
    /// Bytes of a token server's answer.
    pub token_bytes: u64,
    /// Bytes of an error's body that are read. A longer body is cut off without an error.
    pub error_body_bytes: u64,
    /// Bytes of one page of tags or repositories.
    pub tags_page_bytes: u64,
    /// Pages of a list of tags, repositories or referrers.
    pub pages: u64,
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
    /// Bytes of a zstd window in use. The part of a declared window that no content fills does not count. While the window
    /// grows, the old one is held beside the new.
    pub window_bytes: u64,
    /// Bytes of an unpacked layer.
    pub unpacked_bytes: u64,
    /// Ratio of unpacked to packed size of a layer, checked once it exceeds [`expansion_grace`](Self::expansion_grace).
    pub expansion_ratio: u64,
    /// Unpacked bytes of a layer that any packed size allows: zstd packs zeros 30 000 to 1, and database files and disk
    /// images hold gigabytes of them.
    pub expansion_grace: u64,
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
            manifest_bytes: MANIFEST_BYTES,
            descriptors: DESCRIPTORS as u64,
            index_depth: u64::from(INDEX_DEPTH),
            token_bytes: TOKEN_BYTES,
            error_body_bytes: ERROR_BODY_BYTES,
            tags_page_bytes: TAGS_PAGE_BYTES,
            pages: u64::from(PAGES),
            extension_bytes: 1 << 20,
            sparse_segments: 10_000,
            path_bytes: 64 << 10,
            entries: 10_000_000,
            tree_nodes: 10_000_000,
            window_bytes: 128 << 20,
            unpacked_bytes: 64 << 30,
            expansion_ratio: 2_000,
            expansion_grace: 16 << 30,
            gzip_name_bytes: 512,
            toc_bytes: 64 << 20,
            chunk_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// The limits in a browser tab, which has less memory and is slower than a native program.
    pub fn of_a_tab() -> Self {
        Self { tree_nodes: 2_000_000, window_bytes: 64 << 20, expansion_grace: 1 << 30, ..Self::default() }
    }

    /// Finds a limit by its name.
    pub fn named(name: &str) -> Option<&'static Named> {
        NAMED.iter().find(|limit| limit.name == name)
    }
}

/// A limit that a user may set.
#[derive(Debug)]
pub struct Named {
    /// The name of its field in [`Limits`].
    pub name: &'static str,
    /// Short description of the input that it bounds.
    pub about: &'static str,
    /// Unit of its value.
    pub unit: Unit,
    get: fn(&Limits) -> u64,
    set: fn(&mut Limits, u64),
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of bytes, which may be typed with a suffix.
    Bytes,
    /// A plain number of entries, levels or requests.
    Count,
}

impl Named {
    /// Returns its value in `limits`.
    pub fn get(&self, limits: &Limits) -> u64 {
        (self.get)(limits)
    }

    /// Sets its value in `limits`. A value too large for the field's type becomes the maximum of that type.
    pub fn set(&self, limits: &mut Limits, value: u64) {
        (self.set)(limits, value);
    }
}

macro_rules! named {
    ($name:ident: $type:ty, $unit:ident, $about:literal) => {
        Named {
            name: stringify!($name),
            about: $about,
            unit: Unit::$unit,
            get: |limits| limits.$name.into(),
            set: |limits, value| limits.$name = <$type>::try_from(value).unwrap_or(<$type>::MAX),
        }
    };
}

/// Every limit that a user may set.
pub const NAMED: &[Named] = &[
    named!(manifest_bytes: u64, Bytes, "an index, a manifest or a configuration"),
    named!(descriptors: u64, Count, "descriptors in one document"),
    named!(index_depth: u64, Count, "indexes inside indexes"),
    named!(token_bytes: u64, Bytes, "the answer of a token server"),
    named!(error_body_bytes: u64, Bytes, "the part of an error's body that is read"),
    named!(tags_page_bytes: u64, Bytes, "a page of tags or repositories"),
    named!(pages: u64, Count, "pages of tags, repositories or referrers"),
    named!(extension_bytes: u64, Bytes, "PAX records or the GNU long name of an entry"),
    named!(sparse_segments: u32, Count, "segments of a sparse file"),
    named!(path_bytes: u64, Bytes, "a path"),
    named!(entries: u64, Count, "entries of a layer"),
    named!(tree_nodes: u64, Count, "paths in a tree"),
    named!(window_bytes: u64, Bytes, "a zstd window, at most 512 MiB"),
    named!(unpacked_bytes: u64, Bytes, "an unpacked layer"),
    named!(expansion_ratio: u64, Count, "ratio of unpacked to packed size of a layer, beyond expansion_grace"),
    named!(expansion_grace: u64, Bytes, "an unpacked layer to which expansion_ratio does not apply"),
    named!(gzip_name_bytes: u32, Bytes, "the name in a gzip header"),
    named!(toc_bytes: u64, Bytes, "a prepared layer's table of contents"),
    named!(chunk_bytes: u64, Bytes, "a chunk of a file in a prepared layer"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_set_by_its_name() {
        let fields = format!("{:?}", Limits::default());
        assert_eq!(fields.matches(':').count(), NAMED.len(), "a field without a name: {fields}");
        for (value, limit) in (70_000..).zip(NAMED) {
            let mut limits = Limits::default();
            assert!(fields.contains(&format!("{}: {}", limit.name, limit.get(&limits))));
            Limits::named(limit.name).expect("a name").set(&mut limits, value);
            assert_eq!(limit.get(&limits), value);
            assert!(format!("{limits:?}").contains(&format!("{}: {value}", limit.name)));
            limit.set(&mut limits, u64::MAX);
            assert!(limit.get(&limits) >= u64::from(u32::MAX));
        }
        assert!(Limits::named("no_such_limit").is_none());
    }
}
