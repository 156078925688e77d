//! Files that cache indexes: their names, and the choice of those to delete. The caller reads and writes the files.

use crate::digest::{Algorithm, Digest};

/// Name of the file with the index of a blob. `version` is that of the program: another version may read archives
/// differently, and makes its own indexes.
pub fn index_file(digest: &Digest, version: &str) -> String {
    format!("{}-{}.{version}", digest.algorithm().name(), digest.hex())
}

/// Whether a file name is that of an index, of any version of the program.
pub fn is_index_file(name: &str) -> bool {
    let Some((digest, _)) = name.split_once('.') else { return false };
    let Some((algorithm, hex)) = digest.split_once('-') else { return false };
    let known = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];
    known.iter().any(|known| known.name() == algorithm) && format!("{algorithm}:{hex}").parse::<Digest>().is_ok()
}

/// Returns the names of files to delete so that the rest has at most `limit` bytes, the least recently used first. Each of
/// `files` has the time of its last use, its size in bytes and its name. The file `newest` stays.
pub fn surplus<U: Ord, N: Ord>(mut files: Vec<(U, u64, N)>, limit: u64, newest: Option<&N>) -> Vec<N> {
    let mut total: u64 = files.iter().map(|(_, size, _)| size).fold(0, |total, size| total.saturating_add(*size));
    files.sort();
    let mut gone = Vec::new();
    for (_, size, name) in files {
        if total <= limit {
            break;
        }
        if newest != Some(&name) {
            total -= size;
            gone.push(name);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_blob() {
        for algorithm in ["sha256", "sha384", "sha512"] {
            let length = match algorithm {
                "sha256" => 64,
                "sha384" => 96,
                _ => 128,
            };
            let digest: Digest = format!("{algorithm}:{}", "a0".repeat(length / 2)).parse().unwrap();
            let name = index_file(&digest, "1.2.3");
            assert_eq!(name, format!("{algorithm}-{}.1.2.3", "a0".repeat(length / 2)));
            assert!(is_index_file(&name));
        }
        let short = format!("sha256-{}", "a".repeat(63));
        for other in ["", "used", "new-1-2", "notes.txt", "sha256-.1", "md5-00.1", &short, &format!("{short}.1")] {
            assert!(!is_index_file(other), "{other}");
        }
    }

    #[test]
    fn what_was_used_least_recently_goes_first() {
        let files = || vec![(3, 10, "c"), (1, 10, "a"), (2, 10, "b"), (0, 10, "new")];
        assert_eq!(surplus(files(), 40, None), [""; 0]);
        assert_eq!(surplus(files(), 39, None), ["new"]);
        assert_eq!(surplus(files(), 39, Some(&"new")), ["a"]);
        assert_eq!(surplus(files(), 10, Some(&"new")), ["a", "b", "c"]);
        assert_eq!(surplus(files(), 0, Some(&"new")), ["a", "b", "c"], "it stays, even if it is too large");
        assert_eq!(surplus(vec![(0, u64::MAX, "a"), (1, 1, "b")], 5, None), ["a"]);
    }
}
