//! Builds layers with a table of contents: eStargz (`docs/estargz.md` of containerd's stargz-snapshotter) and
//! zstd:chunked (`pkg/chunked` of containers/storage). Debian has no tool for eStargz.

use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{Blob, CREATED, Compression, Content, Entry, Kind, Layer, Root, content::sha256};

/// Format of a layer with a table of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// gzip members; the table of contents is the last entry of the archive.
    EStargz,
    /// The predecessor of eStargz, with a shorter footer.
    Stargz,
    /// zstd frames; the table of contents is in a skippable frame.
    ZstdChunked,
    /// zstd:chunked with the footer and annotations of older tools.
    OldZstdChunked,
}

/// Builder of a layer with a table of contents.
pub struct Prepared<'l> {
    layer: &'l Layer,
    format: Format,
    chunk: usize,
    member: usize,
    landmark: Option<&'static str>,
    edit: Box<dyn Fn(&mut Value) + 'l>,
}

/// A serialised layer with a table of contents.
#[derive(Clone, Debug)]
pub struct PreparedLayer {
    /// The layer as a registry serves it.
    pub blob: Blob,
    /// Digest of the uncompressed tar.
    pub diff_id: String,
    /// The uncompressed tar.
    pub tar: Vec<u8>,
    /// The table of contents as JSON.
    pub toc: Vec<u8>,
    /// Annotations of the descriptor.
    pub annotations: BTreeMap<String, String>,
}

impl<'l> Prepared<'l> {
    /// A layer in this format, with chunks of 4096 bytes, each in its own member.
    pub fn new(layer: &'l Layer, format: Format) -> Self {
        Self { layer, format, chunk: 4096, member: 0, landmark: None, edit: Box::new(|_| ()) }
    }

    /// Sets the chunk size in bytes.
    pub fn chunks_of(mut self, bytes: usize) -> Self {
        self.chunk = bytes;
        self
    }

    /// eStargz: sets the minimum unpacked size of a member, so that chunks share one.
    pub fn members_of(mut self, bytes: usize) -> Self {
        self.member = bytes;
        self
    }

    /// eStargz: adds a landmark with this name after all other entries.
    pub fn landmark(mut self, name: &'static str) -> Self {
        self.landmark = Some(name);
        self
    }

    /// Edits the table of contents before it is written, so that it contradicts the tar.
    pub fn edit(mut self, edit: impl Fn(&mut Value) + 'l) -> Self {
        self.edit = Box::new(edit);
        self
    }

    /// Serialises the layer.
    pub fn build(&self) -> PreparedLayer {
        match self.format {
            Format::EStargz | Format::Stargz => self.estargz(),
            Format::ZstdChunked | Format::OldZstdChunked => self.zstd_chunked(),
        }
    }

