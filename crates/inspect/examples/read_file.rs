//! Prints one file of a layer by a range of its blob: `read_file LAYER PATH`.
//!
//! The first call reads the layer once and writes a seek index beside it. Later calls read a few pages of the index, and
//! the part of the layer that holds the file; each part is verified against the digest of the layer.

use porthole_core::{
    layer::{Expected, LayerReader},
    limits::Limits,
    seek::{AtPath, IndexOptions},
    tar::{Entry, EntrySink, Flow},
};
use porthole_inspect::seek::SeekIndex;
use std::{
    error::Error,
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(layer), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("expected a layer and a path in it".into());
    };
    let mut beside = OsString::from(&layer);
    beside.push(".index");
    let (mut layer, beside) = (File::open(layer)?, Path::new(&beside));
    if !beside.exists() {
        fs::write(beside, index(&mut layer)?)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(read(&mut layer, fs::read(beside)?, path.as_encoded_bytes(), &mut io::stdout().lock()))
}

/// Reads the layer to its end, and returns its seek index.
pub(crate) fn index(layer: &mut impl Read) -> Result<Vec<u8>, Box<dyn Error>> {
    // A descriptor would say which digest and size to expect.
    let mut reader = LayerReader::new(Expected::default(), Limits::default()).with_index(IndexOptions::default());
    let mut buffer = vec![0; 256 << 10];
    loop {
        match layer.read(&mut buffer)? {
            0 => break,
            read => reader.push(&buffer[..read], &mut Ignore),
        };
    }
    // An index of a large layer is better taken in parts, by `take_index`.
    let (report, end) = reader.finish_index(&mut Ignore);
    match (report.findings.iter().find(|finding| finding.refutes()), end) {
        (None, Some(end)) => Ok(end.into_bytes()),
        (Some(finding), _) => Err(finding.to_string().into()),
        (None, None) => Err("the layer cannot be indexed".into()),
    }
}

/// Writes the file at a path of the layer.
pub(crate) async fn read(
    layer: &mut (impl Read + Seek),
    index: Vec<u8>,
    path: &[u8],
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let index = SeekIndex::open(index).await?;
    let AtPath::Entry(found) = index.find(path).await? else { return Err("the layer has no such file".into()) };
    let mut file = index.open_located(*found, &Limits::default()).await?;
    let range = file.range();
    layer.seek(SeekFrom::Start(range.start))?;
    let mut part = layer.take(range.end - range.start);
    let (mut buffer, mut written) = (vec![0; 64 << 10], Ok(()));
    while !file.done() {
        match part.read(&mut buffer)? {
            0 => break,
            read => file.push(&buffer[..read], &mut |bytes| {
                if written.is_ok() {
                    written = out.write_all(bytes);
                }
            })?,
        }
    }
    file.finish()?;
    Ok(written?)
}

/// The entries are not needed: the index has them.
struct Ignore;

impl EntrySink for Ignore {
    fn entry(&mut self, _: Entry) -> Flow {
        Flow::Continue
    }
}
