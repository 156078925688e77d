//! The directory of a cache, which several relays may share.
//!
//! `blobs/<host>/<digest>` are complete and match their digest. `incoming/<host>~<digest>` is the claim of a relay that fetches the blob:
//! an empty file, or the size of the blob, locked as long as that relay lives; `….data` is what has arrived. The file `lock` is locked
//! while room is made, and has the sum of all sizes. A relay that dies leaves claims that are not locked, and a sum that is too large:
//! both are put right by the next one that makes room.

use super::Name;
use porthole_core::digest::Digest;
use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

/// A directory, and how much may be in it.
pub(super) struct Shelf {
    blobs: PathBuf,
    incoming: PathBuf,
    lock: PathBuf,
    capacity: u64,
    /// Bytes in it, as known to this relay.
    bytes: AtomicU64,
    /// Numbers the claims of this process.
    claims: AtomicU64,
}

/// The relay that fetches a blob.
pub(super) enum Claimed {
    /// This relay, from now on.
    Ours(Claim),
    /// A relay that lives.
    Theirs,
}

/// The right to fetch a blob for all relays. Dropping it lets others try.
pub(super) struct Claim {
    file: File,
    path: PathBuf,
}

impl Shelf {
    /// Opens a directory, which is made if it is missing, and removes what dead relays left.
    pub(super) fn open(folder: &Path, capacity: u64) -> io::Result<Self> {
        let shelf = Self {
            blobs: folder.join("blobs"),
            incoming: folder.join("incoming"),
            lock: folder.join("lock"),
            capacity,
            bytes: AtomicU64::new(0),
            claims: AtomicU64::new(0),
        };
        fs::create_dir_all(&shelf.blobs)?;
        fs::create_dir_all(&shelf.incoming)?;
        shelf.locked(|shelf, _| shelf.evict(0))?;
        Ok(shelf)
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether a blob is here.
    pub(super) fn holds(&self, name: &Name) -> bool {
        self.blob(name).exists()
    }

    /// A blob and its size, if it is here. It counts as used now.
    pub(super) fn get(&self, name: &Name) -> Option<(File, u64)> {
        let file = File::open(self.blob(name)).ok()?;
        let size = file.metadata().ok()?.len();
        // Without the right to set it, the order of arrival decides what goes first.
        let _ = file.set_modified(SystemTime::now());
        Some((file, size))
    }

    /// Claims a blob that is not here.
    pub(super) fn claim(&self, name: &Name) -> io::Result<Claimed> {
        let path = self.claim_path(name);
        if let Some(alive) = is_alive(&path) {
            if alive {
                return Ok(Claimed::Theirs);
            }
            remove(&path);
        }
        // Locked before others can see it.
        let number = self.claims.fetch_add(1, Ordering::Relaxed);
        let new = self.incoming.join(format!("{}-{number}.new", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&new)?;
        let _ = file.try_lock();
        let linked = fs::hard_link(&new, &path);
        let _ = fs::remove_file(&new);
        match linked {
            Ok(()) => Ok(Claimed::Ours(Claim { file, path })),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Claimed::Theirs),
            Err(error) => Err(error),
        }
    }

    /// How far another relay's fetch is: what its blob has in all, once that is known, and how much of it has arrived. `None` if it does
    /// not fetch any more.
    pub(super) fn progress(&self, name: &Name) -> Option<Option<(u64, u64)>> {
        let path = self.claim_path(name);
        if !is_alive(&path)? {
            remove(&path);
            return None;
        }
        let size = fs::read_to_string(&path).ok()?.parse().ok();
        let arrived = fs::metadata(data_path(&path)).map_or(0, |metadata| metadata.len());
        Some(size.map(|size| (size, arrived)))
    }

    /// Where the bytes of a blob arrive.
    pub(super) fn arriving(&self, name: &Name) -> PathBuf {
        data_path(&self.claim_path(name))
    }

    /// Makes room for more bytes, and counts them. Returns how many blobs were removed. It may block.
    pub(super) fn reserve(&self, more: u64) -> io::Result<u64> {
        self.locked(|shelf, sum| {
            let (sum, evicted) = if sum + more > shelf.capacity { shelf.evict(more)? } else { (sum, 0) };
            Ok((sum + more, evicted))
        })
    }

    /// Gives bytes back that were not needed. It may block.
    pub(super) fn release(&self, bytes: u64) {
        // A sum that stays too large is put right when room is made.
        let _ = self.locked(|_, sum| Ok((sum.saturating_sub(bytes), 0)));
    }

    /// Gives what arrived its name. Its digest was checked.
    pub(super) fn keep(&self, name: &Name, arrived: &File) -> io::Result<()> {
        // Before it has its name: a crash must not leave a name without content.
        arrived.sync_data()?;
        let to = self.blob(name);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::rename(self.arriving(name), to)
    }

    /// Changes the sum under the lock of the directory. Returns what `change` counted.
    fn locked(&self, change: impl FnOnce(&Self, u64) -> io::Result<(u64, u64)>) -> io::Result<u64> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&self.lock)?;
        file.lock()?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let (sum, counted) = change(self, text.trim().parse().unwrap_or(0))?;
        file.rewind()?;
        file.set_len(0)?;
        file.write_all(sum.to_string().as_bytes())?;
        self.bytes.store(sum, Ordering::Relaxed);
        Ok(counted)
    }

    /// Removes the blobs that were not used for the longest time until `more` bytes fit, with a tenth to spare if any must go: looking
    /// at all of them is slow. Returns the sum of what is left, and how many were removed.
    fn evict(&self, more: u64) -> io::Result<(u64, u64)> {
        let mut sum = self.sweep()?;
        let mut files = Vec::new();
        for registry in fs::read_dir(&self.blobs)? {
            for entry in fs::read_dir(registry?.path()).into_iter().flatten() {
                let entry = entry?;
                let is_blob = entry.file_name().to_str().is_some_and(|name| read_file_name(name).is_some());
                if let (true, Ok(metadata)) = (is_blob, entry.metadata())
                    && metadata.is_file()
                {
                    sum += metadata.len();
                    files.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), entry.path(), metadata.len()));
                }
            }
        }
        if sum + more <= self.capacity {
            return Ok((sum, 0));
        }
        files.sort_unstable();
        let enough = self.capacity - self.capacity / 10;
        let mut evicted = 0;
        for (_, path, size) in files {
            if sum + more <= enough {
                break;
            }
            // Readers keep the file that they have opened.
            if fs::remove_file(&path).is_ok() {
                sum -= size;
                evicted += 1;
            }
        }
        Ok((sum, evicted))
    }

    /// Removes what dead relays left. Returns the sizes of what living ones fetch.
    fn sweep(&self) -> io::Result<u64> {
        let mut sum = 0;
        for entry in fs::read_dir(&self.incoming)? {
            let path = entry?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                // It goes with its claim.
                Some("data") if path.with_extension("").exists() => {}
                Some("data") => drop(fs::remove_file(&path)),
                _ if is_alive(&path) == Some(false) => remove(&path),
                _ => sum += fs::read_to_string(&path).ok().and_then(|size| size.parse::<u64>().ok()).unwrap_or(0),
            }
        }
        Ok(sum)
    }

    fn blob(&self, name: &Name) -> PathBuf {
        self.blobs.join(&name.host).join(file_name(&name.digest))
    }

    fn claim_path(&self, name: &Name) -> PathBuf {
        self.incoming.join(format!("{}~{}", name.host, file_name(&name.digest)))
    }
}

