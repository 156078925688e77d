//! Blobs and manifests on disk, by registry and digest.
//!
//! Each registry has its own, although a digest names the same bytes everywhere: a registry may claim to hold a blob that only another one
//! has, and would then let its callers read it. Only a registry that sent the bytes may grant them.
//!
//! A blob gets its name only after its digest matched, so a crash leaves nothing that is wrong: what it was writing is removed at the
//! next start. One request for a blob fetches it, and others for the same blob follow its file while it grows. Which client may read a
//! blob is not decided here: see [`serve`].

mod fetch;
pub(crate) mod serve;

pub(crate) use fetch::{Follow, Lead, Progress};

use crate::metrics::CacheCounts;
use porthole_core::digest::Digest;
use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::watch;

/// The blobs that are on disk or on their way there.
pub(crate) struct Cache {
    folder: PathBuf,
    capacity: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: HashMap<Name, Held>,
    running: HashMap<Name, Running>,
    /// Bytes of both.
    bytes: u64,
    /// Counts uses, so that the blob that was not used for the longest time is known.
    uses: u64,
    grants: HashMap<Digest, Instant>,
    counts: CacheCounts,
}

/// A blob of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    /// `host[:port]` of its API.
    pub(crate) host: String,
    pub(crate) digest: Digest,
}

struct Held {
    size: u64,
    used: u64,
}

struct Running {
    path: PathBuf,
    progress: watch::Receiver<Progress>,
}

/// Where a blob is.
pub(crate) enum Found {
    Held(File, u64),
    Running(Follow),
    /// The caller fetches it.
    Absent(Lead),
}

