//! A blob on its way from a registry to the disk, and its readers.

use super::{Cache, Held, Name};
use crate::pieces;
use bytes::Bytes;
use porthole_core::digest::Verifier;
use porthole_native::NativeBody;
use porthole_registry::transport::{Error, ErrorKind};
use std::{
    fs::{self, File},
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
};

/// How far a fetch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The registry has not answered yet.
    Starting,
    /// This much of it is in the file.
    Written { bytes: u64, size: u64 },
    /// All of it is there, and its digest matches.
    Done { size: u64 },
    /// It will not be complete.
    Failed,
}

/// The right to fetch a blob for all who want it. Dropping it lets the others fetch for themselves.
pub(crate) struct Lead(Option<Writer>);

/// The file of a blob that grows.
#[derive(Clone)]
pub(crate) struct Follow {
    pub(super) path: PathBuf,
    pub(super) progress: watch::Receiver<Progress>,
}

struct Writer {
    cache: Arc<Cache>,
    name: Name,
    path: PathBuf,
    progress: watch::Sender<Progress>,
    /// Bytes of the capacity that are taken for it.
    reserved: u64,
    done: bool,
}

impl Lead {
    pub(super) fn new(cache: Arc<Cache>, name: Name, path: PathBuf, progress: watch::Sender<Progress>) -> Self {
        Self(Some(Writer { cache, name, path, progress, reserved: 0, done: false }))
    }

    /// Fetches the blob as fast as the registry sends it, as long as at least one reader follows.
    ///
    /// # Errors
    /// The file cannot be made; the body is returned, for a client that can do without the cache.
    pub(crate) fn start(mut self, body: NativeBody, size: u64) -> Result<(File, Follow), NativeBody> {
        let Some(mut writer) = self.0.take() else { return Err(body) };
        let made = File::options().write(true).create_new(true).open(&writer.path);
        // Opened before it can have another name.
        let (Ok(file), Ok(reader)) = (made, File::open(&writer.path)) else { return Err(body) };
        {
            let mut state = writer.cache.state();
            writer.cache.make_room(&mut state, size);
            state.bytes += size;
        }
        writer.reserved = size;
        writer.progress.send_replace(Progress::Written { bytes: 0, size });
        let follow = Follow { path: writer.path.clone(), progress: writer.progress.subscribe() };
        tokio::spawn(writer.write(file, size, body));
        Ok((reader, follow))
    }
}

impl Writer {
    /// Writes and hashes each piece on a thread that may block, and holds none while it waits for the registry.
    async fn write(mut self, file: File, size: u64, mut body: NativeBody) {
        let mut verifier = Verifier::new(&self.name.digest, size);
        let mut file = file;
        let mut bytes = 0;
        // A body that breaks ends early.
        while let Ok(Some(piece)) = body.chunk().await {
            // The running table keeps one receiver: without another one, no reader follows.
            if self.progress.receiver_count() < 2 {
                return;
            }
            bytes += piece.len() as u64;
            let written = spawn_blocking(move || {
                let taken = verifier.update(&piece).is_ok() && file.write_all(&piece).is_ok();
                taken.then_some((verifier, file))
            });
            let Ok(Some(rest)) = written.await else { return };
            (verifier, file) = rest;
            // The last piece is shown when the digest is known to match, so that no reader takes a wrong blob for a whole one.
            if bytes < size {
                self.progress.send_replace(Progress::Written { bytes, size });
            }
        }
        if bytes != size {
            return;
        }
        if verifier.finish().is_err() {
            self.cache.state().counts.wrong += 1;
            return;
        }
        let (from, to) = (self.path.clone(), self.cache.path(&self.name));
        if let Ok(Ok(())) = spawn_blocking(move || keep(&file, &from, &to)).await {
            self.done = true;
            let mut state = self.cache.state();
            state.uses += 1;
            let used = state.uses;
            state.held.insert(self.name.clone(), Held { size, used });
            state.running.remove(&self.name);
            drop(state);
            self.progress.send_replace(Progress::Done { size });
        }
    }
}

fn keep(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    // Before it has its name: a crash must not leave a name without content.
    file.sync_data()?;
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::rename(from, to)
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let _ = fs::remove_file(&self.path);
        let mut state = self.cache.state();
        state.running.remove(&self.name);
        state.bytes -= self.reserved;
        drop(state);
        self.progress.send_replace(Progress::Failed);
    }
}

impl Follow {
    /// Waits until it is complete, or will not be.
    pub(crate) async fn ended(&mut self) {
        let over = |progress: &Progress| matches!(progress, Progress::Done { .. } | Progress::Failed);
        let _ = self.progress.wait_for(over).await;
    }

    /// The file and the size of the blob, when the registry has begun to answer; `None` if it did not give the blob.
    pub(crate) async fn begun(&mut self) -> Option<(File, u64)> {
        let progress = *self.progress.wait_for(|progress| *progress != Progress::Starting).await.ok()?;
        match progress {
            Progress::Written { size, .. } | Progress::Done { size } => {
                // Renaming does not change an open file, but one that is done already has its other name.
                File::open(&self.path).ok().map(|file| (file, size))
            }
            Progress::Starting | Progress::Failed => None,
        }
    }
}

/// Sends a part of a file as its bytes come to be there, in pieces of what `piece` says.
pub(super) async fn send(
    file: File,
    part: Range<u64>,
    progress: Option<watch::Receiver<Progress>>,
    piece: impl Fn() -> usize,
    sender: mpsc::Sender<Result<Bytes, Error>>,
) {
    let file = Arc::new(file);
    let read = move |start: u64, length: usize| {
        let mut buffer = vec![0; length];
        file.read_exact_at(&mut buffer, start).map(|()| buffer.into()).map_err(|error| error.to_string())
    };
    let Some(mut progress) = progress else {
        pieces::send(read, part, piece, &sender).await;
        return;
    };
    let Range { mut start, end } = part;
    while start < end {
        let Some(there) = wait(&mut progress, start).await else {
            let message = "the registry broke the blob off".to_owned();
            let _ = sender.send(Err(Error { kind: ErrorKind::Interrupted, message })).await;
            return;
        };
        let there = there.min(end);
        if !pieces::send(read.clone(), start..there, &piece, &sender).await {
            return;
        }
        start = there;
    }
}

/// Waits until there is more than `start`. `None` if there will not be.
async fn wait(progress: &mut watch::Receiver<Progress>, start: u64) -> Option<u64> {
    let more = |progress: &Progress| match progress {
        Progress::Starting => false,
        Progress::Written { bytes, .. } => *bytes > start,
        Progress::Done { .. } | Progress::Failed => true,
    };
    match *progress.wait_for(more).await.ok()? {
        Progress::Written { bytes, .. } => Some(bytes),
        Progress::Done { size } => Some(size),
        Progress::Starting | Progress::Failed => None,
    }
}
