//! Hashing that a program may move to another thread.

use super::{Digest, HashState, Hasher};

/// Hasher of one stream that may run on another thread, while the caller decodes the same bytes.
///
/// This crate starts no thread. A program with idle cores gives its own implementation to
/// [`LayerReader::hashing`](crate::layer::LayerReader::hashing).
pub trait HashBeside: Send {
    /// Takes the next bytes.
    fn update(&mut self, bytes: &[u8]);

    /// Requests the hash state after the bytes taken so far.
    fn mark(&mut self);

    /// Returns the next requested state if it is ready. States are returned in the order of the requests.
    fn state(&mut self) -> Option<HashState>;

    /// Waits for the requested states that [`state`](Self::state) has not returned. Returns them, and the digest of all bytes.
    fn finish(self: Box<Self>) -> (Vec<HashState>, Digest);
}

/// The hash of one stream, computed on the caller's thread or by a [`HashBeside`].
pub(crate) enum Hashing {
    Here(Box<Here>),
    Beside(Box<dyn HashBeside>),
}

/// A hash computed on the caller's thread, with the last marked state.
pub(crate) struct Here {
    hasher: Hasher,
    marked: Option<HashState>,
}

impl Hashing {
    pub(crate) fn new(hasher: Hasher) -> Self {
        Self::Here(Box::new(Here { hasher, marked: None }))
    }

    /// Moves a hash without marks from the caller's thread to the result of `beside`. `false` if it is elsewhere already.
    pub(crate) fn move_beside(&mut self, beside: impl FnOnce(Hasher) -> Box<dyn HashBeside>) -> bool {
        let Self::Here(here) = self else { return false };
        *self = Self::Beside(beside(here.hasher.clone()));
        true
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Here(here) => here.hasher.update(bytes),
            Self::Beside(beside) => beside.update(bytes),
        }
    }

    /// See [`HashBeside::mark`]. `Here` keeps one state, which must be taken before the next mark.
    pub(crate) fn mark(&mut self) {
        match self {
            Self::Here(here) => here.marked = Some(here.hasher.state()),
            Self::Beside(beside) => beside.mark(),
        }
    }

    pub(crate) fn state(&mut self) -> Option<HashState> {
        match self {
            Self::Here(here) => here.marked.take(),
            Self::Beside(beside) => beside.state(),
        }
    }

    /// Waits for the requested states that [`state`](Self::state) has not returned. Returns them, and the digest of all bytes.
    pub(crate) fn finish(self) -> (Vec<HashState>, Digest) {
        match self {
            Self::Here(here) => (here.marked.into_iter().collect(), here.hasher.finish()),
            Self::Beside(beside) => beside.finish(),
        }
    }
}