    fn estargz(&self) -> PreparedLayer {
        let mut out = Packed::new(|bytes| Compression::Gzip.compress(bytes));
        let mut rows = Vec::new();
        let landmark = self.landmark.map(|name| Entry::file(name, [0xf]));
        for entry in self.layer.entries().iter().chain(&landmark) {
            let mut row = row(entry);
            row["NumLink"] = json!(0);
            let (head, data, padding) = parts(entry);
            out.write(&head);
            if matches!(entry.kind, Kind::File(_)) {
                row["digest"] = json!(sha256(&data));
            }
            let (mut start, mut of_file) = (0, vec![row]);
            while start < data.len() {
                let chunk = &data[start..data.len().min(start + self.chunk)];
                if out.open.len() >= self.member {
                    out.close();
                }
                let row = of_file.last_mut().expect("a row for the entry");
                row["offset"] = json!(out.blob.len());
                if !out.open.is_empty() {
                    row["innerOffset"] = json!(out.open.len());
                }
                if start > 0 {
                    row["chunkOffset"] = json!(start);
                }
                if start + chunk.len() < data.len() {
                    row["chunkSize"] = json!(chunk.len());
                }
                row["chunkDigest"] = json!(sha256(chunk));
                out.write(chunk);
                start += chunk.len();
                if start < data.len() {
                    of_file.push(json!({ "name": text(&entry.path), "type": "chunk" }));
                }
            }
            rows.append(&mut of_file);
            out.write(&padding);
        }
        out.close();
        let mut toc = json!({ "version": 1, "entries": rows });
        (self.edit)(&mut toc);
        let toc = serde_json::to_vec_pretty(&toc).expect("a value is JSON");
        let offset = out.blob.len();
        let (head, data, padding) = parts(&Entry::file("stargz.index.json", &toc).mtime(0));
        out.write(&[head, data, padding, vec![0; 1024]].concat());
        out.close();
        let subfield = format!("{offset:016x}STARGZ");
        let extra = match self.format {
            Format::Stargz => subfield.into_bytes(),
            _ => [b"SG\x16\0", subfield.as_bytes()].concat(),
        };
        out.blob.extend_from_slice(&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, extra.len() as u8, 0]);
        out.blob.extend_from_slice(&extra);
        out.blob.extend_from_slice(&[1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
        let annotations = [
            ("containerd.io/snapshot/stargz/toc.digest", sha256(&toc)),
            ("io.containers.estargz.uncompressed-size", out.tar.len().to_string()),
        ];
        out.layer("application/vnd.oci.image.layer.v1.tar+gzip", toc, &annotations)
    }

    fn zstd_chunked(&self) -> PreparedLayer {
        let mut out = Packed::new(|bytes| Compression::Zstd.compress(bytes));
        let mut rows = Vec::new();
        for entry in self.layer.entries() {
            let mut row = row(entry);
            let (head, data, padding) = parts(entry);
            out.write(&head);
            if !data.is_empty() {
                out.close();
                row["digest"] = json!(sha256(&data));
            }
            let alone = data.len() <= self.chunk;
            let (mut start, mut of_file) = (0, vec![row]);
            for chunk in data.chunks(self.chunk) {
                let row = of_file.last_mut().expect("a row for the entry");
                row["offset"] = json!(out.blob.len());
                if !alone {
                    row["chunkSize"] = json!(chunk.len());
                    row["chunkDigest"] = json!(sha256(chunk));
                    if chunk.iter().all(|byte| *byte == 0) {
                        row["chunkType"] = json!("zeros");
                    }
                }
                out.write(chunk);
                out.close();
                start += chunk.len();
                if start < data.len() {
                    of_file.push(json!({ "name": text(&entry.path), "type": "chunk", "chunkOffset": start }));
                }
            }
            if !data.is_empty() {
                of_file[0]["endOffset"] = json!(out.blob.len());
            }
            rows.append(&mut of_file);
            out.write(&padding);
        }
        out.write(&[0; 1024]);
        out.close();
        let split = Compression::Zstd.compress(b"what tar-split writes");
        let mut toc = json!({ "version": 1, "entries": rows });
        if self.format == Format::ZstdChunked {
            toc["tarSplitDigest"] = json!(sha256(&split));
        }
        (self.edit)(&mut toc);
        let toc = toc.to_string().into_bytes();
        let packed = Compression::Zstd.compress(&toc);
        let (offset, length) = (out.blob.len() + 8, packed.len());
        out.skippable(&packed);
        let (mut footer, magic, prefix) = (vec![offset, length, toc.len(), 1], b"GNUlInUx", "io.github.containers");
        let (magic, prefix) = if self.format == Format::ZstdChunked {
            footer.extend([out.blob.len() + 8, split.len(), 21]);
            out.skippable(&split);
            (magic, prefix)
        } else {
            (b"GnUlInUx", "io.containers")
        };
        let mut footer: Vec<u8> = footer.iter().flat_map(|number| (*number as u64).to_le_bytes()).collect();
        footer.extend_from_slice(magic);
        out.skippable(&footer);
        let annotations = [
            (&*format!("{prefix}.zstd-chunked.manifest-checksum"), sha256(&packed)),
            (&*format!("{prefix}.zstd-chunked.manifest-position"), format!("{offset}:{length}:{}:1", toc.len())),
        ];
        out.layer("application/vnd.oci.image.layer.v1.tar+zstd", toc, &annotations)
    }
}

impl PreparedLayer {
    /// The descriptor with its annotations.
    pub fn descriptor(&self) -> Value {
        let mut descriptor = self.blob.descriptor();
        if !self.annotations.is_empty() {
            descriptor["annotations"] = json!(self.annotations);
        }
        descriptor
    }

