//! One layer, from a kept index to batches of entries.

use super::{fetch::RequestedLayer, wire::Wire};
use crate::layer::{BATCH_BYTES, BlobRequest, KeptIndex, LayerFindings, WorkerReport};
use porthole_core::seek::BatchWriter;
use porthole_inspect::seek::SeekIndex;
use porthole_registry::transport::{Environment, Transport};
use porthole_source::ReadAt;
use std::{cell::RefCell, io};

/// Reports the entries of a kept index. `None` = it is damaged or cannot be read.
pub(super) async fn replay(
    transport: &(impl Transport + Environment),
    kept: KeptIndex,
    held: Option<Vec<u8>>,
    job: u32,
    tell: &dyn Fn(WorkerReport),
) -> Option<LayerFindings> {
    match (kept.url, held) {
        (Some(url), _) => {
            let (wire, request) = (Wire::silent(transport, tell), BlobRequest { url, headers: Vec::new() });
            report(At { wire, request, size: kept.size, ahead: RefCell::default() }, job, tell).await
        }
        (None, Some(bytes)) => report(bytes, job, tell).await,
        (None, None) => None,
    }
}

async fn report(bytes: impl ReadAt, job: u32, tell: &dyn Fn(WorkerReport)) -> Option<LayerFindings> {
    let index = SeekIndex::open(bytes).await.ok()?;
    let (uncompressed, count) = (index.facts().uncompressed(), index.facts().entry_count());
    let mut writer = BatchWriter::default();
    let (mut entries, mut ambiguous) = (0, 0);
    while entries < count {
        let group = index.ask(|index| index.entries(entries)).await.ok().filter(|group| !group.is_empty())?;
        entries += group.len() as u64;
        for (entry, _) in &group {
            ambiguous += u64::from(entry.ambiguous.is_some());
            writer.push(entry);
        }
        if let Some(batch) = writer.take(if entries < count { BATCH_BYTES } else { 1 }) {
            tell(WorkerReport::Entries { job, batch });
            tell(WorkerReport::Progress { job, compressed: 0, uncompressed, entries });
        }
    }
    Some(LayerFindings { verified: true, uncompressed, entries, ambiguous, ..LayerFindings::default() })
}

/// A file at an address, read ahead.
struct At<'t, T: Transport + Environment> {
    wire: Wire<'t, T>,
    request: BlobRequest,
    size: u64,
    /// Bytes that were read last, and where they start.
    ahead: RefCell<(u64, Vec<u8>)>,
}

impl<T: Transport + Environment> At<'_, T> {
    /// Copies what was read ahead from an offset on.
    fn copy(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let ahead = self.ahead.borrow();
        let skip = offset.checked_sub(ahead.0).and_then(|skip| usize::try_from(skip).ok());
        let there = skip.and_then(|skip| ahead.1.get(skip..)).unwrap_or_default();
        let read = there.len().min(buffer.len());
        buffer[..read].copy_from_slice(&there[..read]);
        read
    }
}

impl<T: Transport + Environment> ReadAt for At<'_, T> {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.copy(offset, buffer);
        if read > 0 || offset >= self.size || buffer.is_empty() {
            return Ok(read);
        }
        let end = offset.saturating_add((buffer.len() as u64).max(AHEAD)).min(self.size);
        let layer = RequestedLayer::new(&self.wire, self.request.clone(), self.size);
        let mut part = layer.part(offset..end).await.map_err(io::Error::other)?;
        let mut bytes = vec![0; usize::try_from(end - offset).unwrap_or(usize::MAX)];
        let mut filled = 0;
        while filled < bytes.len() {
            match part.read(&mut bytes[filled..]).await.map_err(io::Error::other)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        *self.ahead.borrow_mut() = (offset, bytes);
        Ok(self.copy(offset, buffer))
    }
}

/// Bytes that are read at once.
const AHEAD: u64 = 1 << 20;
