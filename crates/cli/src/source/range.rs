//! A part of a layer's blob, from wherever it is.

use std::{
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    ops::Range,
    path::Path,
    sync::Arc,
};

use porthole_core::{descriptor::Descriptor, reference::Reference};
use tokio::runtime::Handle;

use super::Source;
use crate::{error::Error, session::Client};

const BUFFER: usize = 128 << 10;

impl Source {
    /// Reads a range of a layer's blob, or of the file of a bare layer, in order, until `take` wants no more. Returns how
    /// many bytes came, which may be more than were wanted. Nothing is verified here.
    pub(crate) fn read_range(
        &self,
        descriptor: Option<&Descriptor>,
        range: Range<u64>,
        take: impl FnMut(&[u8]) -> Result<More, Error>,
    ) -> Result<u64, Error> {
        match (self, descriptor) {
            (Self::Registry { reference, client, runtime }, Some(descriptor)) => {
                fetch(client, runtime, reference, descriptor, range, take)
            }
            (Self::Local { local, .. }, Some(descriptor)) => {
                let (_, reader) = local.open_blob(&descriptor.digest, range.start)?;
                read(reader, Path::new("blob"), range.end - range.start, take)
            }
            (Self::Layer { path }, _) => {
                let unreadable = |source| Error::Read { path: path.clone(), source };
                let mut file = File::open(path).map_err(unreadable)?;
                file.seek(SeekFrom::Start(range.start)).map_err(unreadable)?;
                read(file, path, range.end - range.start, take)
            }
            (Self::Coming { .. }, _) => {
                Err(Error::usage("a blob that comes is read in order (this is a bug in porthole)"))
            }
            (_, None) => Err(Error::usage("a layer of an image has a descriptor (this is a bug in porthole)")),
        }
    }
}

/// Whether the rest of a range is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum More {
    Yes,
    No,
}

fn read(
    reader: impl Read,
    path: &Path,
    length: u64,
    mut take: impl FnMut(&[u8]) -> Result<More, Error>,
) -> Result<u64, Error> {
    let mut reader = reader.take(length);
    let mut buffer = vec![0; BUFFER];
    let mut received = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(received),
            Ok(read) => {
                received += read as u64;
                if take(&buffer[..read])? == More::No {
                    return Ok(received);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        }
    }
}

fn fetch(
    client: &Arc<Client>,
    runtime: &Handle,
    reference: &Reference,
    descriptor: &Descriptor,
    range: Range<u64>,
    mut take: impl FnMut(&[u8]) -> Result<More, Error>,
) -> Result<u64, Error> {
    let mut blob = runtime.block_on(client.fetch_blob_range(reference, descriptor, range))?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match runtime.block_on(blob.read(&mut buffer))? {
            0 => return Ok(blob.received()),
            read if take(&buffer[..read])? == More::No => return Ok(blob.received()),
            _ => {}
        }
    }
}