    /// An OCI image for `linux/amd64` of such layers, tagged `name`.
    pub fn image(layers: &[Self], name: &str) -> Content {
        let diff_ids: Vec<_> = layers.iter().map(|layer| &layer.diff_id).collect();
        let config = json!({
            "architecture": "amd64",
            "config": {},
            "created": CREATED,
            "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = Blob::json("application/vnd.oci.image.config.v1+json", &config);
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": config.descriptor(),
            "layers": layers.iter().map(Self::descriptor).collect::<Vec<_>>(),
        });
        let mut content = Content::default();
        content.add_blob(config);
        for layer in layers {
            content.add_blob(layer.blob.clone());
        }
        content.roots.push(Root { name: Some(name.into()), blob: Blob::json(media_type, &manifest) });
        content
    }
}

/// A tar that is compressed in pieces.
struct Packed {
    tar: Vec<u8>,
    blob: Vec<u8>,
    /// Bytes written but not yet compressed.
    open: Vec<u8>,
    pack: fn(&[u8]) -> Vec<u8>,
}

impl Packed {
    fn new(pack: fn(&[u8]) -> Vec<u8>) -> Self {
        Self { tar: Vec::new(), blob: Vec::new(), open: Vec::new(), pack }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.tar.extend_from_slice(bytes);
        self.open.extend_from_slice(bytes);
    }

    /// Compresses the pending bytes into their own member or frame.
    fn close(&mut self) {
        if !self.open.is_empty() {
            self.blob.extend((self.pack)(&self.open));
            self.open.clear();
        }
    }

    fn skippable(&mut self, bytes: &[u8]) {
        self.blob.extend_from_slice(&0x184d_2a50_u32.to_le_bytes());
        self.blob.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.blob.extend_from_slice(bytes);
    }

    fn layer(self, media_type: &str, toc: Vec<u8>, annotations: &[(&str, String)]) -> PreparedLayer {
        PreparedLayer {
            blob: Blob::new(media_type, self.blob),
            diff_id: sha256(&self.tar),
            tar: self.tar,
            toc,
            annotations: annotations.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        }
    }
}

/// The blocks of an entry: headers, data, padding.
fn parts(entry: &Entry) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut archive = tar::Builder::new(Vec::new());
    entry.append(&mut archive).expect("a Vec takes every byte");
    let mut head = archive.into_inner().expect("a Vec takes every byte");
    let data = match &entry.kind {
        Kind::File(content) => content.clone(),
        _ => Vec::new(),
    };
    let end = head.len() - 1024;
    let padding = data.len().next_multiple_of(512) - data.len();
    head.truncate(end - padding - data.len());
    (head, data, vec![0; padding])
}

fn row(entry: &Entry) -> Value {
    let mut row = json!({ "name": text(&entry.path), "mode": entry.mode });
    row["type"] = json!(match &entry.kind {
        Kind::File(content) => {
            if !content.is_empty() {
                row["size"] = json!(content.len());
            }
            "reg"
        }
        Kind::Directory => "dir",
        Kind::Symlink(target) => {
            row["linkName"] = json!(text(target));
            "symlink"
        }
        Kind::Hardlink(target) => {
            row["linkName"] = json!(text(target));
            "hardlink"
        }
        Kind::Char(major, minor) => {
            (row["devMajor"], row["devMinor"]) = (json!(major), json!(minor));
            "char"
        }
        Kind::Block(major, minor) => {
            (row["devMajor"], row["devMinor"]) = (json!(major), json!(minor));
            "block"
        }
        Kind::Fifo => "fifo",
    });
    for (name, id) in [("uid", entry.uid), ("gid", entry.gid)] {
        if id != 0 {
            row[name] = json!(id);
        }
    }
    if entry.mtime != 0 {
        row["modtime"] = json!(time(entry.mtime));
    }
    if !entry.xattrs.is_empty() {
        let xattrs = entry.xattrs.iter().map(|(name, value)| (name.clone(), json!(base64(value))));
        row["xattrs"] = Value::Object(xattrs.collect());
    }
    row
}

/// Like Go's JSON encoder, replaces invalid UTF-8 by U+FFFD.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Formats a time as RFC 3339.
fn time(seconds: u64) -> String {
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}T{:02}:{:02}:{:02}Z", days + 1, rest / 3600, rest / 60 % 60, rest % 60)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let shown = digit <= chunk.len();
            text.push(if shown { char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]) } else { '=' });
        }
    }
    text
}
