//! A blob on its way from a registry to the disk, and its readers.

use super::{Cache, Held, Name};
use bytes::Bytes;
use porthole_core::digest::Verifier;
use porthole_native::NativeBody;
use porthole_registry::transport::{Error, ErrorKind};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::PathBuf,
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
        let (sender, receiver) = mpsc::channel(PIECES);
        tokio::spawn(receive(body, sender));
        spawn_blocking(move || writer.write(file, size, receiver));
        Ok((reader, follow))
    }
}

/// Passes the pieces of a body on, until it ends or the receiver is dropped. A body that breaks ends early, which the receiver sees.
async fn receive(mut body: NativeBody, pieces: mpsc::Sender<Bytes>) {
    while let Ok(Some(piece)) = body.chunk().await {
        if pieces.send(piece).await.is_err() {
            return;
        }
    }
}

impl Writer {
    /// Writes and hashes on a thread that may block.
    fn write(mut self, mut file: File, size: u64, mut pieces: mpsc::Receiver<Bytes>) {
        let mut verifier = Verifier::new(&self.name.digest, size);
        let mut bytes = 0;
        while let Some(piece) = pieces.blocking_recv() {
            // The running table keeps one receiver.
            let followed = self.progress.receiver_count() > 1;
            if !followed || verifier.update(&piece).is_err() || file.write_all(&piece).is_err() {
                return;
            }
            bytes += piece.len() as u64;
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
        if self.keep(&file).is_ok() {
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

    fn keep(&self, file: &File) -> io::Result<()> {
        // Before it has its name: a crash must not leave a name without content.
        file.sync_data()?;
        let path = self.cache.path(&self.name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::rename(&self.path, path)
    }
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

/// Sends the bytes from `start` to `end` in pieces of what `piece` says, as they come to be there.
pub(super) async fn pump(
    file: File,
    mut start: u64,
    end: u64,
    mut progress: Option<watch::Receiver<Progress>>,
    piece: impl Fn() -> usize,
    pieces: mpsc::Sender<Result<Bytes, Error>>,
) {
    let broken = |message: &str| Error { kind: ErrorKind::Interrupted, message: message.to_owned() };
    let file = Arc::new(file);
    while start < end {
        let there = match &mut progress {
            None => end,
            Some(progress) => match wait(progress, start).await {
                Some(there) => there.min(end),
                None => {
                    let _ = pieces.send(Err(broken("the registry broke the blob off"))).await;
                    return;
                }
            },
        };
        // Memory is taken only when it can be passed on at once.
        let Ok(place) = pieces.reserve().await else { return };
        let length = (there - start).min(piece().clamp(1, LARGEST) as u64);
        let from = Arc::clone(&file);
        let read = spawn_blocking(move || {
            let mut buffer = vec![0; usize::try_from(length).unwrap_or(LARGEST)];
            from.read_exact_at(&mut buffer, start).map(|()| buffer)
        });
        match read.await {
            Ok(Ok(buffer)) => place.send(Ok(buffer.into())),
            Ok(Err(_)) | Err(_) => return place.send(Err(broken("cannot read the cache"))),
        }
        start += length;
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

const PIECES: usize = 4;
const LARGEST: usize = 128 << 10;
