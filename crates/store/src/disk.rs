//! Local files and directories, for code that reads images from them.

mod xz;

use porthole_core::{
    decode::{self, Format, Unpacker},
    limits::Limits,
    media_type::Compression,
};
use porthole_source::{Files, OpenError, Place, ReadAt};
use std::{
    env,
    fs::{self, File},
    future::Future,
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

/// A local file that can be read at any offset. Its futures are ready at the first poll: a read blocks the thread, so use it
/// only on threads that may block.
#[derive(Clone, Debug)]
pub struct DiskFile {
    file: Arc<File>,
    size: u64,
}

impl DiskFile {
    /// Opens a regular file.
    ///
    /// # Errors
    ///
    /// [`OpenError`]
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        // Check before opening: opening a FIFO would block until it has a writer.
        if !path.metadata()?.is_file() {
            return Err(OpenError::NotAFile);
        }
        Ok(Self::new(File::open(path)?)?)
    }

    /// Takes a regular file that is already open.
    ///
    /// # Errors
    ///
    /// The error of the operating system if the size of the file cannot be read.
    pub fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), size })
    }

    /// Returns the file itself, or a temporary file with its unpacked content if it is compressed with gzip, zstd or xz. See
    /// [`spool`].
    ///
    /// # Errors
    ///
    /// [`SpoolError`]
    pub fn unpacked(self, limits: &Limits) -> Result<Self, SpoolError> {
        let mut head = [0; MAGIC_BYTES];
        let read = self.file.read_at(&mut head, 0)?;
        match Format::sniff(&head[..read]) {
            Some(Format::Gzip | Format::Zstd | Format::Xz) => spool(BlockingReader::new(self, 0), limits),
            _ => Ok(self),
        }
    }
}

impl ReadAt for DiskFile {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}

/// A local directory of files, such as a layout. A link is followed only if it stays inside the directory. Opening and reading
/// block, as for a [`DiskFile`].
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Resolves the path of a directory.
    ///
    /// # Errors
    ///
    /// The error of the operating system if the path cannot be resolved.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.canonicalize()? })
    }

    /// Opens a file at a relative path.
    ///
    /// # Errors
    ///
    /// [`OpenError`]
    pub fn open_file(&self, relative: &str) -> Result<File, OpenError> {
        let path = match self.path.join(relative).canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(OpenError::NotFound),
            Err(error) => return Err(error.into()),
        };
        // Check before opening: opening a FIFO would block until it has a writer.
        if !path.starts_with(&self.path) || !fs::metadata(&path)?.is_file() {
            return Err(OpenError::NotAFile);
        }
        Ok(File::open(path)?)
    }
}

impl Files for Directory {
    type File = DiskFile;

    async fn open(&self, path: &str) -> Result<DiskFile, OpenError> {
        Ok(DiskFile::new(self.open_file(path)?)?)
    }
}

/// Opens the directory or the file at a path.
///
/// # Errors
///
/// [`OpenError`] if it cannot be read, or is neither a directory nor a regular file.
pub fn open(path: &Path) -> Result<Place<Directory, DiskFile>, OpenError> {
    if path.metadata()?.is_dir() {
        Ok(Place::Directory(Directory::open(path)?))
    } else {
        Ok(Place::File(DiskFile::open(path)?))
    }
}

/// Writes a stream to a temporary file without a name, so that it can be read at any offset. Unpacks a stream that is
/// compressed with gzip, zstd or xz, within the [`Limits`] of a layer.
///
/// # Errors
///
/// [`SpoolError`]
pub fn spool(mut input: impl Read, limits: &Limits) -> Result<DiskFile, SpoolError> {
    let mut head = Vec::new();
    input.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut head)?;
    let compression = match Format::sniff(&head) {
        Some(Format::Gzip) => Compression::Gzip,
        Some(Format::Zstd) => Compression::Zstd,
        Some(Format::Xz) => return xz::spool(head.as_slice().chain(input), limits),
        _ => Compression::None,
    };
    let mut input = head.as_slice().chain(input);
    let mut unpacker = Unpacker::new(compression, limits);
    let mut file = scratch()?;
    let mut packed = vec![0; SPOOL_BYTES];
    loop {
        let mut left = match input.read(&mut packed) {
            Ok(0) => break,
            Ok(read) => &packed[..read],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        while let Some(unpacked) = unpacker.next(&mut left)? {
            file.write_all(unpacked).map_err(SpoolError::scratch)?;
        }
    }
    unpacker.finish()?;
    Ok(DiskFile::new(file)?)
}

/// Why a stream could not be written to a temporary file.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The stream cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The temporary file cannot be written.
    #[error("cannot write `{}`: {source}", folder.display())]
    Scratch {
        /// The folder for temporary files.
        folder: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The stream cannot be unpacked, or exceeds a limit.
    #[error(transparent)]
    Decode(#[from] decode::Error),
    /// The stream starts like xz, but is not a valid xz stream.
    #[error("xz: {reason}")]
    Xz {
        /// Error message of the decoder.
        reason: String,
    },
}

impl SpoolError {
    fn scratch(source: io::Error) -> Self {
        Self::Scratch { folder: env::temp_dir(), source }
    }
}

fn scratch() -> Result<File, SpoolError> {
    tempfile::tempfile().map_err(SpoolError::scratch)
}

/// Number of leading bytes that [`Format::sniff`] needs to recognise a compressed stream.
const MAGIC_BYTES: usize = 6;
const SPOOL_BYTES: usize = 256 << 10;

/// A [`Read`] over a [`ReadAt`], from an offset to the end. Each read blocks.
#[derive(Debug)]
pub struct BlockingReader<F> {
    file: F,
    position: u64,
}

impl<F: ReadAt> BlockingReader<F> {
    /// A reader that starts at an offset.
    pub fn new(file: F, offset: u64) -> Self {
        Self { file, position: offset }
    }
}

impl<F: ReadAt> Read for BlockingReader<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = block_on(self.file.read_at(self.position, buffer))?;
        self.position += read as u64;
        Ok(read)
    }
}

/// Runs a future to its end on this thread. Futures over local files need no runtime, because they never wait.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