impl Cache {
    /// Opens the cache in a directory, which is made if it is missing.
    ///
    /// # Errors
    /// From the file system.
    pub(crate) fn open(folder: &Path, capacity: u64) -> io::Result<Arc<Self>> {
        let incoming = folder.join(INCOMING);
        match fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&incoming)?,
        }
        let blobs = folder.join(BLOBS);
        fs::create_dir_all(&blobs)?;
        let mut files = Vec::new();
        for registry in fs::read_dir(blobs)? {
            let registry = registry?;
            let Ok(host) = registry.file_name().into_string() else { continue };
            for entry in fs::read_dir(registry.path())? {
                let entry = entry?;
                let name = entry.file_name();
                let digest = name.to_str().and_then(|name| name.replacen('-', ":", 1).parse::<Digest>().ok());
                if let (Some(digest), Ok(metadata)) = (digest, entry.metadata())
                    && metadata.is_file()
                {
                    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    files.push((modified, Name { host: host.clone(), digest }, metadata.len()));
                }
            }
        }
        files.sort_by_key(|(modified, ..)| *modified);
        let mut state = State::default();
        for (_, name, size) in files {
            state.uses += 1;
            state.bytes += size;
            state.held.insert(name, Held { size, used: state.uses });
        }
        let cache = Self { folder: folder.to_owned(), capacity, state: Mutex::new(state) };
        cache.make_room(&mut cache.state(), 0);
        Ok(Arc::new(cache))
    }

    /// Where a blob is. For an absent one, later callers follow this one.
    pub(crate) fn find(self: &Arc<Self>, name: &Name) -> Found {
        let mut state = self.state();
        state.uses += 1;
        let uses = state.uses;
        if let Some(held) = state.held.get_mut(name) {
            held.used = uses;
            let size = held.size;
            match File::open(self.path(name)) {
                Ok(file) => {
                    // The order of use survives a restart. Without the right to set it, the order of arrival does.
                    let _ = file.set_modified(SystemTime::now());
                    state.counts.hits += 1;
                    return Found::Held(file, size);
                }
                // Removed by another program.
                Err(_) => {
                    state.held.remove(name);
                    state.bytes -= size;
                }
            }
        }
        if let Some(Running { path, progress }) = state.running.get(name) {
            let follow = Follow { path: path.clone(), progress: progress.clone() };
            state.counts.shared += 1;
            return Found::Running(follow);
        }
        state.counts.misses += 1;
        let (sender, progress) = watch::channel(Progress::Starting);
        let path = self.folder.join(INCOMING).join(format!("{}-{uses}", name.digest.hex()));
        state.running.insert(name.clone(), Running { path: path.clone(), progress });
        Found::Absent(Lead::new(Arc::clone(self), name.clone(), path, sender))
    }

    /// Whether a blob is on disk, complete.
    pub(crate) fn holds(&self, name: &Name) -> bool {
        self.state().held.contains_key(name)
    }

    /// Whether a blob of this size is worth keeping: it must leave room for others.
    pub(crate) fn takes(&self, size: u64) -> bool {
        size <= self.capacity / 4
    }

    /// Remembers that a registry lets a caller read a blob. The key names the registry, the repository, the blob and the caller.
    pub(crate) fn grant(&self, key: Digest) {
        let mut state = self.state();
        if state.grants.len() >= GRANTS {
            state.grants.retain(|_, until| *until > Instant::now());
            if state.grants.len() >= GRANTS {
                state.grants.clear();
            }
        }
        state.grants.insert(key, Instant::now() + GRANTED);
    }

    pub(crate) fn is_granted(&self, key: &Digest) -> bool {
        self.state().grants.get(key).is_some_and(|until| *until > Instant::now())
    }

    pub(crate) fn counts(&self) -> CacheCounts {
        let state = self.state();
        CacheCounts { bytes: state.bytes, ..state.counts }
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.folder.join(BLOBS).join(&name.host).join(format!(
            "{}-{}",
            name.digest.algorithm().name(),
            name.digest.hex()
        ))
    }

    /// Removes the blobs that were not used for the longest time, until `more` bytes fit.
    fn make_room(&self, state: &mut State, more: u64) {
        while state.bytes + more > self.capacity {
            let oldest = state.held.iter().min_by_key(|(_, held)| held.used);
            let Some((name, size)) = oldest.map(|(name, held)| (name.clone(), held.size)) else { return };
            // Readers keep the file that they have opened.
            let _ = fs::remove_file(self.path(&name));
            state.held.remove(&name);
            state.bytes -= size;
            state.counts.evicted += 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const INCOMING: &str = "incoming";
const BLOBS: &str = "blobs";
/// How long an answer of a registry about the rights of a caller is used.
const GRANTED: Duration = Duration::from_secs(60);
const GRANTS: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, text: &str) -> Name {
        let name = Name { host: "r.example:5000".to_owned(), digest: Digest::sha256(text.as_bytes()) };
        let path = folder.join(BLOBS).join(&name.host);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join(format!("sha256-{}", name.digest.hex())), text).unwrap();
        name
    }

    #[test]
    fn the_blob_that_was_not_used_for_the_longest_time_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, c] = ["aaaa", "bbbb", "cccc"].map(|text| put(folder.path(), text));
        let cache = Cache::open(folder.path(), 100).unwrap();
        for name in [&a, &c, &b, &a] {
            assert!(matches!(cache.find(name), Found::Held(_, 4)));
        }
        cache.make_room(&mut cache.state(), 92);
        assert_eq!([&a, &b, &c].map(|name| cache.holds(name)), [true, true, false]);
        drop(cache);
        let cache = Cache::open(folder.path(), 4).unwrap();
        assert_eq!([&a, &b, &c].map(|name| cache.holds(name)), [true, false, false]);
        assert_eq!(cache.counts().bytes, 4);
    }

    #[test]
    fn what_a_crash_left_is_removed_and_never_served() {
        let folder = tempfile::tempdir().unwrap();
        let name = put(folder.path(), "whole");
        fs::create_dir_all(folder.path().join(INCOMING)).unwrap();
        let left = folder.path().join(INCOMING).join("left");
        fs::write(&left, "half").unwrap();
        let cache = Cache::open(folder.path(), 100).unwrap();
        assert!(!left.exists() && cache.holds(&name));
        fs::remove_file(cache.path(&name)).unwrap();
        assert!(matches!(cache.find(&name), Found::Absent(_)));
        assert_eq!(cache.counts().bytes, 0);
    }
}
