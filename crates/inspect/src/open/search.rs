//! Paths followed by the seek indexes of layers, without a tree of all their entries.

use std::collections::HashMap;

use porthole_core::{
    path,
    seek::{AtPath, Located},
    tar::{Entry, Kind},
    tree::{Content, OPAQUE, WHITEOUT},
};
use porthole_source::ReadAt;

use super::path::{At, Lost, PathWalk};
use crate::seek::{self, SeekIndex};

/// Longest chain of hard links that is followed. A tree follows any number, at the cost of holding all entries.
const LINKS: usize = 40;

/// Finds paths by the seek indexes of layers: of one layer by itself, or of all layers of an image. How much a search
/// reads does not depend on the number of entries.
pub struct LayerSearch<'i, R> {
    /// Bottom first, each with its index in the image.
    layers: Vec<(u32, &'i SeekIndex<R>)>,
    /// One layer by itself: whiteouts are entries like others, and a hard link may lead to a file of a layer below.
    alone: bool,
    /// Earlier answers, by the place of the layer in `layers` and the path.
    known: HashMap<(usize, Vec<u8>), AtPath>,
}

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// There is nothing at this clean path, or too many links lead there.
    #[error("no such path")]
    Lost(Lost),
    /// An index cannot be read.
    #[error("layer {layer}: {error}")]
    Index {
        /// Index of the layer in the image, from 0.
        layer: u32,
        /// Why the index cannot be read.
        error: seek::Error,
    },
    /// Only a tree of the layers has the answer: a chain of hard links is too long, or the layers are not
    /// [plain](porthole_core::tree::FileTree::is_plain).
    #[error("the layers cannot be searched")]
    Unclear,
}

impl<'i, R: ReadAt> LayerSearch<'i, R> {
    /// Searches one layer by itself, as [`LoneLayer`](super::LoneLayer) does; `layer` is its index in the image.
    pub fn alone(layer: u32, index: &'i SeekIndex<R>) -> Self {
        Self { layers: vec![(layer, index)], alone: true, known: HashMap::new() }
    }

    /// Searches all layers of an image, bottom first. The answers are those of a tree of the same layers if that is
    /// [plain](porthole_core::tree::FileTree::is_plain).
    pub fn stacked(layers: impl IntoIterator<Item = &'i SeekIndex<R>>) -> Self {
        Self { layers: (0..).zip(layers).collect(), alone: false, known: HashMap::new() }
    }

