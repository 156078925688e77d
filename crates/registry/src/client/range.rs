//! Ranges of blobs, read over breaks of the connection.

use super::{Call, Registry};
use crate::{
    endpoint::blob,
    error::Error,
    retry::{Budget, Failure},
    trace::Reason,
    transport::{self, Body, Environment, ErrorKind, Transport},
};
use http::{StatusCode, header};
use porthole_core::{descriptor::Descriptor, reference::Reference};
use std::ops::Range;

/// A range of a blob, in order and exactly as long as it was asked for. What it reads has not been verified.
///
/// A registry that ignores ranges sends the whole blob: what stands before the range is read and dropped, what comes after
/// it is not waited for. Where a transfer breaks, the rest is asked for from the byte that was reached. Dropping it ends the
/// transfer.
pub struct BlobRange<'r, T: Transport> {
    registry: &'r Registry<T>,
    call: Call,
    repository: String,
    descriptor: Descriptor,
    range: Range<u64>,
    /// The next byte of the blob to be given.
    position: u64,
    body: Option<T::Body>,
    /// Bytes of the body before it.
    skip: u64,
    /// The registry sent the whole blob where a part was asked for.
    whole: bool,
    received: u64,
    budget: Budget,
    /// Why the next request is not the first.
    reason: Option<Reason>,
}

impl<T: Transport + Environment> Registry<T> {
    /// Opens a range of a blob: bytes `range.start` to before `range.end`. An empty range asks nobody.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Protocol`] for a range beyond the descriptor's size, a 206 with another range, or a
    /// `Content-Encoding`; [`Error::OutOfRange`] for 416.
    pub async fn fetch_blob_range(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
        range: Range<u64>,
    ) -> Result<BlobRange<'_, T>, Error> {
        let call = self.call(reference, "blob", descriptor.digest.to_string())?;
        if range.start > range.end || range.end > descriptor.size {
            let message = format!("expected a range within {} bytes, got {range:?}", descriptor.size);
            return Err(call.protocol(message));
        }
        let mut range = BlobRange {
            registry: self,
            call,
            repository: reference.repository().to_owned(),
            descriptor: descriptor.clone(),
            position: range.start,
            range,
            body: None,
            skip: 0,
            whole: false,
            received: 0,
            budget: self.budget(),
            reason: None,
        };
        range.open().await?;
        Ok(range)
    }
}

impl<T: Transport + Environment> BlobRange<'_, T> {
    /// Reads the next bytes into `buffer` and returns how many; 0 is the end of the range.
    ///
    /// # Errors
    /// As [`fetch_blob_range`](Registry::fetch_blob_range), after what could be tried.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let left = self.range.end - self.position;
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if room == 0 {
            self.body = None;
            return Ok(0);
        }
        loop {
            match self.poll(&mut buffer[..room]).await {
                Ok(0) => self.pause(self.ended_early()).await?,
                Ok(read) => {
                    self.budget.renew();
                    self.position += read as u64;
                    return Ok(read);
                }
                Err(error) => self.pause(error).await?,
            }
            self.open().await?;
        }
    }

    /// Bytes of bodies that were received so far, those included that stand before the range.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether the registry, asked for a part, began to send the whole blob: more ranges of it would cost as much each.
    pub fn is_whole_blob(&self) -> bool {
        self.whole
    }

    async fn open(&mut self) -> Result<(), Error> {
        let range = self.position..self.range.end;
        if range.is_empty() {
            return Ok(());
        }
        // Dropped first, so that two transfers never run at once.
        self.body = None;
        let call = &self.call;
        let request = blob::request(&call.base, &self.repository, &self.descriptor.digest, range.clone());
        let mut request = request.map_err(Error::Relay)?;
        if let Some(reason) = self.reason.take() {
            request.extensions_mut().insert(reason);
        }
        let answer = self.registry.request_within(call, request, &mut self.budget).await;
        let response = match answer {
            Err(Error::Status { registry, what, status: 416, .. }) => {
                return Err(Error::OutOfRange { registry, what, range, size: self.descriptor.size });
            }
            answer => answer?.response,
        };
        if let Some(coding) = response.headers().get(header::CONTENT_ENCODING)
            && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            let coding = crate::error::quote(&String::from_utf8_lossy(coding.as_bytes()));
            return Err(
                call.protocol(format!("expected bytes of the blob as they are, got Content-Encoding `{coding}`"))
            );
        }
        let skip = blob::read(response.status(), response.headers(), &range, self.descriptor.size);
        self.skip = skip.map_err(|refused| call.protocol(refused.to_string()))?;
        self.whole = response.status() != StatusCode::PARTIAL_CONTENT && range != (0..self.descriptor.size);
        self.body = Some(response.into_body());
        Ok(())
    }

    /// Bytes of the range, however many stand before them.
    async fn poll(&mut self, buffer: &mut [u8]) -> Result<usize, transport::Error> {
        let transport = &self.registry.transport;
        let Some(body) = &mut self.body else { return Ok(0) };
        loop {
            let started = transport.now();
            let read = match body.read(buffer).await {
                Ok(read) => read,
                Err(error) => {
                    // Only what was spent waiting counts: whoever reads may have had other things to do.
                    self.budget.wait(transport.now().saturating_sub(started).min(self.budget.share()));
                    return Err(error);
                }
            };
            self.received += read as u64;
            let before = self.skip.min(read as u64);
            self.skip -= before;
            // `before` is at most `read`, which is at most the length of the buffer.
            let before = before as usize;
            if read == 0 || before < read {
                buffer.copy_within(before..read, 0);
                return Ok(read - before);
            }
            self.budget.stir();
        }
    }

    /// Waits before the next try, or gives up.
    async fn pause(&mut self, error: transport::Error) -> Result<(), Error> {
        let (registry, failure) = (self.registry, Failure::Transport(error.kind));
        let Some(delay) = self.budget.spend(failure, registry.transport.random()) else {
            return Err(self.call.broken(error));
        };
        self.reason = Some(registry.pause(&self.call, &self.budget, delay, failure, error.to_string()).await);
        Ok(())
    }

    fn ended_early(&self) -> transport::Error {
        let Range { start, end } = self.range;
        let message = format!("expected {} bytes, got {}", end - start, self.position - start);
        transport::Error { kind: ErrorKind::Interrupted, message }
    }
}
