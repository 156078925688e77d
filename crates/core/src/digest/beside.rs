//! Hashing that another thread may do.

use super::{Digest, HashState, Hasher};

/// Takes the bytes of one stream and hashes them, perhaps on another thread, while the caller does something else with them.
///
/// The crate starts no thread: a program that has cores for it gives its own implementation to
/// [`LayerReader::hashing`](crate::layer::LayerReader::hashing).
pub trait HashBeside: Send {
    /// Takes the next bytes.
    fn update(&mut self, bytes: &[u8]);

    /// Asks for the state after the bytes so far.
    fn mark(&mut self);

    /// The next state that was asked for, if it is known by now. States come in the order in which they were asked for.
    fn state(&mut self) -> Option<HashState>;

    /// The states that did not come yet, and the digest of all bytes.
    fn finish(self: Box<Self>) -> (Vec<HashState>, Digest);
}

/// One stream that is hashed, here or beside.
pub(crate) enum Hashing {
    Here(Box<Here>),
    Beside(Box<dyn HashBeside>),
}

/// A hash by the thread of the caller.
pub(crate) struct Here {
    hasher: Hasher,
    marked: Option<HashState>,
}

impl Hashing {
    pub(crate) fn new(hasher: Hasher) -> Self {
        Self::Here(Box::new(Here { hasher, marked: None }))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Here(here) => here.hasher.update(bytes),
            Self::Beside(beside) => beside.update(bytes),
        }
    }

    /// See [`HashBeside::mark`]; here, the state must be taken before the next mark.
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

    /// The states that did not come yet, and the digest of all bytes. Waits for them.
    pub(crate) fn finish(self) -> (Vec<HashState>, Digest) {
        match self {
            Self::Here(here) => (here.marked.into_iter().collect(), here.hasher.finish()),
            Self::Beside(beside) => beside.finish(),
        }
    }
}
