//! What a session needs from a front end, and its options.

use crate::{
    given::{GivenFile, GivenPlace},
    protocol::{Event, EvidenceJob},
};
use porthole_core::limits::Limits;
use porthole_registry::trace::Recorder;
use std::{sync::Arc, time::Duration};

/// The front end, as a session calls it.
pub trait Front {
    /// A file that is being saved.
    type File: SavedFile;
    /// An archive that is being saved.
    type Archive: ArchiveFile;
    /// A file for what a given file unpacks to.
    type Scratch: ScratchFile;

    /// Takes an event. Called while the session handles a command or a report; it must not call the session back.
    fn tell(&self, event: Event);

    /// Begins to save a file.
    fn save(&self) -> Self::File;

    /// A file for an archive: where the person wants it, else where the front end has room for it. It is not opened yet.
    fn archive(&self) -> Self::Archive;

    /// Begins a file for what a given file of `bytes` bytes unpacks to, which is at least as much.
    ///
    /// # Errors
    /// In words, for a person: there is no room, or no way to keep a file.
    fn scratch(&self, bytes: u64) -> impl Future<Output = Result<Self::Scratch, String>>;

    /// Has signatures checked by another program, which holds the code for it. The answer goes to
    /// [`Session::hear_evidence`](super::Session::hear_evidence); that there will be none, to [`Session::bury_evidence`](super::Session::bury_evidence).
    fn check(&self, job: EvidenceJob);

    /// The file or directory that a user gave under a [`given_reference`](crate::session::given_reference), with its name. `None` = nothing, or it is not
    /// there any more: a page that is loaded again has no files.
    fn given(&self, reference: &str) -> Option<(String, GivenPlace)> {
        let _ = reference;
        None
    }
}

/// A file of the front end's own, which is written once and then read at any offset. Dropping it removes it.
pub trait ScratchFile {
    /// Takes the next bytes, and has written them when the future ends.
    ///
    /// # Errors
    /// In words, for a person.
    fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Result<(), String>>;

    /// Ends the writing. The file is removed when the last copy of what is returned is dropped.
    ///
    /// # Errors
    /// In words, for a person.
    fn finish(self) -> impl Future<Output = Result<GivenFile, String>>;
}

/// A file that a front end saves. Its bytes were verified. Dropping it forgets them.
pub trait SavedFile {
    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]);

    /// Keeps the file. Returns the address where it was kept, or why it was not.
    ///
    /// # Errors
    /// In words, for a person.
    fn finish(self) -> Result<String, String>;
}

/// A file that a front end writes an archive to, piece by piece. Dropping it leaves no file, also where the person chose a place and
/// nothing was written yet: browsers make an empty file there.
pub trait ArchiveFile {
    /// Opens the file for about `bytes` bytes.
    ///
    /// # Errors
    /// In words, for a person: there is no room, or no way to keep a file.
    fn begin(&mut self, bytes: u64) -> impl Future<Output = Result<(), String>>;

    /// Takes the next bytes, and has written them when the future ends.
    ///
    /// # Errors
    /// In words, for a person.
    fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Result<(), String>>;

    /// Keeps the file. Returns an address where it can be fetched, if it is not yet where the person wants it.
    ///
    /// # Errors
    /// In words, for a person.
    fn finish(self) -> impl Future<Output = Result<Option<String>, String>>;
}

/// Options of a session.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Limits of what is read.
    pub limits: Limits,
    /// Images that are part of the front end: an OCI layout in a tar. References to the registry
    /// `router::SAMPLE` are read from it.
    pub page: Arc<[u8]>,
    /// Size from which on a layer is listed from its table of contents, if it has one. A smaller layer is read whole: that
    /// takes hardly longer, and proves more.
    pub listed_bytes: u64,
    /// Bytes that are fetched for a file without asking first.
    pub unasked_bytes: u64,
    /// Keeps the exchanges of a look: what the client of the session reports to.
    pub recorder: Recorder,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            page: Arc::default(),
            listed_bytes: 4 << 20,
            unasked_bytes: 16 << 20,
            recorder: Recorder::new(|| Duration::ZERO),
        }
    }
}
