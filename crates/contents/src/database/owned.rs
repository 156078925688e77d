//! Paths of packages, put together from a directory and a name, within limits.

use super::Unreadable;
use crate::limits::{OWNED_PATH_BYTES, OWNED_PATHS};
use porthole_core::path;

/// Counts the paths of one database. Each pair of a directory and a name makes a path, so the size of the database does not bound
/// the size of its paths.
#[derive(Default)]
pub(super) struct OwnedPaths {
    count: usize,
    bytes: usize,
}

impl OwnedPaths {
    /// The clean path of a name in a directory, where `..` in the name leads up.
    pub(super) fn relative(&mut self, directory: &[u8], name: &[u8]) -> Result<Vec<u8>, Unreadable> {
        self.admit(directory, name)?;
        Ok(relative(directory, name))
    }

    /// The clean path of a name in a directory.
    pub(super) fn join(&mut self, directory: &[u8], name: &[u8]) -> Result<Vec<u8>, Unreadable> {
        self.admit(directory, name)?;
        Ok(path::clean(&[directory, b"/", name].concat()))
    }

    fn admit(&mut self, directory: &[u8], name: &[u8]) -> Result<(), Unreadable> {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(directory.len()).saturating_add(name.len());
        if self.count > OWNED_PATHS {
            return Err(Unreadable::Limit { name: "OWNED_PATHS", limit: OWNED_PATHS as u64, unit: "paths" });
        }
        if self.bytes > OWNED_PATH_BYTES {
            return Err(Unreadable::Limit {
                name: "OWNED_PATH_BYTES",
                limit: OWNED_PATH_BYTES as u64,
                unit: "bytes of paths",
            });
        }
        Ok(())
    }
}

/// A path relative to a directory, in which `..` leads up: `../../../bin/tool`.
fn relative(base: &[u8], name: &[u8]) -> Vec<u8> {
    if name.starts_with(b"/") {
        return path::clean(name);
    }
    let mut parts: Vec<&[u8]> = base.split(|&b| b == b'/').filter(|part| !part.is_empty()).collect();
    for part in name.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}

/// The directory of a clean path, and its last component.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_beyond_a_limit_are_refused_by_its_name() {
        let mut paths = OwnedPaths::default();
        assert_eq!(paths.join(b"/usr/bin/", b"a"), Ok(b"usr/bin/a".to_vec()));
        assert_eq!(paths.join(b"", b"/top"), Ok(b"top".to_vec()));
        paths.bytes = OWNED_PATH_BYTES - 2;
        assert!(paths.join(b"a", b"b").is_ok());
        let error = paths.join(b"", b"c").unwrap_err();
        assert_eq!(error.to_string(), "expected at most 268435456 bytes of paths (limit OWNED_PATH_BYTES)");
        let mut paths = OwnedPaths { count: OWNED_PATHS, bytes: 0 };
        assert!(matches!(paths.join(b"", b"d"), Err(Unreadable::Limit { name: "OWNED_PATHS", .. })));
    }
}
