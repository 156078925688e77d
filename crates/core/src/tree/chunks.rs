//! A list that grows without being copied. A vector that doubles takes three times its memory while it does, and the memory of a tab's
//! worker never shrinks.

use std::ops::{Index, IndexMut};

/// A list in pieces of [`CHUNK`] items.
#[derive(Clone)]
pub(super) struct Chunks<T>(Vec<Vec<T>>);

const CHUNK: usize = 1 << 14;

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(vec![Vec::new()])
    }
}

impl<T> Chunks<T> {
    pub(super) fn len(&self) -> usize {
        (self.0.len() - 1) * CHUNK + self.0.last().map_or(0, Vec::len)
    }

    pub(super) fn push(&mut self, item: T) {
        match self.0.last_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => last.push(item),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(item);
                self.0.push(chunk);
            }
        }
    }

    pub(super) fn last(&self) -> Option<&T> {
        self.0.last()?.last()
    }

    /// Discards all items from `count` on.
    pub(super) fn truncate(&mut self, count: usize) {
        self.0.truncate(count.div_ceil(CHUNK).max(1));
        let before = (self.0.len() - 1) * CHUNK;
        if let Some(last) = self.0.last_mut() {
            last.truncate(count - before);
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.0[at / CHUNK][at % CHUNK]
    }
}

impl<T> IndexMut<usize> for Chunks<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.0[at / CHUNK][at % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_grows_and_is_cut_anywhere() {
        let mut list = Chunks::default();
        let count = 2 * CHUNK + 3;
        (0..count).for_each(|item| list.push(item));
        assert_eq!(
            (list.len(), list.last(), list[CHUNK], list[CHUNK - 1]),
            (count, Some(&(count - 1)), CHUNK, CHUNK - 1)
        );
        for cut in [2 * CHUNK + 1, 2 * CHUNK, 2 * CHUNK - 1, CHUNK, 1, 0] {
            list.truncate(cut);
            assert_eq!((list.len(), list.last().copied()), (cut, cut.checked_sub(1)));
            list.push(cut);
            assert_eq!((list[cut], list.len()), (cut, cut + 1));
            list[cut] = 7;
            assert_eq!(list.iter_mut().last().copied(), Some(7));
        }
    }
}