impl Claim {
    /// Says how large the blob is, and opens the file for its bytes.
    pub(super) fn begin(&mut self, size: u64) -> io::Result<File> {
        let data = File::options().write(true).create(true).truncate(true).open(data_path(&self.path))?;
        self.file.write_all(size.to_string().as_bytes())?;
        Ok(data)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Whether the relay lives that made this claim; `None` if there is no such claim.
fn is_alive(path: &Path) -> Option<bool> {
    match File::open(path).ok()?.try_lock() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        // Without locks, there is nothing to know it by.
        Err(TryLockError::Error(_)) => Some(true),
    }
}

/// Removes a claim, and what arrived for it.
fn remove(claim: &Path) {
    let _ = fs::remove_file(data_path(claim));
    let _ = fs::remove_file(claim);
}

fn data_path(claim: &Path) -> PathBuf {
    let mut path = claim.as_os_str().to_owned();
    path.push(".data");
    path.into()
}

/// The last part of a blob's name, here and in a bucket.
pub(super) fn file_name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().name(), digest.hex())
}

fn read_file_name(name: &str) -> Option<Digest> {
    name.replacen('-', ":", 1).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name { host: "r.example:5000".to_owned(), digest: Digest::sha256(text.as_bytes()) }
    }

    fn put(shelf: &Shelf, text: &str) -> Name {
        let name = name(text);
        let Claimed::Ours(mut claim) = shelf.claim(&name).unwrap() else { panic!("another relay has it") };
        shelf.reserve(text.len() as u64).unwrap();
        let mut file = claim.begin(text.len() as u64).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        shelf.keep(&name, &file).unwrap();
        name
    }

    #[test]
    fn the_blob_that_was_not_used_for_the_longest_time_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path(), 100).unwrap();
        let [a, b, c] = ["aaaa", "bbbb", "cccc"].map(|text| put(&shelf, text));
        for name in [&a, &c, &b, &a] {
            assert_eq!(shelf.get(name).unwrap().1, 4);
        }
        assert_eq!(shelf.reserve(82).unwrap(), 0);
        shelf.release(82);
        assert_eq!((shelf.reserve(90).unwrap(), shelf.bytes()), (3, 90));
        shelf.release(90);
        let [a, b, c] = ["aaaa", "bbbb", "cccc"].map(|text| put(&shelf, text));
        shelf.get(&a);
        // A relay that is started again keeps the order.
        let again = Shelf::open(folder.path(), 10).unwrap();
        assert_eq!([&a, &b, &c].map(|name| again.holds(name)), [true, false, true]);
        assert_eq!(again.bytes(), 8);
    }

    #[test]
    fn what_a_crash_left_is_removed_and_never_served() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path(), 100).unwrap();
        let (whole, half) = (put(&shelf, "whole"), name("half"));
        // As a process leaves them that was killed: not locked.
        let claim = shelf.claim_path(&half);
        fs::write(&claim, "4").unwrap();
        fs::write(data_path(&claim), "ha").unwrap();
        fs::write(shelf.incoming.join("1-1.new"), "").unwrap();
        fs::write(shelf.incoming.join("x.data"), "").unwrap();
        fs::write(&shelf.lock, "99").unwrap();
        assert!(!shelf.holds(&half));
        assert_eq!(shelf.progress(&half), None);
        let again = Shelf::open(folder.path(), 100).unwrap();
        assert_eq!(fs::read_dir(&again.incoming).unwrap().count(), 0);
        assert_eq!((again.holds(&whole), again.bytes()), (true, 5));
        // The next relay fetches it.
        assert!(matches!(again.claim(&half), Ok(Claimed::Ours(_))));
    }

    #[test]
    fn two_relays_share_room_and_claims() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = [(); 2].map(|()| Shelf::open(folder.path(), 100).unwrap());
        let blob = name("shared");
        let Ok(Claimed::Ours(mut claim)) = one.claim(&blob) else { panic!("no relay has it") };
        assert!(matches!(two.claim(&blob), Ok(Claimed::Theirs)));
        assert_eq!(two.progress(&blob), Some(None));
        one.reserve(6).unwrap();
        let mut file = claim.begin(6).unwrap();
        file.write_all(b"sha").unwrap();
        assert_eq!(two.progress(&blob), Some(Some((6, 3))));
        // What one fetches counts for the other, which removes none of it.
        assert_eq!(two.reserve(60).unwrap(), 0);
        assert_eq!(two.bytes(), 66);
        two.release(60);
        assert_eq!((two.reserve(98).unwrap(), two.bytes()), (0, 104));
        two.release(98);
        file.write_all(b"red").unwrap();
        one.keep(&blob, &file).unwrap();
        drop(claim);
        assert_eq!((two.progress(&blob), two.get(&blob).unwrap().1), (None, 6));
        // Room that one makes is room for the other.
        assert_eq!((two.reserve(95).unwrap(), one.holds(&blob)), (1, false));
    }
}