    /// Follows a path, as [`resolve_path`](super::resolve_path) does.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn resolve_path(&mut self, path: &[u8], follow: bool) -> Result<(Vec<u8>, At), SearchError> {
        let mut walk = PathWalk::new(path, follow);
        while let Some(here) = walk.next() {
            let at = self.at(&here).await?;
            if let Some(end) = walk.take(here, at) {
                return end.map_err(SearchError::Lost);
            }
        }
        Ok(walk.end())
    }

    /// Returns what is at a clean path. No symbolic link is followed.
    async fn at(&mut self, path: &[u8]) -> Result<Option<At>, SearchError> {
        let found = match self.alone {
            true => Found::of(0, self.look(0, path).await?),
            false => self.topmost(self.layers.len(), path).await?,
        };
        Ok(match found {
            None => None,
            Some(Found::Directory) => Some(At::Directory),
            Some(Found::Entry(place, located)) if located.entry.kind == Kind::Hardlink => {
                Some(self.hard_link(place, located.number, path::clean(&located.entry.link)).await?)
            }
            Some(Found::Entry(place, located)) => Some(self.leaf(place, located.entry)),
        })
    }

    /// Returns what the lowest `end` layers, stacked, have at a clean path.
    async fn topmost(&mut self, end: usize, path: &[u8]) -> Result<Option<Found>, SearchError> {
        if path.split(|&byte| byte == b'/').any(|name| name.starts_with(WHITEOUT)) {
            return Ok(None);
        }
        for place in (0..end).rev() {
            match self.in_layer(place, path).await? {
                InLayer::Found(found) => return Ok(Some(found)),
                InLayer::Hidden => return Ok(None),
                InLayer::Below => {}
            }
        }
        Ok(None)
    }

    /// Returns what one layer has at a path. It looks up the directories from the root downwards, and stops at one that
    /// the layer lacks: there are no whiteouts below it either.
    async fn in_layer(&mut self, place: usize, path: &[u8]) -> Result<InLayer, SearchError> {
        let mut hidden = false;
        let mut start = 0;
        loop {
            let stop = path[start..].iter().position(|&byte| byte == b'/').map_or(path.len(), |slash| start + slash);
            let (above, name) = (&path[..start], &path[start..stop]);
            hidden = hidden
                || self.has(place, &[above, OPAQUE].concat()).await?
                || self.has(place, &[above, WHITEOUT, name].concat()).await?;
            match Found::of(place, self.look(place, &path[..stop]).await?) {
                None if hidden => return Ok(InLayer::Hidden),
                None => return Ok(InLayer::Below),
                Some(found) if stop == path.len() => return Ok(InLayer::Found(found)),
                Some(Found::Directory) => start = stop + 1,
                // Nothing can be below anything else.
                Some(Found::Entry(..)) => return Ok(InLayer::Hidden),
            }
        }
    }

    async fn has(&mut self, place: usize, path: &[u8]) -> Result<bool, SearchError> {
        Ok(matches!(self.look(place, path).await?, AtPath::Entry(_)))
    }

    async fn look(&mut self, place: usize, path: &[u8]) -> Result<AtPath, SearchError> {
        let key = (place, path.to_vec());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let (layer, index) = self.layers[place];
        let found = index.find(path).await.map_err(|error| SearchError::Index { layer, error })?;
        self.known.insert(key, found.clone());
        Ok(found)
    }

    /// Returns the target of a hard link: an earlier entry of its own layer, or an entry of a layer below.
    async fn hard_link(&mut self, mut place: usize, mut number: u64, first: Vec<u8>) -> Result<At, SearchError> {
        let mut target = first.clone();
        for _ in 0..LINKS {
            let (layer, index) = self.layers[place];
            let before = index.find_before(&target, number).await;
            let before = Found::of(place, before.map_err(|error| SearchError::Index { layer, error })?);
            let found = match before {
                Some(Found::Entry(..)) => before,
                _ if self.alone => return Ok(At::Hardlink(target)),
                _ => self.topmost(place, &target).await?,
            };
            match found {
                Some(Found::Entry(at, located)) if located.entry.kind == Kind::Hardlink => {
                    (place, number, target) = (at, located.number, path::clean(&located.entry.link));
                }
                Some(Found::Entry(at, located)) => {
                    return Ok(match self.leaf(at, located.entry) {
                        At::File(content) => At::File(content),
                        other if self.alone => other,
                        _ => At::Hardlink(first),
                    });
                }
                Some(Found::Directory) | None => return Err(SearchError::Unclear),
            }
        }
        Err(SearchError::Unclear)
    }

    /// Converts an entry that is neither a directory nor a hard link.
    fn leaf(&self, place: usize, entry: Entry) -> At {
        match entry.kind {
            Kind::File => At::File(Content { layer: self.layers[place].0, offset: entry.offset, size: entry.size }),
            Kind::Symlink => At::Symlink(entry.link),
            kind => At::other(kind),
        }
    }
}

/// What a layer, or some layers, have at a path.
enum Found {
    /// The place of the layer, and the entry.
    Entry(usize, Box<Located>),
    Directory,
}

enum InLayer {
    Found(Found),
    /// The layer hides the path in the layers below.
    Hidden,
    /// The layer neither has nor hides the path: the layers below decide.
    Below,
}

impl Found {
    /// Converts the answer of the layer at this place; `None` if it has nothing.
    fn of(place: usize, at: AtPath) -> Option<Self> {
        match at {
            AtPath::Entry(located) if located.entry.kind == Kind::Directory => Some(Self::Directory),
            AtPath::Entry(located) => Some(Self::Entry(place, located)),
            AtPath::Implied => Some(Self::Directory),
            AtPath::Nothing => None,
        }
    }
}
