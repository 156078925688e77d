//! Decides which kept files are removed: the oldest when there are too many, and unfinished ones.

use super::{KeptFile, TEMPORARY};
use porthole_core::seek::{is_index_file, surplus};
use std::collections::BTreeMap;

/// What to remove, and what to note about the use of the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Housekeeping {
    /// Names of the files to remove.
    pub remove: Vec<String>,
    /// The new content of the file [`USES`](Self::USES).
    pub uses: String,
    /// Bytes of the files that stay.
    pub bytes: u64,
    /// How many stay.
    pub files: usize,
}

impl Housekeeping {
    /// Name of the file that notes when each file was last used: a line for each, its name and seconds since 1970. Without
    /// it, a file counts as used when it was written.
    pub(crate) const USES: &str = "used";

    /// Plans the work. `noted` is what [`USES`](Self::USES) holds, `used` are the files that were used just now, `now` is in
    /// seconds since 1970.
    pub(crate) fn plan(files: Vec<KeptFile>, noted: &str, used: &[String], limit: u64, now: u64) -> Self {
        let mut uses: BTreeMap<&str, u64> = noted.lines().filter_map(parse).collect();
        uses.extend(used.iter().map(|name| (name.as_str(), now)));
        let mut remove = Vec::new();
        let mut kept = Vec::new();
        for KeptFile { name, size, written } in files {
            if name.starts_with(TEMPORARY) {
                if now.saturating_sub(written) > ABANDONED {
                    remove.push(name);
                }
            } else if is_index_file(&name) {
                // A clock that ran ahead once must not keep a file for ever.
                let last = uses.get(name.as_str()).copied().unwrap_or(written).max(written).min(now);
                kept.push((last, size, name));
            } else if name != Self::USES {
                remove.push(name);
            }
        }
        let surplus = surplus(kept.clone(), limit, None);
        kept.retain(|(.., name)| !surplus.contains(name));
        remove.extend(surplus);
        Self {
            remove,
            uses: kept.iter().map(|(last, _, name)| format!("{name} {last}\n")).collect(),
            bytes: kept.iter().map(|(_, size, _)| size).sum(),
            files: kept.len(),
        }
    }
}

fn parse(line: &str) -> Option<(&str, u64)> {
    let (name, seconds) = line.split_once(' ')?;
    Some((name, seconds.parse().ok()?))
}

/// Age in seconds at which an unfinished file counts as abandoned.
const ABANDONED: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u8) -> String {
        format!("sha256-{number:064x}.0.1.0")
    }

    fn file(name: impl Into<String>, size: u64, written: u64) -> KeptFile {
        KeptFile { name: name.into(), size, written }
    }

    #[test]
    fn the_last_use_counts_not_the_writing() {
        let files = || vec![file(name(1), 10, 1), file(name(2), 10, 2), file(name(3), 10, 3)];
        let all = Housekeeping::plan(files(), "", &[], 30, 100);
        assert_eq!((all.remove.len(), all.bytes, all.files), (0, 30, 3));
        let used = Housekeeping::plan(files(), "", &[name(1)], 20, 100);
        assert_eq!((used.remove, used.bytes), (vec![name(2)], 20));
        assert_eq!(used.uses, format!("{} 100\n{} 3\n", name(1), name(3)));
        let noted = Housekeeping::plan(files(), &format!("{} 50\nrubbish\n{} x\n", name(1), name(2)), &[], 20, 100);
        assert_eq!(noted.remove, [name(2)]);
    }

    #[test]
    fn a_clock_that_ran_ahead_keeps_nothing_for_ever() {
        let files = vec![file(name(1), 10, 1), file(name(2), 10, 999)];
        let plan = Housekeeping::plan(files, &format!("{} 500\n", name(1)), &[], 10, 100);
        assert_eq!(plan.remove, [name(1)], "both count as used now");
    }

    #[test]
    fn only_what_was_abandoned_is_removed_while_others_write() {
        let files = vec![
            file("new-1", 10, 0),
            file("new-2", 10, 9_000),
            file("used", 10, 0),
            file("another", 10, 9_000),
            file(name(1), 10, 0),
        ];
        let plan = Housekeeping::plan(files, "", &[], 100, 10_000);
        assert_eq!((plan.remove, plan.files), (vec!["new-1".to_owned(), "another".to_owned()], 1));
    }

    #[test]
    fn a_file_larger_than_all_room_does_not_stay() {
        let plan = Housekeeping::plan(vec![file(name(1), 10, 1)], "", &[name(1)], 9, 5);
        assert_eq!((plan.remove, plan.files, plan.uses), (vec![name(1)], 0, String::new()));
    }
}
