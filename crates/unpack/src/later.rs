//! Values attached to paths. They are applied at the end, unless the path is removed first.

use std::collections::BTreeMap;

/// Values by clean path relative to the root.
pub(crate) struct Later<T>(BTreeMap<Vec<u8>, T>);

impl<T> Default for Later<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Later<T> {
    pub(crate) fn insert(&mut self, path: &[u8], value: T) {
        self.0.insert(path.to_vec(), value);
    }

    pub(crate) fn contains(&self, path: &[u8]) -> bool {
        self.0.contains_key(path)
    }

    /// Removes the value of a path, but not those of paths below it.
    pub(crate) fn remove(&mut self, path: &[u8]) {
        self.0.remove(path);
    }

    /// Removes the values of a path and of everything below it.
    pub(crate) fn forget(&mut self, path: &[u8]) {
        if self.0.is_empty() {
            return;
        }
        self.0.remove(path);
        let first = [path, b"/"].concat();
        // `0` is the byte after `/`.
        let end = [path, b"0"].concat();
        let below: Vec<_> = self.0.range(first..end).map(|(path, _)| path.clone()).collect();
        for path in below {
            self.0.remove(&path);
        }
    }

    /// Takes all values, those below a directory before the directory.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (Vec<u8>, T)> + use<T> {
        std::mem::take(&mut self.0).into_iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgetting_a_path_forgets_its_subtree_only() {
        let mut later = Later::default();
        for path in ["a", "a/b", "a/b/c", "a-b", "a0", "b"] {
            later.insert(path.as_bytes(), ());
        }
        later.forget(b"a");
        assert!(!later.contains(b"a/b"));
        let left: Vec<_> = later.take().map(|(path, ())| String::from_utf8(path)).collect();
        assert_eq!(left, ["b", "a0", "a-b"].map(|path| Ok(path.to_owned())));
    }

    #[test]
    fn children_come_before_their_directory() {
        let mut later = Later::default();
        for path in ["a", "a/b", "a/b/c"] {
            later.insert(path.as_bytes(), ());
        }
        assert_eq!(later.take().map(|(path, ())| path.len()).collect::<Vec<_>>(), [5, 3, 1]);
    }
}
