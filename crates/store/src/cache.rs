//! A cache of seek indexes on disk.

use crate::{Error, disk::DiskFile, store::sync_folder};
use porthole_core::{
    digest::Digest,
    limits::INDEX_BYTES,
    seek::{HEADER_BYTES, IndexEnd, IndexReader, index_file, is_index_file, surplus},
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

/// Follows the digest in a file's name. Another version of this program may read archives differently, so it makes its own
/// indexes. It no longer uses the old ones, so they are evicted first.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Prefix of the name of a file which notes that layers are plain. The digest of the list of layers follows.
const PLAIN: &str = "plain-";
/// Prefix of the name of a file that is being written.
const TEMPORARY: &str = "new-";
/// Age at which an unfinished file counts as abandoned.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Counter of files written by this process, so that two threads never share a temporary name.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// A directory with seek indexes of layers, one file for each blob digest, and with notes about [plain](Self::note_plain)
/// layers. Any number of processes may use it at once.
///
/// Only verified indexes are kept. An index is trusted as much as the directory: a file that belongs to another user, or
/// that others may write, is not read. A file that is not an index of this version counts as missing, and the next index of that
/// blob replaces it. Least recently used indexes are evicted first.
#[derive(Clone, Debug)]
pub struct IndexCache {
    folder: PathBuf,
    limit: u64,
}

impl IndexCache {
    /// Default limit for the total size of all files, in bytes: 1 GiB.
    pub const DEFAULT_BYTES: u64 = 1 << 30;

    /// Opens the cache in a directory, and creates the directory if it is missing. `limit` is the total size of all files in
    /// bytes.
    ///
    /// # Errors
    ///
    /// [`Error`] if the directory cannot be created.
    pub fn open(folder: &Path, limit: u64) -> Result<Self, Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Error::write(folder))?;
        Ok(Self { folder: folder.to_owned(), limit })
    }

    /// Returns the file with the index of a blob, if the index is verified and of the version that this program reads. Reads
    /// only its header: each page is checked when it is read.
    pub fn find(&self, digest: &Digest) -> Option<DiskFile> {
        let (file, index) = self.kept(&self.file(digest))?;
        (index.verified() && index.digest() == *digest).then(|| DiskFile::new(file).ok())?
    }

    /// Creates a temporary file for an index. The cache keeps it once it is [finished](NewIndex::finish).
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system.
    pub fn create(&self) -> Result<NewIndex, Error> {
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(format!("{TEMPORARY}{}-{number}", process::id()));
        let options = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).to_owned();
        let file = options.open(&temporary).map_err(Error::write(&temporary))?;
        Ok(NewIndex { file, length: 0, place: Some((self.clone(), temporary)) })
    }

    /// Whether the layers with these blobs, bottom first, were [noted](Self::note_plain) as plain.
    pub fn is_plain(&self, layers: &[Digest]) -> bool {
        let text = plain_text(layers);
        let mut bytes = vec![0; text.len()];
        let read = |file: File| file.metadata().ok().filter(|found| found.len() == text.len() as u64).map(|_| file);
        let file = self.open_file(&self.plain_file(&text)).and_then(read);
        file.is_some_and(|file| file.read_exact_at(&mut bytes, 0).is_ok() && bytes == text.as_bytes())
    }

    /// Notes that the layers with these blobs, bottom first, make a [plain tree](porthole_core::tree::FileTree::is_plain). A
    /// path can then be found in their indexes without stacking the layers.
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system.
    pub fn note_plain(&self, layers: &[Digest]) -> Result<(), Error> {
        if self.is_plain(layers) {
            return Ok(());
        }
        let text = plain_text(layers);
        let mut note = self.create()?;
        let written = note.append(text.as_bytes());
        let path = self.plain_file(&text);
        written.map_err(Error::write(&path))?;
        note.place.as_ref().map_or(Ok(()), |(_, temporary)| self.settle(&note.file, temporary, &path))
    }

    /// Removes the index of a blob. To be used when one of its pages is damaged.
    pub fn discard(&self, digest: &Digest) {
        let _ = fs::remove_file(self.file(digest));
    }

    fn file(&self, digest: &Digest) -> PathBuf {
        self.folder.join(index_file(digest, VERSION))
    }

    fn plain_file(&self, text: &str) -> PathBuf {
        self.folder.join(format!("{PLAIN}{}.{VERSION}", Digest::sha256(text.as_bytes()).hex()))
    }

    /// Opens a file and marks it as used now; `None` if another user owns it or may write it.
    fn open_file(&self, path: &Path) -> Option<File> {
        // Check before opening: opening a FIFO would block until it has a writer.
        if !fs::symlink_metadata(path).ok()?.is_file() {
            return None;
        }
        let file = File::open(path).ok()?;
        let found = file.metadata().ok()?;
        let ours = found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0;
        if !ours || !found.is_file() || found.len() > INDEX_BYTES {
            return None;
        }
        // The index is usable even if its time cannot be set.
        let _ = file.set_modified(SystemTime::now());
        Some(file)
    }

    /// Removes the least recently used files until the rest fits the limit. Keeps `newest`. Also removes abandoned temporary
    /// files.
    fn prune(&self, newest: &Path) -> Result<(), Error> {
        let mut kept = Vec::new();
        let mut abandoned = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(Error::io(&self.folder))?.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            // Another process may have removed it.
            let (Some(name), Ok(found)) = (name.to_str(), fs::symlink_metadata(&path)) else { continue };
            let used = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if name.starts_with(TEMPORARY) {
                abandoned.push((used, path));
            } else if found.is_file() && is_kept(name) {
                kept.push((used, found.len(), path));
            }
        }
        let now = kept.iter().map(|(used, ..)| *used).max();
        for path in surplus(kept, self.limit, Some(&newest.to_owned())) {
            let _ = fs::remove_file(path);
        }
        for (since, path) in abandoned {
            if now.and_then(|now| now.duration_since(since).ok()).is_some_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

/// An index that is being written.
#[derive(Debug)]
pub struct NewIndex {
    file: File,
    /// Bytes of the index that were written so far.
    length: u64,
    /// The cache that will keep the index, and the path of its temporary file.
    place: Option<(IndexCache, PathBuf)>,
}

impl NewIndex {
    /// An index that no cache keeps. `file` is empty and open for reading and writing.
    pub fn unkept(file: File) -> Self {
        Self { file, length: 0, place: None }
    }

    /// Appends bytes that [`LayerReader::take_index`](porthole_core::layer::LayerReader::take_index) returned.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.length)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Writes the tail and the header, and returns the complete index.
    ///
    /// The cache keeps the index if it is verified and fits the limit. It then replaces an earlier index of the blob, unless
    /// only the earlier one has the digests of files.
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system.
    pub fn finish(mut self, end: &IndexEnd) -> Result<DiskFile, Error> {
        let place = self.place.take();
        let path = place.as_ref().map_or_else(|| Path::new("index").to_owned(), |(_, path)| path.clone());
        let written = (|| {
            self.append(&end.tail)?;
            self.file.write_all_at(&end.header, 0)?;
            DiskFile::new(self.file.try_clone()?)
        })();
        let kept = written.map_err(Error::write(&path)).and_then(|file| {
            if let Some((cache, path)) = &place {
                cache.keep(&self.file, path, end, self.length)?;
            }
            Ok(file)
        });
        if place.is_some() {
            // If the cache kept the index, the file has been renamed and this fails.
            let _ = fs::remove_file(&path);
        }
        kept
    }
}

impl Drop for NewIndex {
    fn drop(&mut self) {
        if let Some((_, temporary)) = &self.place {
            let _ = fs::remove_file(temporary);
        }
    }
}

impl IndexCache {
    /// Renames a finished index to its final name if the cache keeps it; see [`NewIndex::finish`].
    fn keep(&self, file: &File, temporary: &Path, end: &IndexEnd, length: u64) -> Result<(), Error> {
        let Ok(index) = IndexReader::new(&end.header, length) else { return Ok(()) };
        let path = self.file(&index.digest());
        let knows_more = |(_, kept): (_, IndexReader)| kept.has_file_digests() && !index.has_file_digests();
        if !index.verified() || length > self.limit || self.kept(&path).is_some_and(knows_more) {
            return Ok(());
        }
        self.settle(file, temporary, &path)
    }

    /// Syncs a finished file, renames it to its final name and prunes the cache.
    fn settle(&self, file: &File, temporary: &Path, path: &Path) -> Result<(), Error> {
        file.sync_all().and_then(|()| fs::rename(temporary, path)).map_err(Error::write(path))?;
        sync_folder(&self.folder)?;
        self.prune(path)
    }

    /// Opens an index file and parses its header. `None` if it is not an index of the version that this program reads.
    fn kept(&self, path: &Path) -> Option<(File, IndexReader)> {
        let file = self.open_file(path)?;
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0).ok()?;
        let index = IndexReader::new(&header, file.metadata().ok()?.len()).ok()?;
        Some((file, index))
    }
}

