//! From an index to the image for a platform, through indexes that list indexes.

use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    failure::{Classify, Failure},
    limits::Limits,
    manifest::Index,
    platform::{self, NoMatch, Platform},
};

/// The indexes that were entered on the way to an image, root first.
#[derive(Clone, Debug)]
pub struct Descent {
    entered: Vec<Digest>,
    limit: u64,
}

impl Descent {
    /// Starts at the document that a name stands for.
    pub fn new(root: Digest, limits: &Limits) -> Self {
        Self { entered: vec![root], limit: limits.index_depth }
    }

    /// The entry of an index for a platform. The index is the document that was entered last.
    ///
    /// # Errors
    /// [`NoMatch`] if there is none for the platform.
    pub fn choose<'i>(&self, index: &'i Index, platform: &Platform) -> Result<&'i Descriptor, NoMatch> {
        platform::select(&index.manifests, platform)
    }

    /// Enters an entry of the last index, before it is fetched.
    ///
    /// # Errors
    /// [`Nesting`] if it was entered before, or if the index that lists it lies deeper than [`Limits::index_depth`].
    pub fn enter(&mut self, entry: &Digest) -> Result<(), Nesting> {
        if self.entered.contains(entry) || self.entered.len() as u64 > self.limit {
            return Err(Nesting { limit: self.limit });
        }
        self.entered.push(*entry);
        Ok(())
    }
}

/// An index lists itself, or indexes list indexes deeper than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("indexes within indexes: expected at most {limit} (limit index_depth), each listed once")]
pub struct Nesting {
    /// The value of [`Limits::index_depth`].
    pub limit: u64,
}

impl Classify for Nesting {
    fn failure(&self) -> Failure {
        Failure::named_limit("index_depth", self.limit, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_limited_and_no_index_is_entered_twice() {
        let digest = |n: u8| Digest::sha256(&[n]);
        for limit in 0..4 {
            let mut limits = Limits::default();
            limits.index_depth = limit;
            let mut descent = Descent::new(digest(0), &limits);
            for depth in 1..=limit {
                assert_eq!(descent.enter(&digest(depth as u8)), Ok(()), "{depth} of {limit}");
            }
            assert_eq!(descent.enter(&digest(99)), Err(Nesting { limit }));
        }
        let mut descent = Descent::new(digest(0), &Limits::default());
        descent.enter(&digest(1)).unwrap();
        assert!(descent.enter(&digest(0)).is_err());
        assert!(descent.enter(&digest(1)).is_err());
    }
}
