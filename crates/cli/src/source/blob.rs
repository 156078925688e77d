//! The bytes of a layer, from wherever they are.

use std::{
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use porthole_core::{descriptor::Descriptor, reference::Reference};
use porthole_native::NativeBody;
use porthole_registry::{
    error::Subject,
    transport::{self, Body, Environment},
};
use tokio::{runtime::Handle, time::timeout};

use crate::{error::Error, session::Client};

/// A blob that is read in order. Nothing of it is verified here.
pub(crate) enum Blob {
    File { reader: Box<dyn Read + Send>, path: PathBuf },
    Remote(Box<Remote>),
}

/// A blob of a registry, opened anew where the transfer broke.
pub(crate) struct Remote {
    client: Arc<Client>,
    runtime: Handle,
    reference: Reference,
    descriptor: Descriptor,
    body: NativeBody,
    position: u64,
    /// When the last byte came.
    moved: Instant,
    /// Failures since then.
    failures: u32,
    /// Where the body last ended too early, though in good order.
    ended: Option<u64>,
}

/// Transfers that fail this often without a byte in between are given up.
const FAILURES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(250);

impl Blob {
    pub(crate) fn read_from(reader: Box<dyn Read + Send>, path: &Path) -> Self {
        Self::File { reader, path: path.to_owned() }
    }

    pub(crate) fn fetch(
        client: &Arc<Client>,
        runtime: &Handle,
        reference: &Reference,
        descriptor: &Descriptor,
    ) -> Result<Self, Error> {
        let body = runtime.block_on(client.fetch_blob(reference, descriptor, 0))?.into_body();
        Ok(Self::Remote(Box::new(Remote {
            client: Arc::clone(client),
            runtime: runtime.clone(),
            reference: reference.clone(),
            descriptor: descriptor.clone(),
            body,
            position: 0,
            moved: Instant::now(),
            failures: 0,
            ended: None,
        })))
    }

    /// Reads the next bytes; 0 is the end. Blocks, so never on a thread of the runtime.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::File { reader, path } => loop {
                match reader.read(buffer) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    result => return result.map_err(|source| Error::Read { path: path.clone(), source }),
                }
            },
            Self::Remote(remote) => remote.read(buffer),
        }
    }
}

impl Remote {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        // Only time that is spent waiting counts: whoever reads may have had other things to do.
        self.moved = Instant::now();
        loop {
            let error = match self.poll(buffer) {
                Ok(0) if self.ends_early() => match self.reopen() {
                    Ok(()) => continue,
                    // The registry has no more: its blob is too short, and that is for the verifier to say.
                    Err(_) => return Ok(0),
                },
                Ok(read) => {
                    self.position += read as u64;
                    if read > 0 {
                        self.moved = Instant::now();
                        self.failures = 0;
                    }
                    return Ok(read);
                }
                Err(error) => error,
            };
            self.failures += 1;
            let pause = PAUSE * 2_u32.pow(self.failures - 1);
            if !error.kind.retryable() || self.failures > FAILURES || pause >= self.patience() {
                return Err(self.broken(error));
            }
            self.runtime.block_on(self.client.transport().sleep(pause));
            self.reopen()?;
        }
    }

    fn poll(&mut self, buffer: &mut [u8]) -> Result<usize, transport::Error> {
        let patience = self.patience();
        let body = &mut self.body;
        // The timer belongs to the runtime, so it is made inside.
        let read = self.runtime.block_on(async { timeout(patience, body.read(buffer)).await });
        read.unwrap_or_else(|_| Err(stalled(self.client.patience())))
    }

    /// Whether the body ended before the blob, for the first time at this place. Without a Content-Length a broken
    /// connection looks like that.
    fn ends_early(&mut self) -> bool {
        self.position < self.descriptor.size && self.ended.replace(self.position) != Some(self.position)
    }

    fn reopen(&mut self) -> Result<(), Error> {
        let patience = self.patience();
        let fetch = self.client.fetch_blob(&self.reference, &self.descriptor, self.position);
        let response = self.runtime.block_on(async { timeout(patience, fetch).await });
        self.body = response.map_err(|_| self.broken(stalled(self.client.patience())))??.into_body();
        Ok(())
    }

    fn patience(&self) -> Duration {
        self.client.patience().saturating_sub(self.moved.elapsed())
    }

    fn broken(&self, error: transport::Error) -> Error {
        broken(&self.reference, &self.descriptor, error)
    }
}

fn broken(reference: &Reference, descriptor: &Descriptor, error: transport::Error) -> Error {
    Error::Registry(porthole_registry::Error::Transport {
        registry: reference.registry().to_owned(),
        what: Subject::new("blob", descriptor.digest.to_string()),
        error,
    })
}

fn stalled(patience: Duration) -> transport::Error {
    let message = format!("no byte for {} seconds", patience.as_secs());
    transport::Error { kind: transport::ErrorKind::Timeout, message }
}