/// The content of a note that layers are plain: their digests, one a line.
fn plain_text(layers: &[Digest]) -> String {
    layers.iter().map(|digest| format!("{digest}\n")).collect()
}

/// Whether any version of this cache gave a file its name. Other files in the directory are not touched.
fn is_kept(name: &str) -> bool {
    let plain = name.strip_prefix(PLAIN).map(|rest| format!("sha256-{rest}"));
    is_index_file(plain.as_deref().unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::{
        layer::{Expected, LayerReader},
        limits::Limits,
        seek::{IndexOptions, MemoryIndex},
        tar::{Entry, EntrySink, Flow},
    };
    use porthole_testkit::image::{Image, Layer};
    use std::os::unix::fs::PermissionsExt;

    struct Ignore;

    impl EntrySink for Ignore {
        fn entry(&mut self, _: Entry) -> Flow {
            Flow::Continue
        }
    }

    /// Makes and keeps an index, which has the same length for each number. Returns the digest of its blob.
    fn keep(cache: &IndexCache, number: u8) -> Digest {
        let image = Image::new().layer(Layer::new("ADD").file("a", [number])).build();
        let blob = &image.layers[0].blob.bytes;
        let digest = Digest::sha256(blob);
        let expected = Expected { digest: Some(digest), size: Some(blob.len() as u64), ..Expected::default() };
        let mut reader = LayerReader::new(expected, Limits::default()).with_index(IndexOptions::default());
        reader.push(blob, &mut Ignore);
        let (_, end) = reader.finish_index(&mut Ignore);
        cache.create().unwrap().finish(&end.unwrap()).unwrap();
        digest
    }

    fn length(cache: &IndexCache) -> u64 {
        fs::metadata(cache.file(&keep(cache, 0))).unwrap().len()
    }

    fn names(cache: &IndexCache) -> Vec<String> {
        let entries = fs::read_dir(&cache.folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Sets a file's times back by `seconds`.
    fn age(path: &Path, seconds: u64) {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn what_was_used_least_recently_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str, limit| IndexCache::open(&folder.path().join(name), limit).unwrap();
        let length = length(&open("another", IndexCache::DEFAULT_BYTES));
        let cache = open("deep/cache", 3 * length + 10);
        let mut kept: Vec<Digest> = (0..3).map(|number| keep(&cache, number)).collect();
        for (digest, seconds) in kept.iter().zip([1000, 999, 998]) {
            age(&cache.file(digest), seconds);
        }
        assert!(cache.find(&kept[0]).is_some(), "and it is the last one used now");
        kept.push(keep(&cache, 3));
        let there: Vec<bool> = kept.iter().map(|digest| cache.find(digest).is_some()).collect();
        assert_eq!(there, [true, false, true, true]);
        let small = open("small", length - 1);
        assert!(small.find(&keep(&small, 4)).is_none(), "larger than the cache");
        assert!(names(&small).is_empty());
        let cache = open("deep/cache", length);
        fs::write(cache.folder.join(format!("sha256-{}.0.0.1", Digest::sha256(b"").hex())), [6; 10]).unwrap();
        keep(&cache, 5);
        assert_eq!(names(&cache).len(), 1, "other versions' indexes count as well");
    }

    #[test]
    fn only_what_is_ours_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let cache = IndexCache::open(folder.path(), 2000).unwrap();
        fs::write(folder.path().join("notes.txt"), [0; 3000]).unwrap();
        for (name, seconds) in [("new-1-1", 10_000), ("new-1-2", 10)] {
            fs::write(folder.path().join(name), b"x").unwrap();
            age(&folder.path().join(name), seconds);
        }
        let file = cache.file(&keep(&cache, 1));
        let kept = file.file_name().unwrap().to_str().unwrap();
        assert_eq!(names(&cache), ["new-1-2", "notes.txt", kept]);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_others_may_write_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let cache = IndexCache::open(folder.path(), IndexCache::DEFAULT_BYTES).unwrap();
        let digest = keep(&cache, 1);
        let file = cache.file(&digest);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(cache.find(&digest).is_none());
        keep(&cache, 1);
        assert!(cache.find(&digest).is_some());
        fs::rename(&file, folder.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", &file).unwrap();
        assert!(cache.find(&digest).is_none());
        cache.discard(&digest);
        assert_eq!(names(&cache), ["elsewhere"]);
    }

    #[test]
    fn layers_are_plain_together_and_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let cache = IndexCache::open(folder.path(), IndexCache::DEFAULT_BYTES).unwrap();
        let [a, b] = [b"a", b"b"].map(|name| Digest::sha256(name));
        cache.note_plain(&[a, b]).unwrap();
        cache.note_plain(&[a, b]).unwrap();
        assert!(cache.is_plain(&[a, b]) && names(&cache).len() == 1);
        assert!(!cache.is_plain(&[b, a]) && !cache.is_plain(&[a]) && !cache.is_plain(&[]));
        let note = cache.plain_file(&plain_text(&[a, b]));
        for other in [plain_text(&[b, a]), plain_text(&[a]), String::new()] {
            fs::write(&note, other).unwrap();
            assert!(!cache.is_plain(&[a, b]));
        }
        cache.note_plain(&[a, b]).unwrap();
        assert!(cache.is_plain(&[a, b]));
        let index = keep(&IndexCache::open(folder.path(), 1).unwrap(), 1);
        assert!(cache.is_plain(&[a, b]) && cache.find(&index).is_none());
        IndexCache::open(folder.path(), 1).unwrap().note_plain(&[a]).unwrap();
        assert!(!cache.is_plain(&[a, b]), "notes make room like indexes");
    }

    #[test]
    fn many_writers_leave_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let cache = IndexCache::open(folder.path(), 1 << 20).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let cache = &cache;
                scope.spawn(move || {
                    for _ in 0..20 {
                        let bytes = fs::read(cache.file(&keep(cache, 1))).unwrap();
                        let mut index = MemoryIndex::new(bytes).unwrap();
                        assert_eq!(index.ask(|index| index.entries(0)).unwrap().len(), 1);
                    }
                });
            }
        });
        assert_eq!(names(&cache).len(), 1);
    }
}
